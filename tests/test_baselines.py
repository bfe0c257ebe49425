"""The simple models that a network is compared with: on tables whose answers are known."""

import numpy as np
import pytest

from jaxboost import baselines as of
from jaxboost.baselines import baseline_lines, baselines, boosted_trees, on_test_rows
from jaxboost.data.dataset import Dataset
from jaxboost.data.splits import Splits
from jaxboost.modalities.featurize import FeaturizerSettings, featurize
from tests.crystals import prototype


@pytest.fixture(scope="module")
def dataset() -> Dataset:
    """Twelve crystals: six rock salts of class 0, six caesium chlorides of class 1 but for one."""
    pairs = [(m, x) for m in (3, 11, 19) for x in (9, 17)]
    structures = [prototype(name, pair, 4.5) for name in ("rocksalt", "cscl") for pair in pairs]
    features, kept, _ = featurize(structures, FeaturizerSettings(neighbors=4, cutoff=5.0))
    ids = np.array([f"{'rocksalt' if i < 6 else 'cscl'}_{i:05d}" for i in kept])
    labels = np.array([0] * 6 + [1] * 5 + [0])
    return Dataset(ids, features.formula, labels, ("a", "b"), features, kept, (), "embedded", "")


def test_trees_find_a_threshold():
    x = np.linspace(0, 1, 200)[:, None]
    labels = (x[:, 0] > 0.5).astype(int)
    rows = np.arange(200)
    assert boosted_trees(x, labels, rows[::2], rows[1::2], seed=0) > 0.97


def test_look_ups_are_fitted_on_the_training_rows_alone(dataset, monkeypatch):
    monkeypatch.setattr(of, "boosted_trees", lambda columns, labels, train, rows, seed: float(columns.shape[1]))
    found = baselines(dataset, np.arange(11), np.arange(6, 12), seed=0, relatives=4)
    assert found["majority"] == pytest.approx(1 / 6) and found["prototype"] == pytest.approx(5 / 6)
    assert found["elements"] < dataset.features.scalars.shape[1]
    fold = np.array([0] * 11 + [-1])
    splits = Splits(fold < 0, np.zeros(12, bool), fold, np.zeros((0, 12), bool))
    assert on_test_rows(dataset, splits, 0, 4)["prototype"] == 0.0  # the test row is the exception of its prototype
    text = baseline_lines(found)
    assert "a look-up by prototype" in text and "83.33" in text and all(len(line) <= 80 for line in text.splitlines())
