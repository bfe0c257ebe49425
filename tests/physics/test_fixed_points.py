"""Maximal flats of group actions: counted by hand and against the International Tables."""

import numpy as np
import pytest

from jaxboost.physics.fixed_points import fixed_space, grid_index, grid_points, maximal_flats
from jaxboost.physics.little_groups import TRANSLATION_GRID, operations

INVERSION = np.array([np.eye(3, dtype=int), -np.eye(3, dtype=int)])
NO_SHIFT = np.zeros((2, 3), dtype=int)


def test_the_inversion_has_eight_isolated_points():
    flats = maximal_flats(INVERSION, NO_SHIFT, 4)
    assert [flat.dimension for flat in flats] == [0] * 8
    assert {tuple(flat.point) for flat in flats} == {(a, b, c) for a in (0, 2) for b in (0, 2) for c in (0, 2)}


def test_a_mirror_has_two_planes():
    mirror = np.array([np.eye(3, dtype=int), np.diag([1, 1, -1])])
    assert [flat.dimension for flat in maximal_flats(mirror, NO_SHIFT, 4)] == [2, 2]


def test_a_glide_has_no_fixed_plane():
    glide = np.array([np.eye(3, dtype=int), np.diag([1, 1, -1])])
    flats = maximal_flats(glide, np.array([[0, 0, 0], [2, 0, 0]]), 4)
    assert [flat.dimension for flat in flats] == [3]


@pytest.mark.parametrize(
    ("number", "expected"),
    # Multiplicity in the primitive cell of each maximal Wyckoff position, from the International Tables.
    [
        (47, [1] * 8),
        (62, [4, 4, 4]),
        (75, [1, 1, 2]),
        (143, [1, 1, 1]),
        (166, [1, 1, 3, 3]),
        (194, [2, 2, 2, 2, 6]),
        (221, [1, 1, 3, 3]),
        (225, [1, 1, 2, 6]),
        (227, [2, 2, 4, 4]),
    ],
)
def test_maximal_wyckoff_positions(number, expected):
    ops = operations(number)
    found = []
    for flat in maximal_flats(ops.rotations, ops.translations, TRANSLATION_GRID):
        orbit = np.mod(ops.rotations @ flat.point + ops.translations, TRANSLATION_GRID)
        found.append(len(np.unique(orbit, axis=0)))
    assert sorted(found) == expected


def test_fixed_space_is_a_primitive_basis():
    diagonal = np.array([[[0, 1, 0], [1, 0, 0], [0, 0, 1]]])
    basis = fixed_space(diagonal)
    assert basis.shape == (2, 3) and (diagonal[0] @ basis.T == basis.T).all()
    assert np.gcd.reduce(np.cross(*basis)) == 1
    assert fixed_space(INVERSION).shape == (0, 3)


def test_grid_index_wraps():
    points = grid_points(5)
    assert (grid_index(points - 10, 5) == np.arange(125)).all()
