"""Groups of rows and cases, against rows made by hand."""

import numpy as np
import pytest

from jaxboost.reporting.cases import Cases, hardest, surest
from jaxboost.reporting.groups import by_crystal_system, by_element, by_size, by_space_group, crystal_system

# Label, probability of class 1, split, space group, atoms, elements.
ROWS = [
    (0, 0.1, "test", 225, 2, "Na Cl"),
    (1, 0.2, "test", 225, 2, "Na F"),
    (1, 0.9, "train", 166, 5, "Bi Te"),
    (0, 0.99, "train", 2, 70, "Bi"),
    (0, 0.999, "vote", 194, 3, "C"),
    (0, 0.98, "train", 2, 70, "Bi"),
]


@pytest.fixture
def cases():
    label, p, split, group, atoms, elements = (np.array(column) for column in zip(*ROWS, strict=True))
    n = len(ROWS)
    return Cases(
        ids=np.array([f"id{row}" for row in range(n)]),
        split=split,
        formulas=elements,
        space_group=group,
        atoms=atoms,
        elements=tuple(frozenset(own.split()) for own in elements),
        labels=label,
        probabilities=np.stack([1 - p, p], axis=1),
        uncertainty=np.zeros(n),
        attention=np.zeros((n, 4)),
        cross_attention=np.zeros((n, 4, 4)),
    )


def test_the_bounds_of_the_crystal_systems():
    bounds = [1, 2, 3, 15, 16, 74, 75, 142, 143, 167, 168, 194, 195, 230]
    systems = ["triclinic", "monoclinic", "orthorhombic", "tetragonal", "trigonal", "hexagonal", "cubic"]
    assert [crystal_system(number) for number in bounds] == [name for name in systems for _ in range(2)]


def test_a_group_holds_its_own_rows(cases):
    groups = {group.name: group for group in by_crystal_system(cases)}
    assert list(groups) == ["triclinic", "trigonal", "hexagonal", "cubic"]
    cubic = groups["cubic"]
    assert (cubic.rows, cubic.accuracy) == (2, 0.5) and 0 < cubic.low < 0.5 < cubic.high < 1
    assert cubic.log_loss == pytest.approx(-(np.log(0.9) + np.log(0.2)) / 2)
    assert [(group.name, group.rows) for group in by_space_group(cases)] == [
        ("2", 2), ("225", 2), ("166", 1), ("194", 1),
    ]  # fmt: skip
    assert [(group.name, group.rows) for group in by_size(cases)] == [
        ("1 to 2", 2), ("3 to 4", 1), ("5 to 8", 1), ("more than 64", 2),
    ]  # fmt: skip
    elements = {group.name: (group.rows, group.accuracy) for group in by_element(cases)}
    assert elements == {"Bi": (3, 1 / 3), "C": (1, 0), "Cl": (1, 1), "F": (1, 0), "Na": (2, 0.5), "Te": (1, 1)}


def test_the_hardest_and_the_surest_are_held_out_rows(cases):
    """The vote row is both, but the vote was chosen on it; of two of one formula and space group the first counts."""
    found = hardest(cases, ("a", "b"), 2)
    assert [(case.id, case.split, case.label, case.prediction, case.is_right) for case in found] == [
        ("id3", "out of fold", "a", "b", False),
        ("id1", "test", "b", "a", False),
    ]
    assert found[0].probabilities == pytest.approx({"a": 0.01, "b": 0.99})
    assert (found[0].space_group, found[0].atoms, found[0].formula) == (2, 70, "Bi")
    assert [case.id for case in surest(cases, ("a", "b"), 10)] == ["id3", "id0", "id2", "id1"]


def test_the_rows_of_a_split_stay_together(cases):
    own = cases.of("train")
    assert own.ids.tolist() == ["id2", "id3", "id5"] and own.elements[:2] == (
        frozenset({"Bi", "Te"}),
        frozenset({"Bi"}),
    )
    assert own.correct.tolist() == [True, False, False]
