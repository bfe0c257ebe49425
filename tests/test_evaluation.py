"""Who scores which rows, what the vote rows decide, and that test rows decide nothing: against numbers made by hand."""

from dataclasses import replace
from types import SimpleNamespace

import numpy as np
import pytest

from jaxboost.crystal.elements import SYMBOLS
from jaxboost.data.dataset import Dataset
from jaxboost.data.splits import Splits
from jaxboost.errors import InputError
from jaxboost.evaluation import Ballot, cast_votes, evaluate, rules_of
from jaxboost.inference import Scored, TrainedMember

ROWS = np.arange(12)
SPLITS = Splits(
    test=ROWS >= 9,
    vote=(ROWS >= 6) & (ROWS < 9),
    fold=np.array([0, 0, 0, 1, 1, 1, -1, -1, -1, -1, -1, -1]),
    ensemble_validation=np.zeros((1, 12), bool),
)
LABELS = np.array([0, 1, 0, 1, 0, 1, 0, 1, 0, 1, 0, 1])
# Whether a member is right: on fold 0 | fold 1 | vote | test rows; '.' where it must not be asked.
RIGHT = {
    "kfold_0": "110|...|100|111",
    "kfold_1": "...|111|100|111",
    "ensemble_0": "...|...|100|111",
    "full": "...|...|110|000",
}
SURE = 4.0  # every logit is plus or minus this
FOUND = {
    "kfold_0": {"best_accuracy": 0.7, "best_epoch": 3},
    "kfold_1": {"best_accuracy": 0.6, "best_epoch": 5},
    "ensemble_0": {"best_accuracy": 0.9, "best_epoch": 1},
    "full": {"best_accuracy": -1.0, "best_epoch": 4},
}
GROUPINGS = {"one": {"a": "all", "b": "all"}}


def logits_of(right: str, labels: np.ndarray) -> np.ndarray:
    """[n, 2] from a line of `RIGHT`; NaN where a member must not be asked."""
    sign = np.array([{"1": 1.0, "0": -1.0, ".": np.nan}[mark] for mark in right.replace("|", "")])
    return SURE * sign[:, None] * np.where(labels[:, None] == np.arange(2), 1.0, -1.0)


class KnownLogits:
    """A scorer that knows the answers, and what it was asked."""

    def __init__(self, right: dict[str, str], labels: np.ndarray) -> None:
        self.logits = {name: logits_of(line, labels) for name, line in right.items()}
        self.asked: dict[str, np.ndarray] = {}

    def __call__(self, members, rows):
        self.asked = {member.name: where for member, where in zip(members, rows, strict=True)}
        return [
            Scored(self.logits[m.name][where], np.full((len(where), 4), 0.25), np.full((len(where), 4, 4), 0.25))
            for m, where in zip(members, rows, strict=True)
        ]


def dataset(labels=LABELS) -> Dataset:
    n = len(labels)
    return Dataset(
        ids=np.array([f"id{i}" for i in range(n)]),
        formulas=np.array([f"F{i}" for i in range(n)]),
        labels=labels,
        classes=("a", "b"),
        features=SimpleNamespace(
            valence_electrons=np.full(n, 8),
            space_group=np.full(n, 225),
            # One orbit a crystal: of element i + 1, with 2 i atoms.
            offset=np.arange(n + 1),
            element=np.arange(1, n + 1),
            multiplicity=2 * np.arange(n),
            band_reason=np.array([f"reason {i}" if i % 2 else "" for i in range(n)]),
        ),
        kept=np.arange(n),
        rejected=(),
        source="made by hand",
        sha256="",
    )


def run(names=tuple(RIGHT), labels=LABELS, right=RIGHT, splits=SPLITS, **options):
    members = [TrainedMember(name, None, None, np.ones(4, bool), None) for name in names]
    scorer = KnownLogits(right, labels)
    options = {"average": "logits", "super_members": "all"} | options
    found = {name: FOUND[name] for name in names}
    return evaluate(members, found, dataset(labels), splits, scorer, groupings=GROUPINGS, **options), scorer


@pytest.fixture(scope="module")
def result():
    return run()[0]


def test_a_member_is_asked_only_for_rows_that_it_did_not_see():
    _, scorer = run()
    asked = {name: sorted(rows) for name, rows in scorer.asked.items()}
    unseen = list(range(6, 12))
    assert asked == {
        "kfold_0": [0, 1, 2, *unseen],
        "kfold_1": [3, 4, 5, *unseen],
        "ensemble_0": unseen,
        "full": unseen,
    }


def test_out_of_fold_is_each_fold_by_its_own_model(result):
    assert result.metrics["out_of_fold"]["n"] == 6
    assert result.metrics["out_of_fold"]["accuracy"] == pytest.approx(5 / 6)
    assert result.metrics["out_of_fold"]["members"] == ["kfold_0", "kfold_1"]
    validation = result.metrics["cross_validation"]
    assert [fold["accuracy"] for fold in validation["folds"]] == pytest.approx([2 / 3, 1])
    assert [fold["best_epoch"] for fold in validation["folds"]] == [3, 5]
    assert validation["accuracy_mean"] == pytest.approx(5 / 6)
    assert validation["accuracy_std"] == pytest.approx((1 / 3) / 2**0.5)


def test_the_vote_rows_choose_the_best_also_against_the_test_rows(result):
    """`full` has 2 of 3 vote rows and no test row, all others 1 of 3 and every test row."""
    assert result.metrics["best"] == "full"
    assert {name: s["accuracy"] for name, s in result.metrics["vote"].items()} == pytest.approx(
        {"kfold_best": 1 / 3, "kfold_vote": 1 / 3, "ensemble": 1 / 3, "full": 2 / 3, "super_ensemble": 1 / 3}
    )
    assert {name: s["accuracy"] for name, s in result.metrics["test"].items()} == pytest.approx(
        {"kfold_best": 1, "kfold_vote": 1, "ensemble": 1, "full": 0, "super_ensemble": 1}
    )
    assert result.metrics["test"]["kfold_best"]["members"] == ["kfold_0"]


def test_the_temperature_is_that_of_the_vote_rows(result):
    """Two of three right with logits +-a: the best T solves sigmoid(2 a / T) = 2 / 3."""
    assert result.ballot.temperatures["full"] == pytest.approx(2 * SURE / np.log(2), rel=1e-3)
    assert result.ballot.temperatures["ensemble"] == pytest.approx(20, rel=1e-3)  # worse than a coin: the limit
    assert result.metrics["vote"]["full"]["log_loss"] == pytest.approx(np.log(3) - 2 / 3 * np.log(2), abs=1e-4)


def test_test_rows_decide_nothing(result):
    flipped = np.where(SPLITS.test, 1 - LABELS, LABELS)
    right = {name: line[:-3] + "010" for name, line in RIGHT.items()}
    other, _ = run(labels=flipped, right=right)
    assert other.ballot == result.ballot
    assert other.metrics["out_of_fold"] == result.metrics["out_of_fold"]
    assert other.metrics["vote"] == result.metrics["vote"]


def test_a_row_of_predictions_belongs_to_its_material(result):
    columns = result.predictions
    assert list(columns) == ["material_id", "split", "label", "p_a", "p_b", "uncertainty", "rule"]
    row = {name: i for i, name in enumerate(columns["material_id"])}
    assert sorted(row) == sorted(f"id{i}" for i in ROWS)
    right = "110111110000"  # fold 0 | fold 1 | vote and test by `full`
    for i in ROWS:
        at = row[f"id{i}"]
        assert columns["split"][at] == ("train" if i < 6 else "vote" if i < 9 else "test")
        assert columns["label"][at] == "ab"[LABELS[i]]
        predicted = int(columns["p_b"][at] > columns["p_a"][at])
        assert (predicted == LABELS[i]) == (right[i] == "1")
        p = np.array([columns["p_a"][at], columns["p_b"][at]])
        assert columns["uncertainty"][at] == pytest.approx(-(p * np.log(p)).sum())
    assert not result.cases.of("test").correct.any()


def test_what_the_report_reads_of_a_row_belongs_to_its_material(result):
    cases = result.cases
    assert cases.ids.tolist() == columns_of(result, "material_id") and cases.split.tolist() == columns_of(
        result, "split"
    )
    for at, name in enumerate(cases.ids):
        i = int(name.removeprefix("id"))
        assert (cases.labels[at], cases.atoms[at], cases.space_group[at]) == (LABELS[i], 2 * i, 225)
        assert cases.elements[at] == {SYMBOLS[i + 1]} and cases.formulas[at] == f"F{i}"
    assert cases.probabilities[:, 1].tolist() == columns_of(result, "p_b")


def columns_of(result, name):
    return np.asarray(result.predictions[name]).tolist()


def test_with_bands_each_row_says_why_its_crystal_has_none():
    columns = run(with_bands=True)[0].predictions
    assert list(columns)[-1] == "without_bands"
    reasons = dict(zip(columns["material_id"], columns["without_bands"], strict=True))
    assert reasons == {f"id{i}": f"reason {i}" if i % 2 else "" for i in ROWS}


def test_a_member_that_is_not_there_is_left_out():
    result, _ = run(names=("kfold_1", "full"))
    assert result.metrics["out_of_fold"]["n"] == 3
    assert list(result.metrics["test"]) == ["kfold_best", "kfold_vote", "full", "super_ensemble"]
    assert result.metrics["test"]["super_ensemble"]["members"] == ["kfold_1", "full"]
    assert sorted(result.predictions["material_id"]) == sorted(f"id{i}" for i in range(3, 12))


def test_without_fold_models_there_is_no_cross_validation():
    result, _ = run(names=("ensemble_0", "full"))
    assert result.metrics["cross_validation"] is None and result.metrics["out_of_fold"] is None
    assert list(result.metrics["test"]) == ["ensemble", "full", "super_ensemble"]
    with pytest.raises(InputError, match="no member"):
        run(names=())


def test_the_super_ensemble_of_the_predecessor_takes_the_best_fold_only():
    result, _ = run(super_members="best")
    assert result.ballot.voters["super_ensemble"] == ["ensemble_0", "kfold_0", "full"]


def test_another_table_is_scored_by_the_ballot_of_the_run(result):
    everything = np.ones(12, bool)
    splits = Splits(everything, ~everything, np.full(12, -1), np.zeros((0, 12), bool))
    right = dict.fromkeys(RIGHT, "111|111|111|110")
    ballot = replace(result.ballot, best="ensemble")
    other, scorer = run(splits=splits, right=right, ballot=ballot)
    assert other.metrics["vote"] is None and other.metrics["out_of_fold"] is None
    assert other.metrics["best"] == "ensemble" and other.ballot is ballot
    assert other.metrics["test"]["full"]["accuracy"] == pytest.approx(11 / 12)
    assert all(sorted(rows) == ROWS.tolist() for rows in scorer.asked.values())
    assert set(other.predictions["split"]) == {"test"}


@pytest.mark.parametrize("average", ["logits", "probabilities"])
def test_a_forecast_against_numbers(average):
    scored = {
        "x": Scored(np.array([[2.0, 0.0]]), np.array([[1.0, 0, 0, 0]]), np.full((1, 4, 4), 0.5)),
        "y": Scored(np.array([[0.0, 4.0]]), np.array([[0, 1.0, 0, 0]]), np.full((1, 4, 4), 0.1)),
    }
    ballot = Ballot(average, "", {"both": ["x", "y"]}, {"both": 2.0}, "both")
    forecast = cast_votes(scored, ballot, "both")
    sigmoid = lambda z: 1 / (1 + np.exp(-z))  # noqa: E731
    if average == "logits":
        expected = sigmoid((1.0 - 2.0) / 2)
    else:
        mean = (sigmoid(2.0) + sigmoid(-4.0)) / 2
        expected = sigmoid(np.log(mean / (1 - mean)) / 2)
    assert forecast.probabilities[0] == pytest.approx([expected, 1 - expected])
    assert forecast.agreement[0] == 0.5
    assert forecast.attention[0] == pytest.approx([0.5, 0.5, 0, 0])
    assert forecast.cross_attention == pytest.approx(np.full((1, 4, 4), 0.3))
    assert 0 < forecast.epistemic[0] <= np.log(2)


def test_rules_are_empty_where_the_electrons_are_unknown():
    features = SimpleNamespace(valence_electrons=np.array([8, -1, 7]), space_group=np.array([225, 225, 225]))
    assert rules_of(features, np.array([2, 1, 0])) == ["metal", "", rules_of(features, np.array([0]))[0]]
