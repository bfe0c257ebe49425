"""Points of a crystal's cell (or of its reciprocal cell) that symmetry singles out.

A group acts on the torus by `x -> A x + s` modulo 1. The points with one stabiliser form a flat: a point, a
line, a plane or the whole cell. A flat is maximal when no point of it has a larger stabiliser. In real space
these are the maximal Wyckoff positions, in reciprocal space the maximal k-vectors. Coordinates are integers
over a grid size, so every comparison is exact.
"""

from dataclasses import dataclass
from itertools import product
from math import gcd

import numpy as np


@dataclass(frozen=True)
class MaximalFlat:
    """One orbit of maximal flats.

    Attributes:
        point: integer coordinates `[3]` of one point on it, in units of 1/grid.
        dimension: 0 for an isolated point, 1 for a line, 2 for a plane, 3 for the whole cell.
        direction: a basis of the flat, integer rows `[dimension, 3]`.
    """

    point: np.ndarray
    dimension: int
    direction: np.ndarray


def grid_points(size: int) -> np.ndarray:
    """All the points `[size**3, 3]` of the grid, the last coordinate fastest."""
    return np.indices((size, size, size)).reshape(3, -1).T


def grid_index(points: np.ndarray, size: int) -> np.ndarray:
    """Row in `grid_points(size)` of integer `points` `[..., 3]`, taken modulo the cell."""
    wrapped = np.mod(points, size)
    return (wrapped[..., 0] * size + wrapped[..., 1]) * size + wrapped[..., 2]


def images(points: np.ndarray, matrices: np.ndarray, shifts: np.ndarray) -> np.ndarray:
    """Where each operation takes `points` `[..., 3]`: `[operation, ..., 3]`, not reduced to the cell."""
    spread = shifts.reshape((len(shifts),) + (1,) * (points.ndim - 1) + (3,))
    return np.einsum("nij,...j->n...i", matrices, points) + spread


def fixed_space(matrices: np.ndarray) -> np.ndarray:
    """Integer basis `[dimension, 3]` of the vectors that all `matrices` leave alone, primitive in `Z^3`."""
    constraints = (matrices - np.eye(3, dtype=int)).reshape(-1, 3)
    dimension = 3 - int(np.linalg.matrix_rank(constraints)) if len(constraints) else 3
    if dimension in (0, 3):
        return np.eye(3, dtype=int)[:dimension]
    short = [v for v in product(range(-3, 4), repeat=3) if any(v) and not np.any(constraints @ np.array(v))]
    short.sort(key=lambda v: (sum(c * c for c in v), tuple(-c for c in v)))
    first = np.array(next(v for v in short if gcd(*v) == 1))
    if dimension == 1:
        return first[None]
    for v in short:
        if gcd(*(int(c) for c in np.cross(first, v))) == 1:
            return np.array([first, v])
    raise ArithmeticError("a plane of fixed vectors without a short primitive basis")


def maximal_flats(matrices: np.ndarray, shifts: np.ndarray, size: int) -> tuple[MaximalFlat, ...]:
    """One representative of each orbit of maximal flats.

    Args:
        matrices: integers `[operation, 3, 3]`, acting on column coordinates; a whole group modulo
            translations.
        shifts: integers `[operation, 3]` in units of 1/size.
        size: points of the grid along each axis; it has to hold all isolated fixed points (24 in real space,
            12 in reciprocal space).

    Returns:
        The orbits in the order of their first grid point; isolated points and larger flats together.
    """
    points = grid_points(size)
    moved = images(points, matrices, shifts) - points
    fixed = np.all(moved % size == 0, axis=2)
    stabiliser_order = fixed.sum(axis=0)
    visited = np.zeros(len(points), dtype=bool)
    bases: dict[bytes, np.ndarray] = {}
    flats: list[MaximalFlat] = []
    for start in range(len(points)):
        if visited[start]:
            continue
        pattern = fixed[:, start].tobytes()
        if pattern not in bases:
            bases[pattern] = fixed_space(matrices[fixed[:, start]])
        basis = bases[pattern]
        combinations = list(product(range(size), repeat=len(basis)))
        steps = np.array(combinations, dtype=int).reshape(len(combinations), len(basis))
        on_flat = points[start] + steps @ basis
        orders = stabiliser_order[grid_index(on_flat, size)]
        same = on_flat[orders == stabiliser_order[start]]
        visited[grid_index(images(same, matrices, shifts), size).ravel()] = True
        if orders.max() == stabiliser_order[start]:
            flats.append(MaximalFlat(points[start], len(basis), basis))
    return tuple(flats)
