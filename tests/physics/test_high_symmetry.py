"""Maximal k-points and lines against the tables of Brillouin zones."""

import numpy as np
import pytest

from jaxboost.physics.high_symmetry import (
    K_GRID,
    along,
    at_point,
    maximal_points,
    on_reciprocal,
    segments,
    stabiliser,
)
from jaxboost.physics.little_groups import operations


@pytest.mark.parametrize(
    ("number", "orders"),
    [
        (2, [2] * 8),
        (123, [16, 16, 16, 16, 8, 8]),  # G M Z A X R
        (191, [24, 24, 12, 12, 8, 8]),  # G A K H M L
        (225, [48, 16, 12, 8]),  # G X L W
        (229, [48, 48, 24, 8]),  # G H P N
        (166, [12, 12, 4, 4]),  # G T L F
    ],
)
def test_little_groups_of_the_holosymmetric_zones(number, orders):
    points = maximal_points(operations(number))
    assert sorted((len(p.members) for p in points), reverse=True) == sorted(orders, reverse=True)
    assert all(p.star_size * len(p.members) == operations(number).order for p in points)


def test_gamma_comes_first():
    for number in (1, 19, 227):
        assert not maximal_points(operations(number))[0].point.any()


@pytest.mark.parametrize("number", [143, 147, 157, 196, 203])
def test_a_group_without_the_isolating_operations_keeps_the_points_of_its_lattice(number):
    ops = operations(number)
    points = maximal_points(ops)
    assert len(points) == (6 if number < 196 else 4)
    for p in points:
        members, reversing = stabiliser(ops, p.point, K_GRID)
        assert (members == p.members).all() and (reversing == p.reversing).all()


def test_k_and_its_negative_are_one_star_by_time_reversal_alone():
    valley = [p for p in maximal_points(operations(143)) if len(p.members) == 3 and p.point[0]]
    assert [p.star_size for p in valley] == [2, 2]
    assert not any(p.own_partner for p in valley)


def test_reciprocal_action_keeps_the_scalar_product():
    rotations = operations(167).rotations
    k, x = np.array([1, 5, 2]), np.array([3, -1, 4])
    turned_k, turned_x = on_reciprocal(rotations) @ k, rotations @ x
    assert ((turned_k * turned_x).sum(axis=1) == k @ x).all()


@pytest.mark.parametrize("number", [14, 139, 167, 194, 199, 227])
def test_segments_end_on_the_star_they_name_and_meet_no_point_between(number):
    ops = operations(number)
    points = maximal_points(ops)
    grey = np.concatenate([on_reciprocal(ops.rotations), -on_reciprocal(ops.rotations)])
    stars = [{tuple(arm) for arm in np.mod(grey @ p.point, K_GRID)} for p in points]
    ways = segments(ops, points)
    assert ways
    for way in ways:
        assert tuple(np.mod(way.end, K_GRID)) in stars[way.j]
        step = (way.end - points[way.i].point) / K_GRID
        for s in (0.17, 0.5, 0.83):
            inner = points[way.i].point / K_GRID + s * step
            moved = on_reciprocal(ops.rotations[way.members]) @ inner - inner
            assert np.allclose(moved, np.rint(moved))
            assert not any(np.allclose(np.mod(inner * K_GRID, K_GRID), arm) for star in stars for arm in star)


def test_delta_and_lambda_of_diamond():
    ops = operations(227)
    points = maximal_points(ops)
    from_gamma = [w for w in segments(ops, points) if w.i == 0 and w.dimension == 1]
    orders = sorted(len(w.members) for w in from_gamma)
    assert orders == [4, 6, 8]  # Sigma to X by way of K, Lambda to L, Delta to X
    delta = next(w for w in from_gamma if len(w.members) == 8)
    inside, relations = along(ops, points, delta)
    # Delta6 and Delta7; X5 holds one of each, so X asks for equally many: one relation with Gamma.
    assert inside.dims == (2, 2) and relations == 1
    assert at_point(ops, points[delta.j]).dims == (4,)


def test_a_screw_axis_ties_bands_together():
    # On G-Z of P2_1 the two eigenvalues of the screw change places from one zone to the next.
    ops = operations(4)
    points = maximal_points(ops)
    screw = [w for w in segments(ops, points) if len(w.members) == 2]
    assert len(screw) == 4
    for way in screw:
        inside, relations = along(ops, points, way)
        assert inside.dims == (1, 1) and relations == 1
        assert sorted((at_point(ops, points[i]).dims for i in (way.i, way.j)), key=len) == [(2,), (2, 2)]
