"""Derivatives of weighted sums of levels with respect to the tight-binding parameters, at the cost of the levels.

By the theorem of Hellmann and Feynman in a basis that is not orthogonal, `dE = C^+ (dH - E dS) C` (P. Pulay, Mol.
Phys. 17, 197, 1969). A sum `L = sum_n w_n E_n` needs of the states only `P = sum w C C^+` and `W = sum w E C C^+`, so
one pass from the matrices back to the parameters gives all derivatives. `differentiable_bands` gives the same through
JAX, crystal by crystal of one padded shape; a fit to thousands of crystals, each of another size, takes this way.

Levels that symmetry makes equal have to get equal weights: then the sum is smooth, whatever states are chosen there.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from jaxboost.physics.band_states import SpinorStates, States
from jaxboost.physics.bonds import Bonds, relative_lengths
from jaxboost.physics.orbitals import ANGULAR_MOMENTUM, SHELL_OF_ORBITAL
from jaxboost.physics.overlaps import BOHR, INTEGRALS, block_integrals, two_centre_overlaps
from jaxboost.physics.tight_binding import (
    Model,
    atom_levels,
    bond_overlaps,
    hopping_ratios,
    occupied_orbitals,
    shell_factors,
    surroundings,
)
from jaxboost.physics.tight_binding_elements import Parameters, electronegativities, quantum_numbers


@dataclass(frozen=True)
class LevelWeight:
    """One term of a weighted sum of levels.

    Attributes:
      point: index of the k-point.
      level: index among the levels there, ascending.
      spin_orbit: whether among those with spin-orbit coupling.
      weight: factor, 1 or 1/eV as the sum wants.
    """

    point: int
    level: int
    spin_orbit: bool
    weight: float


def parameter_gradient(
    parameters: Parameters,
    bonds: Bonds,
    model: Model,
    kpoints: np.ndarray,
    states: Sequence[States],
    spinors: Sequence[SpinorStates | None],
    terms: Sequence[LevelWeight],
) -> Parameters:
    """Derivatives of `sum weight * level`.

    Args:
      parameters: at which the model was made.
      bonds, model: of one crystal, `model_of_bonds(bonds, parameters)`.
      kpoints: `[k, 3]`.
      states: at each k-point.
      spinors: at each k-point, with vectors where a term asks for them. Levels outside their window count as spinless.
        How the window's states mix with those outside as parameters change is left out, as the window itself leaves it.
      terms: the sum.

    Returns:
      Arrays as in `Parameters`.
    """
    numbers, shell = bonds.atomic_numbers, SHELL_OF_ORBITAL[model.slot]
    used = sorted({term.point for term in terms})
    m, row = model.n_orbitals, {point: i for i, point in enumerate(used)}
    density, energy_density = np.zeros((2, len(used), m, m), complex)
    coupling = np.zeros((len(numbers), 3))
    for term in terms:
        at, found = row[term.point], states[term.point]
        spinor = spinors[term.point] if term.spin_orbit else None
        inside = -1 if spinor is None else term.level - 2 * spinor.start
        if spinor is not None and spinor.vectors is not None and 0 <= inside < len(spinor.energies):
            energy, half = spinor.energies[inside], spinor.stop - spinor.start
            vectors = found.coefficients[:, spinor.start : spinor.stop] @ spinor.vectors[:, inside].reshape(2, half).T
            np.add.at(coupling, (model.atom, shell), term.weight * _spin_orbit_by_orbital(model, vectors))
        else:
            level = term.level // 2 if term.spin_orbit else term.level
            energy, vectors = found.energies[level], found.coefficients[:, level : level + 1]
        projector = term.weight * (vectors @ vectors.conj().T)
        density[at] += projector
        energy_density[at] += energy * projector
    hopping = model.lattice_sums(kpoints[used])[1]
    gradient = Parameters(*(np.zeros_like(np.asarray(array, float)) for array in parameters))
    np.add.at(gradient.spin_orbit, numbers, coupling)
    levels = _add_factors(gradient, parameters, bonds, model, (density.conj() * hopping).real.sum(axis=0))
    np.add.at(levels, (model.atom, shell), np.einsum("kii->i", density).real)
    _add_levels(gradient, parameters, bonds, levels)
    overlaps, hoppings = (
        _bond_gradients(bonds, model, kpoints[used], weight) for weight in (-energy_density, model.factor * density)
    )
    overlaps += _add_decays(gradient, parameters, bonds, hoppings)
    _add_exponents(gradient, parameters, bonds, overlaps)
    return gradient


def _spin_orbit_by_orbital(model: Model, vectors: np.ndarray) -> np.ndarray:
    """`[m]` the part of `<L.S>` of a spinor `[m, 2]` that stands on each orbital."""
    up, down = vectors.T
    x, y, z = np.where(
        model.atom[:, None] == model.atom, ANGULAR_MOMENTUM[:, model.slot[:, None], model.slot], 0
    )  # fmt: skip
    turned_up = z @ up + (x - 1j * y) @ down
    turned_down = (x + 1j * y) @ up - z @ down
    return (up.conj() * turned_up + down.conj() * turned_down).real / 2


def _bond_gradients(bonds: Bonds, model: Model, kpoints: np.ndarray, weight: np.ndarray) -> np.ndarray:
    """`[b, 9, 9]` derivatives with respect to what the bonds add to a lattice sum, in the crystal's axes.

    Args:
      weight: `[k, m, m]`, so that the sum of levels changes by `Re tr(weight^+ d sum)`.
    """
    start = np.searchsorted(model.atom, np.arange(model.atom[-1] + 2))
    kept = occupied_orbitals(bonds.atomic_numbers)
    blocks = np.zeros((len(bonds.kind), 9, 9))
    row = 0
    for one, other, cells, _ in model.groups:
        phase = np.exp(2j * np.pi * (kpoints @ cells.T))
        part = weight[:, start[one] : start[one + 1], start[other] : start[other + 1]]
        # The bond and its reverse, which stands in the other half of the matrix, give the same.
        found = 2 * (phase.T @ part.conj().reshape(len(part), -1)).real
        blocks[np.ix_(np.arange(row, row + len(cells)), kept[one], kept[other])] = found.reshape(-1, *part.shape[1:])
        row += len(cells)
    return blocks


def _add_factors(
    gradient: Parameters, parameters: Parameters, bonds: Bonds, model: Model, weight: np.ndarray
) -> np.ndarray:
    """Adds what comes through `tight_binding.pair_factors`, but for the levels, whose derivatives `[n, 3]` it returns.

    `weight` is `[m, m]`, the derivative by each factor.
    """
    numbers = bonds.atomic_numbers
    atom, shell, n = model.atom, SHELL_OF_ORBITAL[model.slot], len(numbers)
    by_shell = np.zeros((n, 3, n, 3))
    np.add.at(by_shell, (atom[:, None], shell[:, None], atom, shell), weight)
    level, chi = atom_levels(parameters, bonds), electronegativities()[numbers]
    difference = (chi[:, None] - chi)[:, None, :, None] ** 2
    mean = (level[:, :, None, None] + level) / 2
    wolfsberg, strength, polar, mutual = shell_factors(parameters, bonds)
    by_strength = by_shell * mean * wolfsberg * polar * mutual
    np.add.at(gradient.strength, numbers, (by_strength.sum(axis=(2, 3)) + by_strength.sum(axis=(0, 1))) / 2)
    gradient.shell_factor[...] += (by_shell * mean * strength * polar * mutual).sum(axis=(0, 2))
    gradient.ionicity[...] -= (by_shell * mean * wolfsberg * strength * mutual * difference).sum()
    by_mutual = by_shell * mean * wolfsberg * strength * polar
    by_response = (by_mutual.sum(axis=3) + by_mutual.sum(axis=1).transpose(1, 2, 0)) / 2
    traits, response = np.asarray(parameters.traits)[numbers], np.asarray(parameters.bond_response)[numbers]
    np.add.at(gradient.bond_response, numbers, np.einsum("alb,br->alr", by_response, traits))
    np.add.at(gradient.traits, numbers, np.einsum("alb,alr->br", by_response, response))
    by_level = by_shell * wolfsberg * strength * polar * mutual
    return (by_level.sum(axis=(2, 3)) + by_level.sum(axis=(0, 1))) / 2


def _add_levels(gradient: Parameters, parameters: Parameters, bonds: Bonds, weight: np.ndarray) -> None:
    """Adds what comes through `tight_binding.atom_levels`; `weight` is `[n, 3]`."""
    numbers = bonds.atomic_numbers
    crowd, pull, traits, share = surroundings(parameters, bonds)
    for array, part in (
        (gradient.level, weight),
        (gradient.crowd_shift, crowd * weight),
        (gradient.pull_shift, pull * weight),
        (gradient.level_response, weight[:, :, None] * traits[:, None, :]),
        (gradient.traits, share.T @ np.einsum("nl,nlr->nr", weight, np.asarray(parameters.level_response)[numbers])),
    ):
        np.add.at(array, numbers, part)


def _add_decays(gradient: Parameters, parameters: Parameters, bonds: Bonds, weight: np.ndarray) -> np.ndarray:
    """Adds what comes through `tight_binding.hopping_ratios`, but for the overlaps, whose derivatives it returns.

    `weight` and the result are `[b, 9, 9]`.
    """
    by_overlap = weight * hopping_ratios(parameters, bonds)
    by_bond = -by_overlap * bond_overlaps(parameters, bonds) * relative_lengths(bonds)[bonds.kind, None, None] / 2
    for side, summed in enumerate((by_bond.sum(axis=2), by_bond.sum(axis=1))):
        z = bonds.kind_elements[bonds.kind, side]
        np.add.at(gradient.decay, (z[:, None], SHELL_OF_ORBITAL), summed)
    return by_overlap


def _add_exponents(gradient: Parameters, parameters: Parameters, bonds: Bonds, weight: np.ndarray) -> None:
    """Adds what comes through the overlaps; `weight` is `[b, 9, 9]`.

    `d chi_n / d zeta = (n + 1/2) / zeta chi_n - r chi_n`, and `r chi_n` is a Slater orbital of n + 1 again.
    """
    by_kind = np.zeros((len(bonds.kind_distance), len(INTEGRALS)))
    np.add.at(by_kind, bonds.kind, block_integrals(bonds.turn.swapaxes(1, 2) @ weight @ bonds.turn))
    n, exponent = quantum_numbers(), np.asarray(parameters.exponent)
    one, other = bonds.kind_elements.T
    distance = bonds.kind_distance / BOHR
    there = np.stack([(n[one][:, a] > 0) & (n[other][:, b] > 0) for a, b, _ in INTEGRALS], axis=1)
    shells = np.array([(a, b) for a, b, _ in INTEGRALS]).T
    plain = two_centre_overlaps(n[one], exponent[one], n[other], exponent[other], distance)
    for side, z in enumerate((one, other)):
        raised = [n[one], n[other]]
        raised[side] = np.where(n[z] > 0, n[z] + 1, 0)
        outer = two_centre_overlaps(raised[0], exponent[one], raised[1], exponent[other], distance)
        zeta, order = exponent[z][:, shells[side]], n[z][:, shells[side]]
        derivative = (order + 0.5) / zeta * plain - np.sqrt((2 * order + 2) * (2 * order + 1)) / (2 * zeta) * outer
        np.add.at(gradient.exponent, (z[:, None], shells[side]), np.where(there, by_kind * derivative, 0))
