"""Textbook crystal structures by hand: lattice, places, and what is free in them.

Settings are the conventional ones of the International Tables, where two origins are listed the second; coordinates
are those of any textbook (R. W. G. Wyckoff, Crystal Structures, 1963; Strukturbericht names in the comments). Of the
structures without inversion only those with a fourfold rotoinversion are here: there an insulator has an index that
symmetry gives too (`physics.symmetry_indicators`). Wurtzite and others without either are left out.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from itertools import product

import numpy as np

from jaxboost.crystal import Structure
from jaxboost.crystal.elements import ELEMENT_PROPERTIES
from jaxboost.errors import InputError

# Rows: vectors of the primitive cell in units of the conventional one.
_CENTRING = {
    "P": np.eye(3),
    "F": np.array([[0, 1, 1], [1, 0, 1], [1, 1, 0]]) / 2,
    "I": np.array([[-1, 1, 1], [1, -1, 1], [1, 1, -1]]) / 2,
    "R": np.array([[2, 1, 1], [-1, 1, 1], [-1, -2, 1]]) / 3,
}
_RIGHT = np.eye(3)
_HEXAGONAL = np.array([[1, 0, 0], [-0.5, np.sqrt(0.75), 0], [0, 0, 1]])
_IMAGES = np.array(list(product((-1, 0, 1), repeat=3)))

Places = Callable[[float], Sequence[tuple[float, float, float]]]


@dataclass(frozen=True)
class Prototype:
    """A structure type.

    Attributes:
      space_group_number: of a member with different elements on different letters.
      species: a letter a place of the primitive cell.
      places: height parameter z to fractions of the conventional cell.
      centring: of the lattice, P, F, I or R (hexagonal axes).
      hexagonal: whether the angle between a and b is 120 degrees, else 90.
      ratios: ranges of c/a that are drawn from, (1, 1) where it is cubic. Ratios at which the symmetry is higher lie in
        none of them.
      heights: range of z, (0, 0) where symmetry fixes all places.
    """

    space_group_number: int
    species: str
    places: Places
    centring: str = "P"
    hexagonal: bool = False
    ratios: tuple[tuple[float, float], ...] = ((1.0, 1.0),)
    heights: tuple[float, float] = (0.0, 0.0)

    @property
    def letters(self) -> str:
        """Different letters, in order: one element each."""
        return "".join(sorted(set(self.species)))


def _fixed(*places: tuple[float, float, float]) -> Places:
    return lambda z: places


_ONE, _TWO = 1 / 3, 2 / 3
_O, _CENTRE, _QUARTER, _THREE = (0, 0, 0), (0.5, 0.5, 0.5), (0.25, 0.25, 0.25), (0.75, 0.75, 0.75)
_FACES = (0.5, 0.5, 0), (0.5, 0, 0.5), (0, 0.5, 0.5)

PROTOTYPES: dict[str, Prototype] = {
    "rocksalt": Prototype(225, "AB", _fixed(_O, _CENTRE), "F"),  # B1
    "cscl": Prototype(221, "AB", _fixed(_O, _CENTRE)),  # B2
    "zincblende": Prototype(216, "AB", _fixed(_O, _QUARTER), "F"),  # B3
    "diamond": Prototype(227, "AA", _fixed((1 / 8,) * 3, (7 / 8,) * 3), "F"),  # A4
    "fluorite": Prototype(225, "ABB", _fixed(_O, _QUARTER, _THREE), "F"),  # C1
    "perovskite": Prototype(221, "ABCCC", _fixed(_O, _CENTRE, *_FACES)),  # E2_1
    "half_heusler": Prototype(216, "ABC", _fixed(_O, _CENTRE, _QUARTER), "F"),  # C1_b
    "heusler": Prototype(225, "ABCC", _fixed(_O, _CENTRE, _QUARTER, _THREE), "F"),  # L2_1
    "cu3au": Prototype(221, "ABBB", _fixed(_O, *_FACES)),  # L1_2
    # Cubic ones stretched along an axis: the level that the cubic group held together splits.
    "rocksalt_111": Prototype(166, "AB", _fixed(_O, (0, 0, 0.5)), "R", hexagonal=True, ratios=((1.9, 2.3), (2.6, 3.2))),
    "cscl_001": Prototype(123, "AB", _fixed(_O, _CENTRE), ratios=((0.75, 0.95), (1.05, 1.5))),  # L1_0
    "zincblende_001": Prototype(119, "AB", _fixed(_O, (0, 0.5, 0.25)), "I", ratios=((1.1, 1.36), (1.47, 1.8))),
    "tin": Prototype(  # A5, of which diamond is the one with c/a = sqrt(2) along these axes
        141, "AA", _fixed((0, 0.25, 0.375), (0, 0.75, 0.625)), "I", ratios=((0.5, 1.34), (1.5, 1.8))
    ),
    "nickel_arsenide": Prototype(  # B8_1
        194,
        "AABB",
        _fixed(_O, (0, 0, 0.5), (_ONE, _TWO, 0.25), (_TWO, _ONE, 0.75)),
        hexagonal=True,
        ratios=((1.2, 1.7),),
    ),
    "iron_selenide": Prototype(  # B10
        129,
        "AABB",
        lambda z: ((0.75, 0.25, 0), (0.25, 0.75, 0), (0.25, 0.25, z), (0.75, 0.75, -z)),
        ratios=((1.2, 1.8),),
        heights=(0.23, 0.30),
    ),
    "aluminium_boride": Prototype(  # C32
        191, "ABB", _fixed(_O, (_ONE, _TWO, 0.5), (_TWO, _ONE, 0.5)), hexagonal=True, ratios=((0.85, 1.3),)
    ),
    "cadmium_iodide": Prototype(  # C6
        164,
        "ABB",
        lambda z: ((0, 0, 0), (_ONE, _TWO, z), (_TWO, _ONE, -z)),
        hexagonal=True,
        ratios=((1.2, 1.7),),
        heights=(0.21, 0.29),
    ),
    "molybdenum_silicide": Prototype(  # C11_b
        139,
        "ABB",
        lambda z: ((0, 0, 0), (0, 0, z), (0, 0, -z)),
        "I",
        ratios=((2.2, 2.38), (2.5, 3.4)),
        heights=(0.31, 0.36),
    ),
    "delafossite": Prototype(  # F5_1
        166,
        "ABCC",
        lambda z: ((0, 0, 0), (0, 0, 0.5), (0, 0, z), (0, 0, -z)),
        "R",
        hexagonal=True,
        ratios=((4.6, 6.0),),
        heights=(0.10, 0.12),
    ),
    "tetradymite": Prototype(  # C33, Bi2Se3; the outer anions at 0.2115
        166,
        "ABBCC",
        lambda z: ((0, 0, 0), (0, 0, z), (0, 0, -z), (0, 0, 0.2115), (0, 0, -0.2115)),
        "R",
        hexagonal=True,
        ratios=((5.5, 8.0),),
        heights=(0.388, 0.408),
    ),
    "arsenic": Prototype(  # A7
        166,
        "AA",
        lambda z: ((0, 0, z), (0, 0, -z)),
        "R",
        hexagonal=True,
        ratios=((2.2, 3.2),),
        heights=(0.215, 0.24),
    ),
}


def contact(lattice: np.ndarray, frac_coords: np.ndarray, radii: np.ndarray) -> float:
    """Smallest ratio of a distance between two atoms to the sum of their radii.

    Args:
      lattice: `[3, 3]`, rows are the vectors of a primitive cell that is not far from reduced.
      frac_coords: `[n, 3]`.
      radii: `[n]`, of the lattice's unit.
    """
    offset = frac_coords[:, None, None] - frac_coords[None, :, None]
    offset = offset - np.rint(offset) + _IMAGES
    distance = np.linalg.norm(offset @ lattice, axis=-1)
    distance[distance < 1e-9] = np.inf
    return float((distance.min(axis=2) / (radii[:, None] + radii)).min())


def make_structure(name: str, elements: Sequence[int], *, loose: float, ratio: float, height: float) -> Structure:
    """The primitive cell of a prototype; its symmetry is exact to rounding.

    Args:
      name: of `PROTOTYPES`.
      elements: atomic numbers, one a letter of the prototype.
      loose: the closest contact over the sum of the covalent radii (Cordero 2008), which sets the lattice constant.
      ratio: c/a; height: z as in `Prototype.places`.

    Raises:
      InputError: no such prototype, another number of elements than letters, a ratio or contact that is not positive.
    """
    if name not in PROTOTYPES:
        raise InputError(f"no prototype {name!r}: known are {', '.join(PROTOTYPES)}")
    prototype = PROTOTYPES[name]
    if len(elements) != len(prototype.letters):
        raise InputError(f"{name} has {len(prototype.letters)} kinds of places, {len(elements)} elements are given")
    if not (loose > 0 and ratio > 0):
        raise InputError(f"contact {loose} and c/a {ratio}: give numbers above 0")
    centring = _CENTRING[prototype.centring]
    conventional = (_HEXAGONAL if prototype.hexagonal else _RIGHT) * np.array([[1], [1], [ratio]])
    lattice = centring @ conventional
    coords = np.array(prototype.places(height), float) @ np.linalg.inv(centring)
    numbers = np.array([elements[prototype.letters.index(letter)] for letter in prototype.species])
    a = loose / contact(lattice, coords, ELEMENT_PROPERTIES["covalent_radius"][numbers])
    return Structure(a * lattice, coords, numbers)


def draw_structure(name: str, elements: Sequence[int], loose: float, rng: np.random.Generator) -> Structure:
    """A member of a prototype with c/a and z drawn evenly from its ranges; errors as `make_structure`."""
    prototype = PROTOTYPES[name]
    widths = np.array([high - low for low, high in prototype.ratios])
    low, high = prototype.ratios[rng.choice(len(widths), p=widths / widths.sum() if widths.sum() else None)]
    return make_structure(
        name, elements, loose=loose, ratio=rng.uniform(low, high), height=rng.uniform(*prototype.heights)
    )
