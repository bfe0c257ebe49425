"""The roster: who trains on which rows, and whose labels each member knows."""

import numpy as np
import pytest

from configs import quick
from jaxboost.data.splits import Splits
from jaxboost.modalities.features import concatenate
from jaxboost.modalities.featurize import FeaturizerSettings, featurize_one
from jaxboost.training.roster import make_roster, reference_rows
from tests.crystals import prototype

PAIRS = [(11, 17), (11, 35), (19, 17), (12, 8), (20, 16), (3, 9), (37, 35), (38, 34)]
SPLITS = Splits(
    test=np.array([1, 0, 0, 0, 0, 0, 0, 0], bool),
    vote=np.array([0, 1, 0, 0, 0, 0, 0, 0], bool),
    fold=np.array([-1, -1, 0, 1, 0, 1, 0, 1]),
    ensemble_validation=np.array([[0, 0, 0, 0, 0, 0, 1, 1]], bool),
)


@pytest.fixture(scope="module")
def features():
    settings = FeaturizerSettings(neighbors=6, cutoff=5.0)
    return concatenate([featurize_one(prototype("rocksalt", pair, 5.6), settings) for pair in PAIRS])


@pytest.fixture
def config():
    config = quick.get_config()
    config.kfold.folds, config.ensemble.members = 2, 1
    return config


def test_a_member_knows_the_labels_of_its_own_training_rows_alone(config, features):
    rows = reference_rows(SPLITS)
    assert rows.tolist() == [2, 3, 4, 5, 6, 7]  # neither test nor vote rows
    members = {member.name: member for member in make_roster(config, SPLITS, features)}
    assert {name: rows[member.normalizer.known].tolist() for name, member in members.items()} == {
        "kfold_0": [3, 5, 7],
        "kfold_1": [2, 4, 6],
        "ensemble_0": [2, 3, 4, 5],
        "full": [2, 3, 4, 5, 6, 7],
    }
    for member in members.values():
        assert rows[member.normalizer.known].tolist() == member.train.tolist()


def test_without_relatives_nobody_knows_a_label(config, features):
    config.data.relatives = 0
    assert not any(member.normalizer.known.any() for member in make_roster(config, SPLITS, features))


def test_a_normalizer_is_fitted_on_the_training_rows_alone(config, features):
    for member in make_roster(config, SPLITS, features):
        expected = features.scalars[member.train].astype(float).mean(0)
        known = np.isfinite(expected)
        np.testing.assert_allclose(member.normalizer.scalars_mean[known], expected[known], rtol=1e-4, atol=1e-5)
