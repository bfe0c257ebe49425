"""The pairs of atoms of a crystal whose orbitals overlap: a complete lattice sum, and who is whose neighbour."""

from dataclasses import dataclass
from functools import lru_cache
from types import ModuleType
from typing import Any

import numpy as np
from vesin import NeighborList

from jaxboost.crystal import Crystal
from jaxboost.crystal.elements import ELEMENT_PROPERTIES
from jaxboost.errors import InputError
from jaxboost.physics.orbitals import bond_frames, orbital_rotations
from jaxboost.physics.overlaps import BOHR, two_centre_overlaps
from jaxboost.physics.tight_binding_elements import Parameters, check_elements, quantum_numbers

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
      neighbours: `[n, n]` how many neighbours each atom has among the images of each, see `_neighbours`.
    """

    atomic_numbers: np.ndarray
    first: np.ndarray
    second: np.ndarray
    cell: np.ndarray
    turn: np.ndarray
    kind: np.ndarray
    kind_elements: np.ndarray
    kind_distance: np.ndarray
    neighbours: np.ndarray


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
        neighbours=_neighbours(numbers, first, second, distance),
    )


def _neighbours(numbers: np.ndarray, first: np.ndarray, second: np.ndarray, distance: np.ndarray) -> np.ndarray:
    """How many neighbours an atom has among the periodic images of each atom, `[n, n]`, symmetric.

    A neighbour counts by how close it is to the sum of the covalent radii, without a step: S. Grimme, J. Antony,
    S. Ehrlich, H. Krieg, J. Chem. Phys. 132, 154104 (2010), eq. 15.
    """
    radius, counts = _covalent_radii()[numbers], np.zeros((len(numbers), len(numbers)))
    smooth = 1 / (1 + np.exp(-16 * (4 / 3 * (radius[first] + radius[second]) / distance - 1)))
    np.add.at(counts, (first, second), smooth)
    return counts + counts.T


def _covalent_radii() -> np.ndarray:
    return np.nan_to_num(ELEMENT_PROPERTIES["covalent_radius"])


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


def relative_lengths(bonds: Bonds, xp: ModuleType = np) -> Any:
    """`[u]` logarithm of each kind's distance over the sum of the covalent radii."""
    radius, distance = xp.asarray(_covalent_radii()), xp.asarray(bonds.kind_distance)
    sums = radius[bonds.kind_elements[:, 0]] + radius[bonds.kind_elements[:, 1]]
    return xp.log(distance / xp.where(sums > 0, sums, distance))  # atoms that only pad have no radius
