"""Refuses what is not a crystal, with a reason a user can act on."""

import numpy as np
from vesin import NeighborList

from jaxboost.crystal.structure import Structure
from jaxboost.errors import InputError

MIN_DISTANCE = 0.3
"""Angstrom. The shortest bond there is, H-H, has 0.74; below this two entries mean one atom."""

_LEAST_VOLUME = MIN_DISTANCE**3 / 2**0.5  # Angstrom^3 an atom: that of close-packed spheres

MIN_LATTICE_VECTOR, MAX_LATTICE_VECTOR = 0.5, 500.0
"""Angstrom. Outside lie cells in nanometre, Bohr^-1 or without a unit."""

MIN_RELATIVE_VOLUME = 1e-4
"""Volume over the product of the lengths: 1 for a box; a rhombohedral needle of 300 Angstrom has 1e-3."""

MAX_ATOMIC_NUMBER = 103

_FULL_OCCUPANCY, _MAX_OCCUPANCY = 0.99, 1.01  # refinements of an ordered site end at 0.998(3) and the like


_MANY = 1000  # atoms
# Angstrom: the search makes boxes of its radius, and of MIN_DISTANCE they would be thousands, nearly all of them empty.
_BOX = 1.5


class StructureError(InputError):
    """A structure that cannot be used; the message is the reason, as it stands in `rejected.csv`."""


def is_full(occupancy: float) -> bool:
    """Whether a site of this occupancy counts as ordered."""
    return _FULL_OCCUPANCY <= occupancy <= _MAX_OCCUPANCY


def check_structure(structure: Structure, max_atoms: int) -> None:
    """Returns where `structure` can be a crystal, else raises.

    Args:
      structure: as listed by a file or a table row.
      max_atoms: the most atoms that may be listed.

    Raises:
      StructureError: wrong shapes, no atom, too many atoms, a number that is not finite, an unknown element,
        a cell that is flat, left-handed or of absurd size, or two atoms on one place.
    """
    _check_shapes(structure)
    n_atoms = len(structure.atomic_numbers)
    if n_atoms == 0:
        raise StructureError("no atom: give a structure with at least one site")
    if n_atoms > max_atoms:
        raise StructureError(
            f"{n_atoms} atoms are listed and {max_atoms} allowed: "
            "give the primitive cell, or raise config.crystal.max_atoms"
        )
    for name in ("lattice", "frac_coords"):
        if not np.isfinite(getattr(structure, name)).all():
            raise StructureError(f"a number in {name} is NaN or infinite: correct it in the source of the structure")
    wrong = (structure.atomic_numbers < 1) | (structure.atomic_numbers > MAX_ATOMIC_NUMBER)
    if wrong.any():
        raise StructureError(
            f"unknown element: atomic number {structure.atomic_numbers[wrong][0]} at site "
            f"{int(np.argmax(wrong))}, known are 1 to {MAX_ATOMIC_NUMBER}"
        )
    check_cell(structure.lattice, n_atoms)
    _check_distances(structure)


def _check_shapes(structure: Structure) -> None:
    n_atoms = structure.atomic_numbers.size
    shapes = structure.lattice.shape, structure.frac_coords.shape, structure.atomic_numbers.shape
    coords_fit = shapes[1] == (n_atoms, 3) or n_atoms == structure.frac_coords.size == 0
    if shapes[0] != (3, 3) or not coords_fit or shapes[2] != (n_atoms,):
        raise StructureError(
            f"lattice {shapes[0]}, frac_coords {shapes[1]}, atomic_numbers {shapes[2]}: expected (3, 3), (n, 3), (n,)"
        )


def check_cell(lattice: np.ndarray, n_atoms: int) -> None:
    """Returns where `n_atoms` may lie in a cell `[3, 3]` (Angstrom), and their distances can be looked for.

    In a cell that is flat or far too full a search for pairs would not end: each atom has too many images.

    Raises:
      StructureError: the cell is flat, left-handed, of absurd size, or too small for its atoms.
    """
    if not np.isfinite(lattice).all():
        raise StructureError("a number in lattice is NaN or infinite: correct it in the source of the structure")
    with np.errstate(over="ignore", invalid="ignore"):  # of vectors of 1e200: they are absurd, as is said below
        lengths = np.linalg.norm(lattice, axis=1)
        volume = float(np.linalg.det(lattice))
    if lengths.min() == 0.0 or abs(volume) < MIN_RELATIVE_VOLUME * lengths.prod():
        raise StructureError(
            f"the cell has no volume ({volume:.3g} Angstrom^3): its vectors lie in a plane or on a line"
        )
    if lengths.min() < MIN_LATTICE_VECTOR or lengths.max() > MAX_LATTICE_VECTOR:
        raise StructureError(
            f"absurd lattice: vectors of {lengths.min():.3g} to {lengths.max():.3g} Angstrom, expected "
            f"{MIN_LATTICE_VECTOR} to {MAX_LATTICE_VECTOR:.0f}; the unit is Angstrom"
        )
    if volume < 0:
        raise StructureError(
            "left-handed cell (negative determinant): reverse the sign of all three lattice vectors and of "
            "all fractional coordinates, or swap two vectors together with their coordinates"
        )

    if volume < n_atoms * _LEAST_VOLUME:
        raise StructureError(
            f"two atoms on one place: {n_atoms} atoms in {volume:.3g} Angstrom^3 cannot be {MIN_DISTANCE} Angstrom "
            "apart; the unit is Angstrom"
        )


def _check_distances(structure: Structure) -> None:
    pair = closest_pair(structure.lattice, structure.frac_coords, MIN_DISTANCE)
    if pair is not None:
        raise StructureError(
            f"two atoms on one place: sites {pair[0]} and {pair[1]} are {pair[2]:.3f} Angstrom apart "
            f"(at least {MIN_DISTANCE}): remove duplicates or disorder"
        )


def closest_pair(lattice: np.ndarray, frac_coords: np.ndarray, cutoff: float) -> tuple[int, int, float] | None:
    """The two closest atoms (or an atom and its own periodic image), where they are closer than `cutoff`.

    Args:
      lattice: `[3, 3]`, Angstrom, rows are the vectors, of non-zero volume.
      frac_coords: `[n, 3]`, finite.
      cutoff: Angstrom; the cost grows as the number of pairs within it, or within 1.5.

    Returns:
      their indices and distance in Angstrom, or None where no pair is that close. Of more than 1000 atoms it may be
        another pair within `cutoff` than the closest.
    """
    # Among many atoms on a few places the pairs would not fit the memory: two in one small box are close enough.
    if len(frac_coords) > _MANY and (pair := _two_in_a_box(lattice, frac_coords, cutoff)) is not None:
        return pair
    radius = max(cutoff, _BOX) if len(frac_coords) <= _MANY else cutoff
    # Wrapped first: far-away fractional coordinates would cost digits in Cartesian space.
    first, second, distances = NeighborList(cutoff=radius, full_list=False).compute(
        points=(frac_coords % 1.0) @ lattice, box=lattice, periodic=True, quantities="ijd"
    )
    if not (distances < cutoff).any():
        return None
    closest = int(np.argmin(distances))
    return int(first[closest]), int(second[closest]), float(distances[closest])


def _two_in_a_box(lattice: np.ndarray, frac_coords: np.ndarray, cutoff: float) -> tuple[int, int, float] | None:
    """The first two atoms in a box whose diagonal is at most `cutoff`."""
    wrapped = (frac_coords % 1.0) @ lattice
    boxes = np.floor(wrapped / (cutoff / np.sqrt(3))).astype(np.int64)
    order = np.lexsort(boxes.T)
    same = np.flatnonzero((boxes[order][1:] == boxes[order][:-1]).all(axis=1))
    if not len(same):
        return None
    pair = sorted(order[same[0] : same[0] + 2].tolist())
    return pair[0], pair[1], float(np.linalg.norm(wrapped[pair[0]] - wrapped[pair[1]]))


def without_repeats(lattice: np.ndarray, frac_coords: np.ndarray, kinds: np.ndarray, cutoff: float) -> np.ndarray:
    """Indices of the atoms that lie on no earlier one of their kind, ascending.

    Args:
      lattice: `[3, 3]`, Angstrom, of non-zero volume.
      frac_coords: `[n, 3]`; kinds: `[n]`.
      cutoff: Angstrom, within which two of a kind are one.
    """
    first, second = NeighborList(cutoff=cutoff, full_list=False).compute(
        points=(frac_coords % 1.0) @ lattice, box=lattice, periodic=True, quantities="ij"
    )
    one_kind = (kinds[first] == kinds[second]) & (first != second)
    earlier, later = np.minimum(first, second)[one_kind], np.maximum(first, second)[one_kind]
    kept = np.ones(len(kinds), bool)
    order = np.lexsort((earlier, later))
    for a, b in zip(earlier[order].tolist(), later[order].tolist(), strict=True):
        if kept[a]:
            kept[b] = False
    return np.flatnonzero(kept)
