"""Rows 12 and 13: no crystal on two sides of a split, and no label among the features."""

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from configs import quick
from jaxboost.baselines import boosted_trees
from jaxboost.crystal import Structure, make_crystal
from jaxboost.data.isopointal import relative_columns
from jaxboost.data.leaks import in_words, telling_columns
from jaxboost.errors import InputError
from jaxboost.modalities.features import concatenate
from jaxboost.modalities.featurize import FeaturizerSettings, featurize_one
from jaxboost.modalities.pooled_columns import pooled_columns
from jaxboost.rows import split_table
from tests.crystals import prototype, write_parquet

PAIRS = [(m, x) for m in (3, 11, 19, 37, 12, 20, 38, 13, 31, 49) for x in (9, 17, 35, 8, 16, 34, 7, 15, 33)]
KINDS = ("rocksalt", "zincblende", "cscl")
CLASSES = np.repeat(np.arange(3), len(PAIRS))


@pytest.fixture(scope="module")
def features():
    """Three prototypes of 90 formulas each."""
    settings = FeaturizerSettings(neighbors=6, cutoff=5.0)
    return concatenate([featurize_one(prototype(kind, pair, 5.0), settings) for kind in KINDS for pair in PAIRS])


def another_copy(structure: Structure, rng: np.random.Generator) -> Structure:
    """A supercell, with another origin, rotated, its atoms in another order."""
    size = rng.integers(1, 3, 3)
    corners = np.stack(np.meshgrid(*map(np.arange, size), indexing="ij"), -1).reshape(-1, 3)
    coords = ((structure.frac_coords[:, None] + corners) / size).reshape(-1, 3) + rng.random(3)
    numbers = np.repeat(structure.atomic_numbers, len(corners))
    rotation, _ = np.linalg.qr(rng.normal(size=(3, 3)))
    rotation *= np.sign(np.linalg.det(rotation))
    order = rng.permutation(len(numbers))
    return Structure(size[:, None] * structure.lattice @ rotation.T, coords[order], numbers[order])


@given(seed=st.integers(0, 2**32 - 1), copies=st.integers(1, 3), folds=st.integers(2, 4))
@settings(max_examples=8, deadline=None, derandomize=True, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_no_copy_of_a_crystal_is_on_another_side(tmp_path, seed, copies, folds):
    rng = np.random.default_rng(seed)
    picked = [PAIRS[i] for i in rng.permutation(len(PAIRS))[:24]]
    rows, labels, families = [], [], []
    for number, pair in enumerate(picked):
        own = prototype(KINDS[number % 3], pair, 5.0)
        for copy in range(copies + 1):
            structure = own if copy == 0 else another_copy(own, rng)
            if (
                number == 0
            ):  # what is split by is read from the listed cell, and what is reported from the primitive one
                assert make_crystal(structure).formula == make_crystal(own).formula
            rows.append((f"{number}_{copy}", structure))
            labels.append(KINDS[number % 3])
            families.append(number)
    config = quick.get_config()
    config.data.path = str(write_parquet(tmp_path / "table.parquet", rows, {"topology": labels}))
    config.data.classes, config.data.vote_fraction, config.kfold.folds = (), 0.2, folds
    with config.unlocked():
        config.data.rules, config.data.groupings = {}, {}
    config.seed = int(seed % 1000)
    table, splits = split_table(config, tmp_path)
    assert len(table) == len(rows)
    sides = np.stack([splits.test, splits.vote, splits.fold, *splits.ensemble_validation], axis=1)
    for family in range(len(picked)):
        own = sides[np.array(families) == family]
        assert (own == own[0]).all()
    assert splits.test.any() and splits.vote.any() and set(splits.fold) == set(range(-1, folds))


def test_a_feature_that_is_the_label_is_named(features):
    label = np.random.default_rng(1).integers(0, 3, len(features))
    rows = np.arange(len(features))
    assert telling_columns(features, label, rows) == []
    column = np.where(rows == 7, np.nan, label * -2.5)[:, None].astype(np.float32)  # of one it is not known
    for part in ("scalars", "electrons"):
        leaking = replace(features, **{part: np.concatenate([getattr(features, part), column], axis=1)})
        (found,) = telling_columns(leaking, label, rows)
        assert found.name.startswith(f"{part}.") and 0.99 <= found.accuracy <= 1
        assert found.name in in_words([found])
    assert in_words([]) == ""


def test_what_every_prototype_tells_is_said_and_a_common_class_or_few_rows_are_not(features):
    found = telling_columns(features, CLASSES, np.arange(len(features)))
    assert {"space_group", "scalars.packing_efficiency"} <= {one.name for one in found}
    assert f"{len(found) - 5} more" in in_words(found)
    assert telling_columns(features, (CLASSES == 9).astype(int), np.arange(len(features))) == []
    assert telling_columns(features, CLASSES, np.arange(30)) == []


def test_shuffled_labels_are_at_chance(features):
    """By trees on all that a network reads, relatives of the training rows included; the true ones they do find."""
    held_out = (np.unique(features.formula, return_inverse=True)[1] % 2).astype(bool)
    train, rows = np.flatnonzero(~held_out), np.flatnonzero(held_out)
    shuffled = np.random.default_rng(2).permutation(CLASSES)
    accuracy = {}
    for name, label in (("true", CLASSES), ("shuffled", shuffled)):
        heard = relative_columns(features, label, train, 16, 3)
        columns = np.concatenate([pooled_columns(features).table, heard], axis=1)
        accuracy[name] = boosted_trees(columns, label, train, rows, 0)
    assert accuracy["true"] > 0.99
    chance = np.bincount(shuffled[rows]).max() / len(rows)
    error = np.sqrt(chance * (1 - chance) / len(rows))
    assert abs(accuracy["shuffled"] - chance) < 3.3 * error  # 99.9% of what chance gives


def test_one_row_of_a_formula_cannot_be_put_on_another_side(tmp_path):
    rows = [(f"{i}", prototype(KINDS[i % 3], pair, 5.0)) for i, pair in enumerate(PAIRS[:30])]
    rng = np.random.default_rng(0)
    rows += [(f"copy of {name}", another_copy(structure, rng)) for name, structure in rows]
    split = ["test" if i % 5 == 0 else "train" for i in range(30)]
    config = quick.get_config()
    labels = [KINDS[i % 3] for i in range(30)] * 2
    torn = [*split, "test", *split[1:]]
    torn[31] = "test"
    path = write_parquet(tmp_path / "table.parquet", rows, {"topology": labels, "split": torn})
    config.data.path, config.data.classes, config.data.vote_fraction, config.kfold.folds = str(path), (), 0.2, 2
    with config.unlocked():
        config.data.rules, config.data.groupings = {}, {}
    with pytest.raises(InputError, match="puts 1 formulas on both sides: ClLi"):
        split_table(config, tmp_path)
