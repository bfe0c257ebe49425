"""Which co-representations the levels of a crystal about the filling belong to, at its high-symmetry points.

Characters over a set of states are traces over its density matrix, atom by atom; the projectors of
`corepresentations` make multiplicities of them. The spin matrices of a crystal are of one of two signs each, and the
table's of perhaps the other one: `spin_signs` finds the signs that make both multiply alike. Where several choices do,
they differ by a real representation of the point group, which relabels co-representations at all points together.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache

import numpy as np

from jaxboost.physics.band_states import SpinorStates, States
from jaxboost.physics.corepresentations import corepresentations
from jaxboost.physics.levels import same_level
from jaxboost.physics.little_groups import operations
from jaxboost.physics.orbital_symmetry import OrbitalSymmetry
from jaxboost.physics.space_groups import K_GRID
from jaxboost.physics.tight_binding import Model

LEVELS_A_SIDE = 3
_WHOLE = 0.05  # how far a multiplicity may lie from a whole number


@dataclass(frozen=True)
class PointLevels:
    """The levels about the filling at one point.

    Attributes:
      energies: `[l]` eV, ascending, a level once.
      held: `[l, row]` how often each co-representation of the point is in the states of each level.
      sizes: `[l]` states of each.
      filled: `[l]` of them filled: all, none, or some of the one that the filling cuts.
      occupied: `[row]` the same as `held` of all states of levels that are filled whole.
    """

    energies: np.ndarray
    held: np.ndarray
    sizes: np.ndarray
    filled: np.ndarray
    occupied: np.ndarray


def spin_signs(number: int, spin: np.ndarray) -> np.ndarray:
    """`[g]` signs that make the spin matrices of a crystal multiply as the table's.

    Args:
      number: its space group.
      spin: `[g, 2, 2]`, as in `OrbitalSymmetry`.

    Raises:
      ArithmeticError: there are none: the operations are not those of the table.
    """
    ops = operations(number)
    products = spin[:, None] @ spin[None]
    listed = spin[ops.table]
    # +1 or -1: a product is plus or minus the matrix that is listed for it.
    own = np.rint((products * listed.conj()).sum(axis=(2, 3)).real / 2).astype(np.int8)
    return np.array(_solved_signs(number, (own * ops.spin_sign < 0).tobytes()))


@lru_cache(maxsize=1024)
def _solved_signs(number: int, minus: bytes) -> tuple[int, ...]:
    """Of the operations g of a space group, so that the sign of g h is that of g times that of h, times -1 where
    `minus`, `[g, h]` bool as bytes, says so; crystals of one setting ask alike.
    """
    table = operations(number).table
    size = len(table)
    wanted = np.frombuffer(minus, bool).reshape(size, size)
    rows: dict[int, tuple[int, int]] = {}  # by leading bit: (unknowns, right side), over the field of two elements
    for i in range(size):
        for j in range(size):
            bits, side = (1 << i) ^ (1 << j) ^ (1 << int(table[i, j])), int(wanted[i, j])
            while bits:
                lead = bits.bit_length() - 1
                if lead not in rows:
                    rows[lead] = (bits, side)
                    break
                bits, side = bits ^ rows[lead][0], side ^ rows[lead][1]
            if not bits and side:
                raise ArithmeticError(f"the operations are not those of space group {number}")
    value = 0
    for lead in sorted(rows):  # what a row leads with depends on lower bits alone; those without a row are free
        bits, side = rows[lead]
        if (bin(bits & value & ~(1 << lead)).count("1") + side) % 2:
            value |= 1 << lead
    return tuple(-1 if value >> i & 1 else 1 for i in range(size))


def density_characters(
    symmetry: OrbitalSymmetry,
    signs: np.ndarray,
    members: np.ndarray,
    kpoint: np.ndarray,
    model: Model,
    density: np.ndarray,
) -> np.ndarray:
    """Traces of operations over `[2, m, 2, m]` density matrices `sum_b C_b (S C_b)^+`.

    Args:
      symmetry, model: of the crystal.
      signs: `[g]` of the spin matrices.
      members: indices of operations that keep `kpoint`.
      density: `[set, 2, m, 2, m]`.

    Returns:
      `[set, operation]` complex.
    """
    n = symmetry.image.shape[1]
    padded = np.zeros((len(density), 2, n, 9, 2, n, 9), complex)
    at = (model.atom, model.slot)
    padded[:, :, at[0][:, None], at[1][:, None], :, at[0][None], at[1][None]] = density.transpose(2, 4, 0, 1, 3)
    characters = np.zeros((len(density), len(members)), complex)
    atoms = np.arange(n)
    for row, g in enumerate(members):
        phase = np.exp(-2j * np.pi * (symmetry.shift[g] @ kpoint))
        # [atom, set, 2, 9, 2, 9]: from an atom to its image
        blocks = padded[:, :, atoms, :, :, symmetry.image[g], :]
        summed = np.tensordot(phase, blocks, 1)
        turned = np.einsum("ij,ctjsi->cts", symmetry.orbital[g], summed)
        characters[:, row] = signs[g] * np.einsum("st,cts->c", symmetry.spin[g], turned)
    return characters


def level_representations(
    number: int,
    symmetry: OrbitalSymmetry,
    signs: np.ndarray,
    point: int,
    model: Model,
    states: States,
    spinors: SpinorStates | None,
) -> PointLevels | None:
    """The levels at `space_group(number).kpoints[point]`; None where multiplicities are not whole.

    They are not where the window of spin-orbit coupling, or states that were dropped, cut a level.

    Args:
      number: the space group.
      symmetry, model: of the crystal.
      signs: of its spin matrices.
      point: index of the point.
      states, spinors: there, with vectors.
    """
    assert spinors is not None and spinors.vectors is not None
    table = corepresentations(number)
    rows = np.flatnonzero(table.place == point)
    members = np.flatnonzero(np.abs(table.projectors[rows]).max(axis=0) > 0)
    kpoint = table.kpoints[point] / K_GRID
    levels = [same_level(spinors.energies, spinors.electrons - 1)]
    while len(levels) < LEVELS_A_SIDE and levels[0][0] > 0:
        levels.insert(0, same_level(spinors.energies, levels[0][0] - 1))
    while (
        levels[-1][-1] + 1 < len(spinors.energies)
        and sum(level[0] >= spinors.electrons for level in levels) < LEVELS_A_SIDE
    ):
        levels.append(same_level(spinors.energies, levels[-1][-1] + 1))
    filled = np.array([np.sum(level < spinors.electrons) for level in levels])
    sizes = np.array([len(level) for level in levels])
    whole = int(levels[np.flatnonzero(filled == sizes)[-1]][-1]) + 1 if (filled == sizes).any() else int(levels[0][0])
    window = slice(spinors.start, spinors.stop)
    size = len(states.energies)
    density = np.zeros((1 + len(levels), 2, size, 2, size), complex)
    for one, chosen in zip(density, (np.arange(whole), *levels), strict=True):
        up_down = spinors.vectors[:, chosen].reshape(2, spinors.stop - spinors.start, -1)
        images, duals = (
            (part[:, window] @ up_down).reshape(2 * size, -1) for part in (states.coefficients, states.dual)
        )
        one[...] = (images @ duals.conj().T).reshape(2, size, 2, size)
    deep = states.coefficients[:, : spinors.start] @ states.dual[:, : spinors.start].conj().T
    density[0, [0, 1], :, [0, 1]] += deep
    characters = density_characters(symmetry, signs, members, kpoint, model, density)
    exact = characters @ table.projectors[np.ix_(rows, members)].T
    held = np.rint(exact.real).astype(int)
    if np.abs(exact - held).max() > _WHOLE or held.min() < 0:
        return None
    energies = np.array([spinors.energies[level].mean() for level in levels])
    return PointLevels(energies, held[1:], sizes, filled, held[0])
