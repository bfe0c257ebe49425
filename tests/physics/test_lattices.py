"""Integer linear algebra against closed forms and under changes of basis."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from jaxboost.physics.lattices import generic_lattice, holohedry, rank, smith_form, torsion
from jaxboost.physics.little_groups import operations


@pytest.mark.parametrize(
    ("matrix", "expected"),
    [
        ([[2, 4, 4], [-6, 6, 12], [10, 4, 16]], (2, 2, 156)),
        ([[2, 0], [0, 3]], (1, 6)),
        ([[4, 0], [0, 6]], (2, 12)),
        ([[0, 0], [0, 0]], ()),
        ([[3, 6, 9]], (3,)),
        ([[1, 1], [1, 1], [2, 2]], (1,)),
    ],
)
def test_known_smith_forms(matrix, expected):
    assert smith_form(np.array(matrix))[0] == expected


def test_torsion_leaves_the_units_out():
    assert torsion(np.diag([1, 2, 2, 0])) == (2, 2)
    assert rank(np.diag([1, 2, 2, 0])) == 3


@settings(max_examples=40, deadline=None)
@given(st.integers(0, 2**32 - 1), st.integers(2, 5))
def test_a_change_of_basis_on_either_side_changes_nothing(seed, size):
    rng = np.random.default_rng(seed)
    matrix = rng.integers(-4, 5, (size, size)).astype(object)

    def unimodular():
        lower = np.tril(rng.integers(-2, 3, (size, size)), -1) + np.eye(size, dtype=int)
        return (lower @ lower.T[::-1]).astype(object)

    found, vectors = smith_form(matrix)
    assert smith_form(unimodular() @ matrix @ unimodular())[0] == found
    # Every sum of rows is in their span by the criterion of the vectors, which are a basis of all.
    orders = [*found, *[0] * (size - len(found))]
    for order, values in zip(orders, (matrix @ np.array(vectors, dtype=object).T).T, strict=True):
        assert all(value == 0 if order == 0 else value % order == 0 for value in values)
    assert abs(round(float(np.linalg.det(np.array(vectors, dtype=float))))) == 1
    assert all(b % a == 0 for a, b in zip(found, found[1:], strict=False))
    determinant = round(float(np.linalg.det(matrix.astype(float))))
    assert (int(np.prod(found)) if len(found) == size else 0) == abs(determinant)


@pytest.mark.parametrize(
    ("number", "order"), [(1, 2), (3, 4), (5, 4), (16, 8), (22, 8), (24, 8), (75, 16), (79, 16), (143, 24)]
)
def test_a_generic_lattice_has_the_symmetry_of_its_bravais_class(number, order):
    assert len(holohedry(operations(number).rotations)) == order


@pytest.mark.parametrize(("number", "order"), [(146, 12), (195, 48), (196, 48), (197, 48)])
def test_rhombohedral_and_cubic_holohedries(number, order):
    assert len(holohedry(operations(number).rotations)) == order


@pytest.mark.parametrize("number", [2, 15, 70, 148, 194, 230])
def test_rotations_are_orthogonal_in_the_generic_lattice(number):
    rotations = operations(number).rotations
    lattice = generic_lattice(rotations)
    cartesian = lattice.T @ rotations @ np.linalg.inv(lattice.T)
    assert np.allclose(cartesian @ cartesian.transpose(0, 2, 1), np.eye(3))
