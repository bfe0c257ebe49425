"""Bloch Hamiltonian and overlap of a crystal in its valence orbitals, from the structure alone.

    H_ab = K_ll' (s_a + s_b) / 2 (1 - c (chi_a - chi_b)^2) (h_a + h_b) / 2 * S_ab   between atoms,   H_aa = h_a,

the extended Hueckel form (M. Wolfsberg, L. Helmholz, J. Chem. Phys. 20, 837, 1952; R. Hoffmann, J. Chem. Phys. 39,
1397, 1963) with the shell factors of GFN1-xTB and no self-consistency; instead a level h may depend on the number and
the kind of an atom's neighbours (in the published figures it does not). The factor does not depend on the distance, so
`H(k) = factor * (S(k) - 1) + h` and only the overlaps need a lattice sum.

The host path is NumPy: tens of thousands of crystals, each of another size, would each compile anew. It shares the
formulas (`bond_overlaps`, `pair_factors`) with `differentiable_bands`, which JAX differentiates.
"""

from dataclasses import dataclass
from functools import lru_cache
from types import ModuleType
from typing import Any

import numpy as np
from vesin import NeighborList

from jaxboost.crystal import Crystal
from jaxboost.crystal.elements import ELEMENT_PROPERTIES
from jaxboost.errors import InputError
from jaxboost.physics.orbitals import ANGULAR_MOMENTUM, SHELL_OF_ORBITAL, bond_frames, orbital_rotations
from jaxboost.physics.overlaps import BOHR, bond_blocks, two_centre_overlaps
from jaxboost.physics.tight_binding_elements import (
    Parameters,
    basis_electrons,
    check_elements,
    electronegativities,
    quantum_numbers,
)

NEGLECTED_OVERLAP = 1e-6
"""Pairs of atoms with no overlap above this are left out of the lattice sum."""

_DISTANCE_DECIMALS = 7  # Angstrom; equal by symmetry is equal to about 1e-9, so equal distances share one integral
_CUTOFF_GRID = np.arange(1.0, 30.0, 0.25)  # Angstrom


@dataclass(frozen=True)
class Bonds:
    """All pairs of atoms whose orbitals overlap, each once (not the reverse), with what is equal computed once.

    Attributes:
      atomic_numbers: `[n]`.
      first, second: `[b]` indices of atoms.
      cell: `[b, 3]` int, in which cell the second one is.
      turn: `[b, 9, 9]` takes orbitals with z along the bond to the crystal's axes.
      kind: `[b]` index of the pair's elements and distance.
      kind_elements: `[u, 2]` atomic numbers.
      kind_distance: `[u]` Angstrom.
      surroundings: `[n, 2]` of each atom, see `_surroundings`.
    """

    atomic_numbers: np.ndarray
    first: np.ndarray
    second: np.ndarray
    cell: np.ndarray
    turn: np.ndarray
    kind: np.ndarray
    kind_elements: np.ndarray
    kind_distance: np.ndarray
    surroundings: np.ndarray


def find_bonds(crystal: Crystal, parameters: Parameters) -> Bonds:
    """The complete lattice sum of a crystal: every pair with an overlap above `NEGLECTED_OVERLAP`.

    Raises:
      InputError: an element that the table lacks.
    """
    numbers = crystal.atomic_numbers
    check_elements(numbers)
    elements = np.unique(numbers)
    cutoff = np.zeros((len(elements), len(elements)))
    for a, z in enumerate(elements):
        for b, other in enumerate(elements):
            cutoff[a, b] = _cutoff(*(_diffuseness(int(e), parameters) for e in sorted((z, other))))
    first, second, shift, vector, distance = NeighborList(cutoff=float(cutoff.max()), full_list=False).compute(
        points=crystal.frac_coords @ crystal.lattice,
        box=crystal.lattice,
        periodic=True,
        quantities="ijSDd",
    )
    place = np.searchsorted(elements, numbers)
    distance = np.round(distance, _DISTANCE_DECIMALS)
    kept = distance < cutoff[place[first], place[second]]
    first, second, distance = first[kept].astype(int), second[kept].astype(int), distance[kept]
    shift, vector = np.rint(shift[kept]).astype(int), vector[kept]
    order = np.lexsort((second, first))
    first, second, shift, distance = first[order], second[order], shift[order], distance[order]
    label = np.stack([numbers[first], numbers[second], distance], axis=1)
    kinds, kind = np.unique(label, axis=0, return_inverse=True)
    direction = vector[order] / distance[:, None]
    direction /= np.linalg.norm(direction, axis=1, keepdims=True)
    return Bonds(
        atomic_numbers=numbers,
        first=first,
        second=second,
        cell=shift,
        turn=orbital_rotations(bond_frames(direction)),
        kind=kind.reshape(-1),
        kind_elements=kinds[:, :2].astype(int),
        kind_distance=kinds[:, 2],
        surroundings=_surroundings(numbers, first, second, distance),
    )


def _surroundings(numbers: np.ndarray, first: np.ndarray, second: np.ndarray, distance: np.ndarray) -> np.ndarray:
    """How many neighbours an atom has, over 12, and how much more electronegative (Pauling) they are on average.

    A neighbour counts by how close it is to the sum of the covalent radii, without a step: S. Grimme, J. Antony,
    S. Ehrlich, H. Krieg, J. Chem. Phys. 132, 154104 (2010), eq. 15. `[n, 2]`.
    """
    radius = np.nan_to_num(ELEMENT_PROPERTIES["covalent_radius"])[numbers]
    chi = ELEMENT_PROPERTIES["electronegativity"][numbers]
    counts = 1 / (1 + np.exp(-16 * (4 / 3 * (radius[first] + radius[second]) / distance - 1)))
    difference = np.nan_to_num(chi[second] - chi[first])  # noble gases have none
    number, excess = np.zeros(len(numbers)), np.zeros(len(numbers))
    for atom, sign in ((first, 1), (second, -1)):
        np.add.at(number, atom, counts)
        np.add.at(excess, atom, sign * counts * difference)
    # Of an atom without neighbours the average is 0, and comes there smoothly.
    return np.stack([number / 12, excess / np.maximum(number, 1)], axis=1)


def _diffuseness(z: int, parameters: Parameters) -> tuple[tuple[int, ...], tuple[float, ...]]:
    return tuple(quantum_numbers()[z].tolist()), tuple(np.asarray(parameters.exponent)[z].tolist())


@lru_cache(maxsize=10_000)
def _cutoff(one: tuple[tuple[int, ...], tuple[float, ...]], other: tuple[tuple[int, ...], tuple[float, ...]]) -> float:
    """Angstrom beyond which no overlap of two elements' shells is above `NEGLECTED_OVERLAP`."""
    n_a, zeta_a, n_b, zeta_b = (np.repeat([values], len(_CUTOFF_GRID), axis=0) for values in (*one, *other))
    size = np.abs(two_centre_overlaps(n_a, zeta_a, n_b, zeta_b, _CUTOFF_GRID / BOHR)).max(axis=1)
    above = np.flatnonzero(size > NEGLECTED_OVERLAP)
    if len(above) and above[-1] + 1 == len(_CUTOFF_GRID):
        raise InputError(f"an orbital reaches beyond {_CUTOFF_GRID[-1]} Angstrom: raise its exponent")
    return float(_CUTOFF_GRID[above[-1] + 1]) if len(above) else float(_CUTOFF_GRID[0])


def bond_overlaps(parameters: Parameters, bonds: Bonds, xp: ModuleType = np) -> Any:
    """`[b, 9, 9]` overlaps of the orbitals of first and second atom, in the crystal's axes."""
    n, exponent = xp.asarray(quantum_numbers()), xp.asarray(parameters.exponent)
    one, other = bonds.kind_elements[:, 0], bonds.kind_elements[:, 1]
    integrals = two_centre_overlaps(
        n[one], exponent[one], n[other], exponent[other], xp.asarray(bonds.kind_distance) / BOHR, xp
    )
    turn = xp.asarray(bonds.turn)
    return turn @ bond_blocks(integrals, xp)[bonds.kind] @ xp.swapaxes(turn, 1, 2)


def atom_levels(parameters: Parameters, bonds: Bonds, xp: ModuleType = np) -> Any:
    """`[n, 3]` eV: the level of each shell of each atom where it is."""
    z = bonds.atomic_numbers
    crowd, pull = xp.asarray(bonds.surroundings)[:, 0, None], xp.asarray(bonds.surroundings)[:, 1, None]
    shift = xp.asarray(parameters.crowd_shift)[z] * crowd + xp.asarray(parameters.pull_shift)[z] * pull
    return xp.asarray(parameters.level)[z] + shift


def pair_factors(parameters: Parameters, bonds: Bonds, xp: ModuleType = np) -> Any:
    """`[n, 9, n, 9]` eV: what an overlap is multiplied by to give the matrix element of H."""
    atomic_numbers = bonds.atomic_numbers
    level = atom_levels(parameters, bonds, xp)[:, SHELL_OF_ORBITAL].reshape(-1)
    strength = xp.asarray(parameters.strength)[atomic_numbers][:, SHELL_OF_ORBITAL].reshape(-1)
    shell = np.tile(SHELL_OF_ORBITAL, len(atomic_numbers))
    atom = np.repeat(np.arange(len(atomic_numbers)), 9)
    chi = xp.asarray(electronegativities())[atomic_numbers]
    polar = (1 - parameters.ionicity * (chi[:, None] - chi) ** 2)[atom[:, None], atom]
    mean, strength = (level[:, None] + level) / 2, (strength[:, None] + strength) / 2
    wolfsberg = xp.asarray(parameters.shell_factor)[shell[:, None], shell]
    return (mean * wolfsberg * strength * polar).reshape(len(atomic_numbers), 9, len(atomic_numbers), 9)


def occupied_orbitals(atomic_numbers: np.ndarray) -> np.ndarray:
    """`[n, 9]` which of the nine orbitals each atom has."""
    return quantum_numbers()[atomic_numbers][:, SHELL_OF_ORBITAL] > 0


@dataclass(frozen=True)
class Model:
    """The tight-binding model of one crystal, without what depends on k.

    Attributes:
      electrons: a primitive cell, both spins.
      atom: `[m]` of each orbital.
      slot: `[m]` of each orbital among the nine of its atom.
      level: `[m]` eV.
      factor: `[m, m]` eV.
      spin_orbit: `[3, m, m]` eV, imaginary: `xi L_i / 2`, which goes with the Pauli matrix sigma_i.
      groups: (atom, atom, cells `[c, 3]`, overlaps `[c, orbitals of one, of other]`) of every bonded pair.
    """

    electrons: int
    atom: np.ndarray
    slot: np.ndarray
    level: np.ndarray
    factor: np.ndarray
    spin_orbit: np.ndarray
    groups: tuple[tuple[int, int, np.ndarray, np.ndarray], ...]

    @property
    def n_orbitals(self) -> int:
        """Orbitals of the primitive cell, without spin."""
        return len(self.level)

    def bloch(self, kpoints: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """H (eV) and S at each k, without spin-orbit coupling.

        Phases count whole cells (`exp(2 pi i k.R)`), so both are periodic in k, and real where all k-points have
        2k a reciprocal lattice vector.

        Args:
          kpoints: `[k, 3]` in the primitive reciprocal basis.

        Raises:
          InputError: a k-point that is not finite or outside [-1, 1], so probably in another unit.

        Returns:
          `[k, m, m]` each, Hermitian.
        """
        kpoints = np.asarray(kpoints, float)
        if kpoints.ndim != 2 or kpoints.shape[1] != 3 or not (np.abs(kpoints) <= 1 + 1e-9).all():
            raise InputError("k-points: expected [k, 3] fractions of the reciprocal vectors within [-1, 1]")
        real = bool((np.abs(2 * kpoints - np.rint(2 * kpoints)) < 1e-12).all())
        overlap = np.zeros((len(kpoints), self.n_orbitals, self.n_orbitals), float if real else complex)
        start = np.searchsorted(self.atom, np.arange(self.atom[-1] + 2))
        for one, other, cells, blocks in self.groups:
            angle = 2 * np.pi * (kpoints @ cells.T)
            phase = np.rint(np.cos(angle)) if real else np.exp(1j * angle)
            total = (phase @ blocks.reshape(len(cells), -1)).reshape(len(kpoints), *blocks.shape[1:])
            overlap[:, start[one] : start[one + 1], start[other] : start[other + 1]] = total
        overlap += overlap.conj().swapaxes(1, 2)
        hamiltonian = overlap * self.factor
        diagonal = np.arange(self.n_orbitals)
        hamiltonian[:, diagonal, diagonal] += self.level
        overlap[:, diagonal, diagonal] += 1
        return hamiltonian, overlap


def make_model(crystal: Crystal, parameters: Parameters) -> Model:
    """The model of a crystal with NumPy parameters.

    Raises:
      InputError: an element that the table lacks.
    """
    return model_of_bonds(find_bonds(crystal, parameters), parameters)


def model_of_bonds(bonds: Bonds, parameters: Parameters) -> Model:
    """The model of a crystal whose bonds are known; the rows of `groups` are those of the bonds, in order."""
    numbers = bonds.atomic_numbers
    kept = occupied_orbitals(numbers)
    atom, slot = np.nonzero(kept)
    flat = kept.reshape(-1)
    blocks = bond_overlaps(parameters, bonds)
    key = bonds.first * len(numbers) + bonds.second
    starts = np.flatnonzero(np.diff(key, prepend=-1))
    groups = []
    for begin, end in zip(starts, [*starts[1:], len(key)], strict=True):
        one, other = int(bonds.first[begin]), int(bonds.second[begin])
        groups.append((one, other, bonds.cell[begin:end], blocks[begin:end][:, kept[one]][:, :, kept[other]]))
    size = 9 * len(numbers)
    shell = SHELL_OF_ORBITAL[slot]
    coupling = np.where(atom[:, None] == atom, ANGULAR_MOMENTUM[:, slot[:, None], slot], 0)
    return Model(
        electrons=int(basis_electrons()[numbers].sum()),
        atom=atom,
        slot=slot,
        level=atom_levels(parameters, bonds)[atom, shell],
        factor=pair_factors(parameters, bonds).reshape(size, size)[flat][:, flat],
        spin_orbit=coupling * parameters.spin_orbit[numbers[atom], shell] / 2,
        groups=tuple(groups),
    )
