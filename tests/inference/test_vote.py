"""The vote and its temperature, against hand-made numbers."""

import numpy as np
import pytest
from scipy.special import log_softmax, softmax

from jaxboost.inference import electorates, fit_temperature, uncertainty, vote

NAMES = ["kfold_0", "kfold_1", "ensemble_0", "full"]


def test_electorates():
    best = electorates(NAMES, "kfold_1", members="best")
    assert best["super_ensemble"] == ["ensemble_0", "kfold_1", "full"]
    assert electorates(NAMES, "kfold_1", members="all")["super_ensemble"] == [
        "ensemble_0",
        "kfold_0",
        "kfold_1",
        "full",
    ]
    assert best["kfold_best"] == ["kfold_1"] and best["kfold_vote"] == ["kfold_0", "kfold_1"]
    assert "full" not in electorates(NAMES[:3], "kfold_0", members="all")


def test_means_of_logits_and_of_probabilities():
    logits = np.array([[[2.0, 0.0]], [[0.0, 4.0]]])
    np.testing.assert_allclose(vote(logits, average="logits"), log_softmax([[1.0, 2.0]], -1))
    expected = (softmax([2.0, 0.0]) + softmax([0.0, 4.0])) / 2
    np.testing.assert_allclose(np.exp(vote(logits, average="probabilities"))[0], expected)


def test_uncertainty_of_one_member_is_all_in_itself():
    logits = np.random.default_rng(0).normal(size=(1, 6, 3))
    total, epistemic = uncertainty(logits, 1.0)
    np.testing.assert_allclose(epistemic, 0, atol=1e-12)
    assert (total > 0).all() and (total <= np.log(3)).all()


def test_members_that_contradict_each_other_are_epistemic():
    logits = np.array([[[50.0, 0.0]], [[0.0, 50.0]]])
    total, epistemic = uncertainty(logits, 1.0)
    assert total[0] == pytest.approx(np.log(2)) and epistemic[0] == pytest.approx(np.log(2))


def test_the_temperature_is_found_again():
    rng = np.random.default_rng(1)
    truth = rng.normal(size=(20_000, 4)) * 2
    labels = (rng.random((20_000, 1)) > softmax(truth, -1).cumsum(1)).sum(1).clip(0, 3)
    assert fit_temperature(truth * 3, labels) == pytest.approx(3, rel=0.05)
