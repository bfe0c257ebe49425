import moyopy
import numpy as np
import pytest

from jaxboost.crystal.point_groups import POINT_GROUPS, point_group_symbol

# The first and the last space group of each crystal class, in the order of POINT_GROUPS.
CLASSES = [
    (1, 1), (2, 2), (3, 5), (6, 9), (10, 15), (16, 24), (25, 46), (47, 74), (75, 80), (81, 82), (83, 88),
    (89, 98), (99, 110), (111, 122), (123, 142), (143, 146), (147, 148), (149, 155), (156, 161), (162, 167),
    (168, 173), (174, 174), (175, 176), (177, 182), (183, 186), (187, 190), (191, 194), (195, 199),
    (200, 206),
    (207, 214), (215, 220), (221, 230),
]  # fmt: skip


def rotations_of(number: int) -> np.ndarray:
    return np.array(moyopy.operations_from_number(number, primitive=True).rotations)


def test_there_are_thirty_two():
    assert len(POINT_GROUPS) == len(set(POINT_GROUPS)) == len(CLASSES) == 32


def test_every_space_group_belongs_to_the_class_of_the_international_tables():
    # The classes are consecutive ranges of space-group numbers.
    ranges = {number: symbol for symbol, (low, high) in zip(POINT_GROUPS, CLASSES, strict=True)
              for number in range(low, high + 1)}  # fmt: skip
    assert len(ranges) == 230
    assert {number: point_group_symbol(rotations_of(number)) for number in range(1, 231)} == ranges


@pytest.mark.parametrize("number", [115, 189, 166, 225])
def test_neither_basis_nor_order_matters(number):
    basis = np.array([[1, 1, 0], [0, 1, 2], [0, 0, 1]])
    inverse = np.rint(np.linalg.inv(basis)).astype(int)
    rotations = inverse @ rotations_of(number)[::-1] @ basis
    assert point_group_symbol(rotations) == point_group_symbol(rotations_of(number))


def test_both_settings_of_one_class_have_one_symbol():
    assert {point_group_symbol(rotations_of(n)) for n in (111, 115)} == {"-42m"}
    assert {point_group_symbol(rotations_of(n)) for n in (187, 189)} == {"-6m2"}


def test_what_is_no_group_is_refused():
    with pytest.raises(ValueError, match="form no crystallographic point group"):
        point_group_symbol(rotations_of(225)[:-1])
    stretch = np.diag([1, 1, 3])[None]
    with pytest.raises(ValueError, match="not a rotation of a lattice"):
        point_group_symbol(stretch)
