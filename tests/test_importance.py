"""What a vote loses without a part, against a scorer whose logits are known."""

from types import SimpleNamespace

import numpy as np
import pytest

from jaxboost.evaluation import Ballot
from jaxboost.importance import permutation_importance
from jaxboost.inference import PARTS, Scored

LABELS = np.array([0, 1, 0, 1])
SURE = 2.0
RIGHT = SURE * np.where(LABELS[:, None] == np.arange(2), 1.0, -1.0)
BALLOT = Ballot("logits", "", {"full": ["full"], "ensemble": ["ensemble_0"]}, {"full": 1.0, "ensemble": 1.0}, "full")
MEMBERS = [SimpleNamespace(name="full"), SimpleNamespace(name="ensemble_0")]


def importance(rows: int):
    """Without its scalars the vote is always wrong, without the rules it knows nothing."""
    calls = []
    repeats = rows // len(LABELS)

    def scorer(members, where, shuffle):
        calls.append(([member.name for member in members], shuffle))
        factor = {"scalars": -1, "rules": 0}.get(shuffle.part if shuffle else "", 1)
        logits = np.tile(factor * RIGHT, (repeats, 1))
        return [Scored(logits, np.zeros((rows, 4)), np.zeros((rows, 4, 4)))]

    labels, formulas = np.tile(LABELS, repeats), np.arange(rows).astype(str)
    return permutation_importance(MEMBERS, BALLOT, scorer, np.arange(rows), labels, formulas), calls


def test_what_is_lost_without_each_part():
    found, calls = importance(4)
    assert list(found["parts"]) == list(PARTS) and found["rows"] == 4
    loss = np.log1p(np.exp(-2 * SURE))
    assert found["parts"]["scalars"]["log_loss"] == pytest.approx(2 * SURE)  # log(1 + e^x) - log(1 + e^-x) = x
    assert found["parts"]["scalars"]["accuracy"] == -1
    assert found["parts"]["rules"]["log_loss"] == pytest.approx(np.log(2) - loss)
    for part in ("crystal", "kspace", "electrons", "relatives"):
        assert found["parts"][part] == {"log_loss": 0, "log_loss_se": 0, "accuracy": 0, "accuracy_se": 0}
    assert all(names == ["full"] for names, _ in calls)  # the best candidate is asked, nobody else


def test_few_rows_are_shuffled_several_times_and_many_once():
    few, calls = importance(4)
    assert few["shuffles"] == 5 and len(calls) == 1 + 5 * len(PARTS)
    assert {shuffle.seed for _, shuffle in calls if shuffle} == set(range(5))
    many, calls = importance(600)
    assert many["shuffles"] == 1 and len(calls) == 1 + len(PARTS)
