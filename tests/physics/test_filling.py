"""The rules of electron filling on every branch."""

import os
from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from jaxboost.errors import InputError
from jaxboost.physics.filling import (
    VERDICTS,
    allowed_classes,
    has_atomic_insulator,
    is_forbidden,
    smallest_filling,
    verdict,
)
from jaxboost.physics.space_groups import space_group


@pytest.mark.parametrize(
    ("electrons", "number", "allowed", "code"),
    [
        (7, 225, (False, False, True), "metal"),
        (4, 62, (False, False, True), "semimetal"),
        (8, 1, (True, False, False), "trivial"),
        (8, 2, (True, True, False), "no semimetal"),
        (8, 19, (True, False, True), "no insulator"),
        (8, 227, (True, True, True), "undecided"),
        (4, 199, (True, False, True), "no insulator"),
    ],
)
def test_every_branch(electrons, number, allowed, code):
    group = space_group(number)
    assert allowed_classes(electrons, group) == allowed
    assert verdict(electrons, group) == code


@given(st.integers(0, 4000), st.integers(1, 230))
def test_consistency(electrons, number):
    group = space_group(number)
    allowed = allowed_classes(electrons, group)
    assert any(allowed) and verdict(electrons, group) in VERDICTS
    assert is_forbidden(electrons, group) == (not allowed[0]) == (electrons % group.filling_step > 0)
    assert allowed_classes(electrons + group.filling_step, group) == allowed
    if electrons % 2:
        assert verdict(electrons, group) == "metal"


def test_a_supercell_multiplies_the_filling():
    # Why the primitive cell comes first: two cells of a forbidden crystal look allowed.
    group = space_group(62)
    assert is_forbidden(4, group) and not is_forbidden(8, group)


def test_the_figures_decide():
    group = space_group(227)
    assert allowed_classes(8, replace(group, indicator_order=1)) == (True, False, True)
    assert allowed_classes(8, replace(group, compatibility_freedom=0)) == (True, True, False)
    assert allowed_classes(8, replace(group, filling_step=3)) == (False, False, True)


@pytest.mark.parametrize("electrons", [-2, 2.5, float("nan"), float("inf")])
def test_counts_that_are_none(electrons):
    with pytest.raises(InputError, match="whole number"):
        is_forbidden(electrons, space_group(1))


def test_labelled_crystals():
    folder = os.environ.get("JAXBOOST_DATA") or Path(__file__).resolve().parents[2].parent / "shared" / "data"
    path = Path(folder) / "topomat" / "materials.parquet"
    if not path.exists():
        pytest.skip("no labelled table under JAXBOOST_DATA nor in ../shared/data")
    parquet = pytest.importorskip("pyarrow.parquet")
    columns = ["valence_electrons", "space_group_number", "topology"]
    table = parquet.read_table(path, columns=columns).to_pydict()
    groups = [space_group(number) for number in table["space_group_number"]]
    picked: dict[str, int] = {}
    decided: dict[str, int] = {}
    for electrons, group, label in zip(table["valence_electrons"], groups, table["topology"], strict=True):
        code = verdict(electrons, group)
        if code == "semimetal":
            picked[label] = picked.get(label, 0) + 1
        if code == "trivial":
            decided[label] = decided.get(label, 0) + 1
    assert picked == {"HSPSM": 1758, "HSLSM": 318}
    assert set(decided) == {"trivial"}


def test_multiples_of_the_step_that_no_atomic_insulator_has():
    # The exceptions that Watanabe, Po, Zaletel and Vishwanath name, PRL 117, 096404 (2016), and no others.
    missing = {}
    for number in range(1, 231):
        group = space_group(number)
        multiples = range(group.filling_step, 25 * group.filling_step, group.filling_step)
        for electrons in multiples:
            if not has_atomic_insulator(electrons, group):
                missing.setdefault(number, []).append(electrons)
        assert not any(has_atomic_insulator(n, group) for n in range(60) if n % group.filling_step)
        assert has_atomic_insulator(0, group) and has_atomic_insulator(smallest_filling(group), group)
        assert not any(has_atomic_insulator(n, group) for n in range(1, smallest_filling(group)))
    assert missing == {199: [4], 214: [4], 220: [4, 8, 20], 230: [8]}
