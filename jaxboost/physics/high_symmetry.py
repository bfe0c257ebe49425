"""Maximal k-points of a space group with time reversal, and the lines that join them.

A k-point is isolated when the operations that keep it, or with time reversal take it to its negative, keep no
continuous path through it: J. Cano et al., Phys. Rev. B 97, 035139 (2018), section III; M. G. Vergniory et
al., Phys. Rev. E 96, 023310 (2017).
"""

from dataclasses import dataclass
from fractions import Fraction
from itertools import product
from math import gcd

import numpy as np

from jaxboost.physics.fixed_points import fixed_space, grid_index, grid_points, maximal_flats
from jaxboost.physics.lattices import generic_metric, holohedry
from jaxboost.physics.little_groups import Operations, Representations, phases, representations
from jaxboost.physics.space_groups import K_GRID

GENERAL_STEP = Fraction(389, 1009)
"""How far along a segment its general point lies: a denominator no symmetry can produce."""


@dataclass(frozen=True)
class MaximalPoint:
    """One star of maximal k-points.

    Attributes:
        point: integers `[3]` in units of 1/12 of the primitive reciprocal basis, within [0, 12).
        star_size: arms of the star, the time-reversal partners counted.
        own_partner: whether an operation without time reversal takes the point to its negative.
        members: indices of the operations that keep it.
        reversing: indices of those that take it to its negative.
    """

    point: np.ndarray
    star_size: int
    own_partner: bool
    members: np.ndarray
    reversing: np.ndarray

    @property
    def frac(self) -> np.ndarray:
        """Fractional coordinates `[3]`."""
        return self.point / K_GRID


@dataclass(frozen=True)
class Segment:
    """A straight way between two maximal points whose inner points all have one stabiliser.

    Attributes:
        i: index of the maximal point where it starts.
        j: index of the maximal point to whose star its end belongs.
        end: integers `[3]` in units of 1/12: the very arm of j's star, in the very cell, where it ends.
        dimension: of the flat with this stabiliser: 1 a symmetry line, 2 within a plane, 3 general.
        members: indices of the operations that keep all of it.
        reversing: indices of those that with time reversal keep all of it.
    """

    i: int
    j: int
    end: np.ndarray
    dimension: int
    members: np.ndarray
    reversing: np.ndarray


def on_reciprocal(rotations: np.ndarray) -> np.ndarray:
    """Matrices `[operation, 3, 3]` that act on k (a column) where `rotations` act on positions."""
    return np.rint(np.linalg.inv(rotations)).astype(int).transpose(0, 2, 1)


def stabiliser(ops: Operations, scaled: np.ndarray, denominator: int) -> tuple[np.ndarray, np.ndarray]:
    """Indices of the operations that keep `scaled / denominator` and of those that reverse it."""
    moved = on_reciprocal(ops.rotations) @ scaled
    keep = np.all((moved - scaled) % denominator == 0, axis=1)
    reverse = np.all((moved + scaled) % denominator == 0, axis=1)
    return np.flatnonzero(keep), np.flatnonzero(reverse)


def _grey(ops: Operations) -> np.ndarray:
    matrices = on_reciprocal(ops.rotations)
    return np.unique(np.concatenate([matrices, -matrices]), axis=0)


def maximal_points(ops: Operations) -> tuple[MaximalPoint, ...]:
    """The maximal k-points of a space group, one a star, Gamma first, then by falling symmetry.

    The points that the bare lattice isolates are taken, as in the tables of the Bilbao Crystallographic
    Server. All that the group itself isolates are among them; where the group isolates less than its lattice
    does, K and H stand for their line (P3, P-3, P31m) and W for a point of the line X-W-X (F23, Fd-3).
    """
    grey = _grey(ops)
    lattice = on_reciprocal(holohedry(ops.rotations))
    flats = maximal_flats(lattice, np.zeros((len(lattice), 3), dtype=int), K_GRID)
    arms_of = [lattice @ flat.point for flat in flats if flat.dimension == 0]

    found: dict[tuple[int, ...], MaximalPoint] = {}
    for point in np.concatenate(arms_of):
        arms = {tuple(map(int, np.mod(arm, K_GRID))) for arm in grey @ point}
        first = min(arms, key=lambda arm: (sum(arm), tuple(-c for c in arm)))
        if first in found:
            continue
        members, reversing = stabiliser(ops, np.array(first), K_GRID)
        found[first] = MaximalPoint(np.array(first), len(arms), len(reversing) > 0, members, reversing)
    return tuple(
        sorted(
            found.values(),
            key=lambda p: (p.point.any(), -len(p.members) - len(p.reversing), sum(p.point), list(-p.point)),
        )
    )


def segments(ops: Operations, points: tuple[MaximalPoint, ...]) -> tuple[Segment, ...]:
    """The ways between maximal points: every symmetry line, and for other pairs the best way within a plane.

    A symmetry line is a flat of dimension 1, cut where it meets the next maximal point; inequivalent lines
    between the same two stars are all listed, a line from a star to itself as well. Two stars without a line
    between them are joined by the way of highest symmetry, when that lies within a plane of symmetry or
    starts at Gamma.
    """
    grey = _grey(ops)
    star = np.full(K_GRID**3, -1)
    for index, p in enumerate(points):
        star[grid_index(grey @ p.point, K_GRID)] = index
    metric = np.linalg.inv(generic_metric(ops.rotations))
    cells = np.array(list(product((-1, 0, 1), repeat=3))) * K_GRID
    reached = grid_points(K_GRID)[star >= 0]
    targets = (reached[:, None] + cells[None]).reshape(-1, 3)
    aims = star[grid_index(targets, K_GRID)]

    lines: dict[tuple[int, int, int], tuple[tuple, Segment]] = {}
    detours: dict[tuple[int, int], tuple[tuple, Segment]] = {}
    for i, p in enumerate(points):
        for end, j in zip(targets[aims >= i], aims[aims >= i], strict=True):
            way = end - p.point
            length = gcd(*(int(c) for c in way))
            between = p.point + np.arange(1, length)[:, None] * (way // max(length, 1))
            if length == 0 or (star[grid_index(between, K_GRID)] >= 0).any():
                continue
            denominator = K_GRID * GENERAL_STEP.denominator
            general = p.point * GENERAL_STEP.denominator + way * GENERAL_STEP.numerator
            members, reversing = stabiliser(ops, general, denominator)
            kept = on_reciprocal(ops.rotations)
            dimension = len(fixed_space(np.concatenate([kept[members], -kept[reversing]])))
            segment = Segment(i, int(j), end, dimension, members, reversing)
            length_squared = round(float(way @ metric @ way), 6)
            rank = (dimension, -len(members), -len(reversing), length_squared, *np.abs(end), *-end)
            if dimension == 1:
                middle = int(grid_index(grey @ (p.point + end), 2 * K_GRID).min())
                place: dict = lines
                key: tuple = (i, int(j), middle)
            elif j > i:
                place, key = detours, (i, int(j))
            else:
                continue
            if key not in place or rank < place[key][0]:
                place[key] = (rank, segment)

    joined = {key[:2] for key in lines}
    kept_detours = [s for key, (_, s) in detours.items() if key not in joined and (s.dimension == 2 or s.i == 0)]
    return tuple(sorted([s for _, s in lines.values()] + kept_detours, key=lambda s: (s.i, s.j, s.dimension, *s.end)))


def at_point(ops: Operations, point: MaximalPoint, *, spin: bool = True) -> Representations:
    """The small co-representations at a maximal point."""
    return representations(ops, point.members, point.reversing, point.frac, spin=spin)


def along(ops: Operations, points: tuple[MaximalPoint, ...], segment: Segment) -> tuple[Representations, int]:
    """Representations inside a segment and the number of independent compatibility relations across it.

    Each multiplicity on the segment is fixed by those at either end, so the ends have to agree. That both
    ends have equally many bands is one such relation; it is not counted.
    """
    start, end = points[segment.i].frac, segment.end / K_GRID
    general = start + (end - start) * float(GENERAL_STEP)
    inside = representations(ops, segment.members, segment.reversing, general, spin=True)
    shifts = ops.translations[segment.members]
    restricted = []
    for sign, kpoint in ((1, start), (-1, end)):
        scaled = np.rint(kpoint * K_GRID).astype(int)
        members, reversing = stabiliser(ops, scaled, K_GRID)
        here = representations(ops, members, reversing, kpoint, spin=True)
        columns = np.searchsorted(members, segment.members)
        # The little group's factors do not change along the way; only the phases of the translations do.
        carried = phases(general - kpoint, shifts)
        restricted.append(sign * inside.multiplicities(here.corep_characters()[:, columns] * carried))
    return inside, int(np.linalg.matrix_rank(np.concatenate(restricted))) - 1
