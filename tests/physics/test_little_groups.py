"""Co-representations of little groups against orthogonality, Kramers' theorem and published degeneracies."""

from dataclasses import replace

import numpy as np
import pytest

from jaxboost.physics.high_symmetry import at_point, maximal_points
from jaxboost.physics.little_groups import operations, representations

NUMBERS = (4, 19, 130, 138, 167, 194, 199, 220, 227)


@pytest.fixture(scope="module", params=NUMBERS)
def at_all_points(request):
    ops = operations(request.param)
    points = maximal_points(ops)
    return [(p, at_point(ops, p, spin=spin), spin) for p in points for spin in (True, False)]


def test_squares_of_dimensions_add_up_to_the_order(at_all_points):
    for point, small, _ in at_all_points:
        assert (small.irrep_dims**2).sum() == len(point.members)


def test_characters_are_orthogonal(at_all_points):
    for point, small, _ in at_all_points:
        overlap = small.characters @ small.characters.conj().T / len(point.members)
        assert np.allclose(overlap, np.eye(len(overlap)), atol=1e-8)


def test_time_reversal_uses_each_irrep_once(at_all_points):
    for _, small, _ in at_all_points:
        assert sorted({i for group in small.groups for i in group}) == list(range(len(small.characters)))
        assert sum(len(set(group)) for group in small.groups) == len(small.characters)


def test_paired_irreps_have_equal_dimension(at_all_points):
    for _, small, _ in at_all_points:
        assert all(len({int(small.irrep_dims[i]) for i in group}) == 1 for group in small.groups)


def test_kramers(at_all_points):
    for point, small, spin in at_all_points:
        if spin and not (2 * point.point % 12).any():
            assert all(d % 2 == 0 for d in small.dims)


def test_site_symmetry_of_the_triclinic_groups():
    for number, dims in ((1, (2,)), (2, (2, 2))):
        ops = operations(number)
        members = np.arange(ops.order)
        assert representations(ops, members, members, np.zeros(3), spin=True).dims == dims
        assert representations(ops, members, members, np.zeros(3), spin=False).dims == (1,) * len(dims)


def test_spin_signs_are_a_cocycle():
    ops = operations(227)
    sign, table = ops.spin_sign, ops.table
    left = sign[:, :, None] * sign[table][:, :, :]
    right = sign[None, :, :] * sign[np.arange(ops.order)[:, None, None], table[None]]
    assert (left == right).all()


def test_the_inverse_is_the_inverse():
    ops = operations(62)
    products = ops.rotations @ ops.rotations[ops.inverse]
    assert (products == np.eye(3, dtype=int)).all()


def test_multiplicities_refuse_what_is_no_representation():
    ops = operations(62)
    small = at_point(ops, maximal_points(ops)[0])
    good = 3 * small.corep_characters()[0] + small.corep_characters()[1]
    assert small.multiplicities(good).tolist() == [3, 1] + [0] * (len(small.dims) - 2)
    with pytest.raises(ArithmeticError, match="integers"):
        small.multiplicities(good / 2)
    with pytest.raises(ArithmeticError, match="integers"):
        small.multiplicities(-good)


def test_multiplicities_refuse_what_time_reversal_does_not_keep():
    ops = operations(75)
    small = at_point(ops, maximal_points(ops)[0])
    pair = next(group for group in small.groups if len(set(group)) == 2)
    with pytest.raises(ArithmeticError, match="add up"):
        small.multiplicities(small.characters[pair[0]])


def test_a_wrong_spin_sign_is_noticed():
    ops = operations(225)
    broken = replace(ops, spin_sign=np.abs(ops.spin_sign))
    point = maximal_points(ops)[1]
    honest = at_point(ops, point).dims
    try:
        dims = at_point(broken, point).dims
    except ArithmeticError:
        return
    assert dims != honest
