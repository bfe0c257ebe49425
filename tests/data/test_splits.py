import json
from dataclasses import fields

import numpy as np
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from jaxboost.data import Splits, make_splits, splits_from_json, splits_to_json
from jaxboost.errors import InputError

CLASSES = ("trivial", "TI", "HSPSM")


def table(rows=600, seed=0, shares=(0.7, 0.2, 0.1)):
    """Random formulas of 1 to 6 rows, unequal classes, rows of one formula mostly of one class."""
    rng = np.random.default_rng(seed)
    group = np.repeat(np.arange(rows), rng.integers(1, 7, rows))[:rows]
    labels = rng.choice(len(shares), rows, p=shares)
    labels = np.where(rng.random(rows) < 0.85, labels[group], labels)
    order = rng.permutation(rows)
    return np.array([f"X{number}" for number in group])[order], labels[order]


def equal(one, other):
    return all(np.array_equal(getattr(one, field.name), getattr(other, field.name)) for field in fields(Splits))


def parts(splits):
    """Each row's place in every split, as one column a split: rows of a formula must agree in all."""
    return np.stack([splits.test, splits.vote, splits.fold, *splits.ensemble_validation], axis=1)


@given(
    groups=st.lists(st.tuples(st.integers(0, 40), st.integers(0, 3)), min_size=20, max_size=150),
    seed=st.integers(0, 2**31),
    folds=st.integers(2, 5),
    members=st.integers(0, 4),
    own_split=st.booleans(),
)
@settings(max_examples=150, deadline=None)
def test_a_formula_is_never_on_two_sides(groups, seed, folds, members, own_split):
    formulas = [f"F{formula}" for formula, _ in groups]
    labels = np.array([label for _, label in groups])
    split = None
    if own_split:
        split = np.array(["test" if formula % 5 == 0 else "train" for formula, _ in groups])
    try:
        splits = make_splits(
            formulas, labels, split=split, folds=folds, ensemble_members=members, vote_fraction=0.1, seed=seed
        )
    except InputError:
        assume(False)
    places = parts(splits)
    for formula in set(formulas):
        own = places[[name == formula for name in formulas]]
        assert (own == own[0]).all()
    assert not (splits.test & splits.vote).any()
    assert ((splits.fold >= 0) == ~(splits.test | splits.vote)).all()
    assert not splits.ensemble_validation[:, splits.fold < 0].any()
    assert set(splits.fold[splits.fold >= 0]) == set(range(folds))
    assert splits.ensemble_validation.shape == (members, len(labels))
    for held in [splits.fold == fold for fold in range(folds)] + list(splits.ensemble_validation):
        assert set(labels[(splits.fold >= 0) & ~held]) == set(labels)


def test_shares_and_classes_are_kept():
    formulas, labels = table(4000)
    splits = make_splits(formulas, labels)
    counts = np.bincount(labels)
    left = counts - np.bincount(labels[splits.test])
    rest = left - np.bincount(labels[splits.vote])
    # A formula holds at most 6 rows, so no part can be forced further off its share of a class than that.
    assert (np.abs(np.bincount(labels[splits.test]) - 0.15 * counts) <= 3).all()
    assert (np.abs(np.bincount(labels[splits.vote]) - 0.06 * left) <= 3).all()
    for fold in range(5):
        assert (np.abs(np.bincount(labels[splits.fold == fold]) - rest / 5) <= 3).all()
    for held in splits.ensemble_validation:
        assert (np.abs(np.bincount(labels[held]) - 0.2 * rest) <= 3).all()


def test_large_formulas_reach_every_part():
    formulas, labels = table(4000)
    splits = make_splits(formulas, labels)
    size = np.unique(formulas, return_counts=True)[1][np.unique(formulas, return_inverse=True)[1]]
    for part in (splits.test, splits.vote, splits.fold == 0, splits.ensemble_validation[0]):
        assert abs(size[part].mean() / size.mean() - 1) < 0.05


def test_the_given_split_is_the_test():
    formulas, labels = table()
    split = np.where([int(name[1:]) % 4 == 0 for name in formulas], "test", "train")
    np.testing.assert_array_equal(make_splits(formulas, labels, split=split).test, split == "test")


def test_no_test_row_where_none_is_asked_for():
    formulas, labels = table()
    splits = make_splits(formulas, labels, test_fraction=0)
    assert not splits.test.any() and ((splits.fold >= 0) != splits.vote).all()
    assert splits.vote.mean() == pytest.approx(0.06, abs=0.01)
    own = make_splits(formulas, labels, split=np.where(formulas < "X3", "test", "train"), test_fraction=0)
    assert own.test.any(), "the table's own split counts"


def test_the_order_of_the_rows_changes_nothing():
    formulas, labels = table()
    order = np.random.default_rng(1).permutation(len(labels))
    np.testing.assert_array_equal(
        parts(make_splits(formulas[order], labels[order])), parts(make_splits(formulas, labels))[order]
    )


def test_a_seed_gives_one_split_and_another_seed_another():
    formulas, labels = table()
    assert equal(make_splits(formulas, labels, seed=3), make_splits(formulas, labels, seed=3))
    other = parts(make_splits(formulas, labels, seed=3)) != parts(make_splits(formulas, labels, seed=4))
    assert other.any(axis=0).all()


def test_another_member_or_fold_leaves_the_others_as_they_are():
    formulas, labels = table()
    few, many = (make_splits(formulas, labels, ensemble_members=members) for members in (2, 5))
    np.testing.assert_array_equal(parts(few), parts(many)[:, : parts(few).shape[1]])
    assert len(np.unique(many.ensemble_validation, axis=0)) == 5
    other = make_splits(formulas, labels, ensemble_members=2, folds=3)
    np.testing.assert_array_equal(np.delete(parts(few), 2, axis=1), np.delete(parts(other), 2, axis=1))


def test_a_formula_on_both_sides_of_the_given_split_is_named():
    formulas = ["Bi2Se3", "ClNa", "Bi2Se3", "ClNa", "Si"] * 20
    split = np.array(["test", "train", "train", "train", "test"] * 20)
    with pytest.raises(InputError, match="1 formulas on both sides: Bi2Se3;"):
        make_splits(formulas, np.arange(100) % 2, split=split)


@pytest.mark.parametrize("side", ["train", "test"])
def test_a_split_with_one_side_only_is_refused(side):
    formulas, labels = table()
    with pytest.raises(InputError, match=f"'{side}' in every row"):
        make_splits(formulas, labels, split=np.array([side] * len(labels)))


def test_one_class_only_is_named():
    with pytest.raises(InputError, match="one class only: all 50 rows are 'TI'"):
        make_splits([f"F{n}" for n in range(50)], np.ones(50, dtype=int), classes=CLASSES)


def test_a_class_with_fewer_rows_than_folds_is_named_with_its_count():
    formulas, labels = table(shares=(0.8, 0.2))
    split = np.where([int(name[1:]) % 4 == 0 for name in formulas], "test", "train")
    labels[np.flatnonzero(split == "train")[:4]] = 2
    with pytest.raises(InputError, match="'HSPSM' has [34]. Each class needs at least 5"):
        make_splits(formulas, labels, split=split, classes=CLASSES)
    labels[labels == 2] = 0
    with pytest.raises(InputError, match="'HSPSM' has 0"):
        make_splits(formulas, labels, split=split, classes=CLASSES)


def test_a_class_under_one_formula_cannot_be_trained():
    formulas, labels = table(shares=(0.8, 0.2))
    formulas, labels = np.append(formulas, ["W"] * 9), np.append(labels, [2] * 9)
    split = np.where([name.endswith("7") for name in formulas], "test", "train")
    with pytest.raises(InputError, match="no row of class 'HSPSM' to train on: its 9 rows"):
        make_splits(formulas, labels, split=split, classes=CLASSES)


def test_ten_rows_end_in_a_clear_error():
    with pytest.raises(InputError, match="raise config.data.vote_fraction"):
        make_splits([f"F{n}" for n in range(10)], np.arange(10) % 2)
    with pytest.raises(InputError, match="Each class needs at least 5"):
        make_splits([f"F{n}" for n in range(10)], np.arange(10) % 2, vote_fraction=0.2)


def test_a_member_that_would_have_nothing_to_choose_its_epoch_by_is_refused():
    said = r"ensemble member 0 would be validated on no row.*raise config\.ensemble\.validation_fraction"
    with pytest.raises(InputError, match=said):
        make_splits([f"F{n}" for n in range(30)], np.arange(30) % 2, validation_fraction=0.01)


@pytest.mark.parametrize(
    "settings", [{"folds": 1}, {"vote_fraction": 0.0}, {"test_fraction": 1.0}, {"validation_fraction": 1.2}]
)
def test_settings_out_of_range_are_refused(settings):
    formulas, labels = table()
    with pytest.raises(InputError, match="config"):
        make_splits(formulas, labels, **settings)


def test_labels_must_be_indices_of_the_classes():
    for labels in ([-1, 0], [0, 3], [0]):
        with pytest.raises(ValueError, match="label"):
            make_splits(["A", "B"], np.array(labels), classes=CLASSES)


def test_json_goes_there_and_back_in_any_order_of_the_rows():
    formulas, labels = table()
    ids = [f"mp-{number}" for number in range(len(labels))]
    splits = make_splits(formulas, labels)
    stored = json.loads(json.dumps(splits_to_json(splits, ids)))
    assert list(stored) == ["test", "vote", "folds", "ensemble_validation"]
    assert stored["vote"] == [ids[row] for row in np.flatnonzero(splits.vote)]
    assert equal(splits_from_json(stored, ids), splits)
    back = splits_from_json(stored, ids[::-1])
    np.testing.assert_array_equal(parts(back), parts(splits)[::-1])
    none = make_splits(formulas, labels, ensemble_members=0)
    assert equal(splits_from_json(splits_to_json(none, ids), ids), none)


def test_json_of_another_table_is_refused():
    formulas, labels = table()
    ids = [f"mp-{number}" for number in range(len(labels))]
    stored = splits_to_json(make_splits(formulas, labels), ids)
    with pytest.raises(InputError, match=r"1 ids of the table are not in it \['new'\].*another --workdir"):
        splits_from_json(stored, [*ids, "new"])
    with pytest.raises(InputError, match="1 of its ids are not in the table"):
        splits_from_json(stored, [name for name in ids if name != stored["test"][0]])
    with pytest.raises(InputError, match="1 stand twice"):
        splits_from_json(stored | {"vote": [*stored["vote"], stored["test"][0]]}, ids)
    with pytest.raises(InputError, match="1 validation rows are no training rows"):
        splits_from_json(stored | {"ensemble_validation": [[stored["test"][0]]]}, ids)
    del stored["vote"]
    with pytest.raises(InputError, match="damaged"):
        splits_from_json(stored, ids)


def test_a_rare_class_is_rounded_to_the_nearest():
    labels = np.array([0] * 300 + [1] * 10 + [2] * 7)
    splits = make_splits([f"F{n}" for n in range(317)], labels, test_fraction=0.06)
    assert np.bincount(labels[splits.test], minlength=3).tolist() == [18, 1, 0]
