"""Rows that stand together: no group on two sides, families in closed form, whole formulas drawn."""

import numpy as np
import pytest

from benchmarks.row_sets import FAMILIES, draw_groups, elements_of, folds_by_group, harder_splits, with_family
from jaxboost.crystal import reduced_formula
from jaxboost.data.materials import read_table
from tests.crystals import prototype, write_parquet

METALS, ANIONS = (12, 20, 38, 57, 60), (8, 16, 9, 17)


@pytest.fixture(scope="module")
def table(tmp_path_factory):
    """20 systems of two elements, each with two crystals of one formula."""
    pairs = [(metal, anion) for metal in METALS for anion in ANIONS]
    rows = [
        (f"m{i}{name}", prototype(name, pair, 5.0))
        for i, pair in enumerate(pairs)
        for name in ("rocksalt", "zincblende")
    ]
    path = write_parquet(
        tmp_path_factory.mktemp("table") / "table.parquet", rows, {"topology": ["a", "b"] * len(pairs)}
    )
    return read_table(str(path), label_column="topology", classes=("a", "b"))


def test_no_chemical_system_stands_in_two_folds(table):
    elements = elements_of(table, np.arange(len(table)))
    assert elements[0] == elements[1] == {12, 8}
    rows = np.arange(3, len(table))
    folds = folds_by_group(elements, rows, 5, 0)
    assert sorted(np.concatenate(folds).tolist()) == rows.tolist()
    systems = [{elements[row] for row in fold} for fold in folds]
    assert sum(map(len, systems)) == len(set.union(*systems)) == len({elements[row] for row in rows})
    assert [fold.tolist() for fold in folds_by_group(elements, rows, 5, 0)] == [fold.tolist() for fold in folds]


def test_a_family_is_held_out_whole():
    assert with_family([{12, 8}, {9, 12}, {57}, {17, 60}], FAMILIES["halogens"]).tolist() == [False, True, False, True]
    assert {name: len(FAMILIES[name]) for name in ("lanthanides", "halogens", "5d metals")} == {
        "lanthanides": 15,
        "halogens": 5,
        "5d metals": 9,
    }
    assert with_family([{71}, {72}, {80}, {81}], FAMILIES["5d metals"]).tolist() == [False, True, True, False]


def test_whole_formulas_are_drawn_until_there_are_enough():
    groups, rows = np.repeat(np.array(list("abcdef")), 3), np.arange(3, 18)
    for count, expected in ((1, 3), (3, 3), (4, 6), (15, 15), (99, 15)):
        drawn = draw_groups(groups, rows, count, np.random.default_rng(1))
        assert len(drawn) == expected and set(drawn) <= set(rows) and (np.diff(drawn) > 0).all()
        assert all((groups[drawn] == name).sum() == 3 for name in groups[drawn])
    assert set(map(str, groups[draw_groups(groups, rows, 6, np.random.default_rng(2))])) != {"b", "c"}


def test_each_split_keeps_its_groups_apart_and_leaves_test_and_vote_rows_alone(table):
    elements = elements_of(table, np.arange(len(table)))
    formulas = np.array([reduced_formula(structure.atomic_numbers) for structure in table.structures])
    fold = np.repeat(np.arange(20) % 5, 2)
    fold[-4:] = -1
    found = harder_splits(fold, formulas, elements, sizes=[6], folds=5, families=["halogens"], seed=0)
    assert [split.title for split in found] == [
        "by formula, 6 rows to train",
        "by formula, all 28 rows to train",
        *["by chemical system"] * 5,
        "without halogens",
    ]
    for split in found:
        assert (fold[np.concatenate([split.train, split.held])] >= 0).all()
        assert not {elements[row] for row in split.train} & {elements[row] for row in split.held}
    seen = frozenset().union(*(elements[row] for row in found[-1].train))
    assert seen == {*METALS, 8, 16} and len(found[-1].train) + len(found[-1].held) == 36
