"""What band theory says about each of the 230 space groups, with spin-orbit coupling and time reversal.

The figures are computed by `jaxboost.physics.band_representations`, which writes `space_groups.json`; here
they are only read. k-points are in the primitive reciprocal basis dual to the primitive standard cell of
`moyopy`.
"""

import json
from dataclasses import dataclass
from functools import lru_cache
from importlib.resources import files

from jaxboost.errors import InputError

K_GRID = 12
"""All isolated k-points are multiples of 1/12 in the primitive reciprocal basis."""


@dataclass(frozen=True)
class KPoint:
    """A star of maximal k-points.

    Attributes:
        frac: fractional coordinates of one arm.
        little_co_group: index of its little co-group in `jaxboost.crystal.point_groups.POINT_GROUPS`.
        order: operations of the little co-group.
        star_size: arms of the star, time-reversal partners counted.
        is_trim: whether k and -k differ by a reciprocal lattice vector.
        dims: dimensions of the double-valued small co-representations (spin and time reversal), ascending.
        spinless_dims: those of the single-valued ones, ascending.
    """

    frac: tuple[float, float, float]
    little_co_group: int
    order: int
    star_size: int
    is_trim: bool
    dims: tuple[int, ...]
    spinless_dims: tuple[int, ...]


@dataclass(frozen=True)
class KLine:
    """A straight way between two maximal k-points, none in between.

    Attributes:
        i: index in `SpaceGroup.kpoints` of its start, which is at that point's `frac`.
        j: index of the point at its end; `i == j` is a line from one arm of a star to another.
        end: where it ends: an arm of j's star in some cell. The band path is `frac_i + s (end - frac_i)`.
        dimension: 1 for a symmetry line, 2 within a plane of symmetry, 3 for a general way (from Gamma only).
        little_co_group: index of the group that keeps every point of it (without time reversal).
        order: operations of that group.
        dims: dimensions of its double-valued small co-representations, ascending.
        n_relations: independent compatibility relations between its ends, beyond their equal number of bands.
    """

    i: int
    j: int
    end: tuple[float, float, float]
    dimension: int
    little_co_group: int
    order: int
    dims: tuple[int, ...]
    n_relations: int


@dataclass(frozen=True)
class SpaceGroup:
    """One space group.

    Attributes:
        number: 1..230.
        point_group: index in `jaxboost.crystal.point_groups.POINT_GROUPS`.
        order: operations of the point group.
        is_symmorphic: some site has the whole point group as its site-symmetry group.
        has_inversion: the point group contains the inversion.
        is_polar: all operations keep some direction.
        is_chiral: no operation is improper (a Sohncke group).
        filling_step: electrons per primitive cell of an atomic insulator are multiples of this; other
            fillings are symmetry-enforced semimetals or metals (Watanabe, Po, Zaletel, Vishwanath, PRL 117,
            096404, 2016).
        ebr_dims: distinct dimensions of the band representations induced from maximal Wyckoff positions.
        indicator_group: cyclic orders of the group of symmetry indicators X_BS, each dividing the next, `()`
            when trivial (Po, Vishwanath, Watanabe, Nature Communications 8, 50, 2017).
        indicator_order: number of its elements.
        d_bs: rank of the lattice of band structures.
        compatibility_freedom: `sum_k (N_k - 1) + 1 - d_bs` over the maximal k-points, a star and its
            time-reversal partner counted apart where only time reversal joins them. At 0 no allowed filling
            is a symmetry-enforced semimetal.
        kpoints: the maximal k-points, Gamma first.
        lines: the ways between them.
    """

    number: int
    point_group: int
    order: int
    is_symmorphic: bool
    has_inversion: bool
    is_polar: bool
    is_chiral: bool
    filling_step: int
    ebr_dims: tuple[int, ...]
    indicator_group: tuple[int, ...]
    indicator_order: int
    d_bs: int
    compatibility_freedom: int
    kpoints: tuple[KPoint, ...]
    lines: tuple[KLine, ...]


SCALAR_FIELDS = tuple(name for name in SpaceGroup.__annotations__ if name not in ("kpoints", "lines"))
"""Names of the fields of `SpaceGroup` that stand before its k-points and lines, in the order of the file."""


def _tuples(value: object) -> object:
    return tuple(_tuples(entry) for entry in value) if isinstance(value, list | tuple) else value


def encode(group: SpaceGroup) -> list:
    """The nested list under which a space group stands in the file: fields in order, without their names."""
    return [
        *(getattr(group, name) for name in SCALAR_FIELDS),
        [[getattr(point, name) for name in KPoint.__annotations__] for point in group.kpoints],
        [[getattr(line, name) for name in KLine.__annotations__] for line in group.lines],
    ]


def decode(record: list) -> SpaceGroup:
    """The space group that `encode` wrote."""
    *scalars, points, lines = (_tuples(entry) for entry in record)
    return SpaceGroup(*scalars, tuple(KPoint(*p) for p in points), tuple(KLine(*way) for way in lines))  # type: ignore


@lru_cache(maxsize=1)
def _records() -> list:
    return json.loads(files("jaxboost.physics").joinpath("space_groups.json").read_text(encoding="utf-8"))


@lru_cache(maxsize=230)
def space_group(number: int) -> SpaceGroup:
    """The facts about space group `number`.

    Args:
        number: number in the International Tables, 1..230.

    Raises:
        InputError: for any other number.
    """
    if isinstance(number, bool) or number not in range(1, 231):
        raise InputError(f"space group {number!r} does not exist: give a number from 1 to 230")
    return decode(_records()[number - 1])
