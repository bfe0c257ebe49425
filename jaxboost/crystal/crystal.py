"""The one form in which every later room sees a material: its standardised, symmetrised primitive cell."""

import hashlib
from dataclasses import dataclass
from functools import cached_property
from math import gcd

import moyopy
import numpy as np

from jaxboost.crystal.checks import StructureError, check_structure
from jaxboost.crystal.elements import SYMBOLS
from jaxboost.crystal.point_groups import point_group_symbol
from jaxboost.crystal.structure import Structure, read_only
from jaxboost.crystal.symmetry_search import find_symmetry

__all__ = ["Crystal", "Structure", "make_crystal"]

LISTED_PER_PRIMITIVE = 20
"""How many times `max_atoms` a listed cell may hold before it is refused: symmetry search is not free."""

_HASH_DECIMALS = 5
_MAPPING_TOLERANCE = 1e-4  # Angstrom; the cell is symmetrised, so images meet atoms to rounding error


@dataclass(frozen=True, eq=False)
class Crystal:
    """A material as its standardised primitive cell, exactly symmetric, with its space group.

    The cell is that of the default (spglib) setting of the space-group type: unique axis b, hexagonal axes
    reduced to the primitive rhombohedron, origin choice 1. Two crystals are equal where their contents are.

    Attributes:
      lattice: `[3, 3]` float64, Angstrom, rows are the vectors, right-handed.
      frac_coords: `[n, 3]` float64 within [0, 1).
      atomic_numbers: `[n]` int64, ascending.
      space_group_number: 1 to 230.
      orbits: `[n]` int64, the orbit of each atom, numbered from 0 by first occurrence.
      wyckoff_letters: one letter an orbit. Letters depend on the choice of origin where the space group has
        several equivalent ones: compare multiplicities and site symmetries across crystals, not letters.
      site_symmetry: one of `point_groups.POINT_GROUPS` an orbit.
      rotations: `[g, 3, 3]` int64 and
      translations: `[g, 3]` float64: `x -> rotations[i] @ x + translations[i]` on fractional (column)
        coordinates maps the crystal onto itself; one operation per coset of the lattice translations, so g
        is the order of the point group.
    """

    lattice: np.ndarray
    frac_coords: np.ndarray
    atomic_numbers: np.ndarray
    space_group_number: int
    orbits: np.ndarray
    wyckoff_letters: tuple[str, ...]
    site_symmetry: tuple[str, ...]
    rotations: np.ndarray
    translations: np.ndarray

    def __post_init__(self) -> None:
        for name in ("lattice", "frac_coords", "translations"):
            object.__setattr__(self, name, read_only(getattr(self, name), np.float64))
        for name in ("atomic_numbers", "orbits", "rotations"):
            object.__setattr__(self, name, read_only(getattr(self, name), np.int64))

    @property
    def n_atoms(self) -> int:
        """Atoms in the primitive cell."""
        return len(self.atomic_numbers)

    @property
    def n_orbits(self) -> int:
        """Occupied Wyckoff positions."""
        return len(self.site_symmetry)

    @property
    def multiplicities(self) -> np.ndarray:
        """`[n_orbits]`: atoms of each orbit in the primitive cell."""
        return np.bincount(self.orbits, minlength=self.n_orbits)

    @property
    def representatives(self) -> np.ndarray:
        """`[n_orbits]`: the first atom of each orbit."""
        return np.unique(self.orbits, return_index=True)[1]

    @property
    def volume(self) -> float:
        """Angstrom^3 of the primitive cell."""
        return float(np.linalg.det(self.lattice))

    @property
    def formula(self) -> str:
        """The reduced formula, elements in alphabetical order: 'Bi2Se3', 'ClNa'."""
        return reduced_formula(self.atomic_numbers)

    @cached_property
    def content_hash(self) -> str:
        """SHA-256 (hex) of space group, lattice and coordinates to 1e-5, and elements: the key of caches."""
        digest = hashlib.sha256(f"crystal {self.space_group_number} {self.n_atoms}".encode())
        # Adding 0.0 turns -0.0 into 0.0; the second wrap sends 0.999999 to 0.
        digest.update((np.round(self.lattice, _HASH_DECIMALS) + 0.0).astype("<f8").tobytes())
        digest.update((np.round(self.frac_coords, _HASH_DECIMALS) % 1.0 + 0.0).astype("<f8").tobytes())
        digest.update(self.atomic_numbers.astype("<i8").tobytes())
        return digest.hexdigest()

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Crystal) and self.content_hash == other.content_hash

    def __hash__(self) -> int:
        return hash(self.content_hash)


def reduced_formula(atomic_numbers: np.ndarray) -> str:
    """The reduced formula of the listed atoms, elements in alphabetical order: 'Bi2Se3', 'ClNa'."""
    numbers, counts = np.unique(atomic_numbers, return_counts=True)
    divisor = gcd(*counts.tolist())
    parts = sorted((SYMBOLS[z], count // divisor) for z, count in zip(numbers, counts.tolist(), strict=True))
    return "".join(symbol + (str(count) if count > 1 else "") for symbol, count in parts)


def make_crystal(structure: Structure, *, symprec: float = 0.1, max_atoms: int = 400) -> Crystal:
    """Standardises a listed structure to its symmetrised primitive cell.

    A supercell, another choice of cell or origin, a rotated or permuted copy give the same crystal: same
    space group, orbits, site symmetries and distances. (Coordinates can differ by an equivalent choice of
    origin or axes, so `==` tells apart what a later stage computes once, not what is the same matter.)

    Args:
      structure: as listed.
      symprec: Angstrom, how far an atom may lie from its symmetric place. At 0.1 the space group agrees with
        that of the reference table in 99.7% of rows, at 0.01 in 98.8%.
      max_atoms: the most atoms of the *primitive* cell. A listed cell may be bigger, up to 20 times that;
        beyond, it is refused before any symmetry is looked for.

    Raises:
      StructureError: the structure fails `checks.check_structure`, its symmetry cannot be found or not in time, or its
        primitive cell holds more than `max_atoms` atoms.
    """
    check_structure(structure, LISTED_PER_PRIMITIVE * max_atoms)
    found = find_symmetry(structure, symprec)
    if len(found.atomic_numbers) > max_atoms:
        raise StructureError(
            f"the primitive cell has {len(found.atomic_numbers)} atoms and {max_atoms} are allowed: "
            "raise config.crystal.max_atoms"
        )
    operations = moyopy.operations_from_number(
        found.number, setting=moyopy.Setting.hall_number(found.hall_number), primitive=True
    )
    rotations = np.array(operations.rotations, dtype=np.int64)
    translations = np.array(operations.translations)

    lattice, numbers, letters = found.lattice, found.atomic_numbers, found.wyckoff_letters
    coords = _wrap(found.frac_coords)
    order = np.lexsort((*np.round(coords, _HASH_DECIMALS).T[::-1], numbers))
    coords, numbers, letters = coords[order], numbers[order], letters[order]

    orbits, stabilisers = _find_orbits(lattice, coords, numbers, rotations, translations)
    representatives = np.unique(orbits, return_index=True)[1]
    return Crystal(
        lattice=lattice,
        frac_coords=coords,
        atomic_numbers=numbers,
        space_group_number=found.number,
        orbits=orbits,
        wyckoff_letters=tuple(letters[representatives].tolist()),
        site_symmetry=tuple(point_group_symbol(rotations[fixed]) for fixed in stabilisers),
        rotations=rotations,
        translations=translations,
    )


def _wrap(coords: np.ndarray) -> np.ndarray:
    """Into [0, 1), where what lies a rounding error below 1 counts as 0."""
    wrapped = coords % 1.0
    return np.where(wrapped > 1.0 - 1e-9, 0.0, wrapped)


def _find_orbits(
    lattice: np.ndarray,
    coords: np.ndarray,
    numbers: np.ndarray,
    rotations: np.ndarray,
    translations: np.ndarray,
) -> tuple[np.ndarray, list[np.ndarray]]:
    """Orbit of each atom `[n]`, and for each orbit's first atom the indices of the operations that fix it.

    Raises:
      StructureError: an operation maps an atom onto no atom of its element.
    """
    orbits = np.full(len(numbers), -1)
    stabilisers: list[np.ndarray] = []
    for atom in range(len(numbers)):
        if orbits[atom] >= 0:
            continue
        same = np.flatnonzero(numbers == numbers[atom])
        images = rotations @ coords[atom] + translations
        offsets = images[:, None] - coords[same]
        distances = np.linalg.norm((offsets - np.rint(offsets)) @ lattice, axis=-1)
        nearest = same[distances.argmin(axis=1)]
        if distances.min(axis=1).max() > _MAPPING_TOLERANCE:
            raise StructureError(
                "the symmetry found does not map the crystal onto itself: try a smaller config.crystal.symprec"
            )
        orbits[nearest] = len(stabilisers)
        stabilisers.append(np.flatnonzero(nearest == atom))
    return orbits, stabilisers
