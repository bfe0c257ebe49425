"""From trained members to metrics and predictions: out of fold, vote rows, test rows."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from scipy.special import log_softmax

from jaxboost.data.dataset import Dataset
from jaxboost.data.splits import Splits
from jaxboost.errors import InputError
from jaxboost.inference import Scorer, TrainedMember, electorates, fit_temperature, uncertainty, vote
from jaxboost.modalities.featurize import Features
from jaxboost.physics.filling import verdict
from jaxboost.physics.space_groups import space_group
from jaxboost.reporting.metrics import score


@dataclass(frozen=True)
class Ballot:
    """How the trained members vote: what the vote rows decided.

    Attributes:
      average: 'logits' or 'probabilities'.
      best_fold: the fold model with the best validation accuracy.
      voters: names of each candidate's members.
      temperatures: of each candidate.
      best: the candidate with the least log loss on the vote rows.
    """

    average: str
    best_fold: str
    voters: dict[str, list[str]]
    temperatures: dict[str, float]
    best: str


@dataclass(frozen=True)
class Forecast:
    """Predictions for n materials: probabilities [n, class], total and epistemic uncertainty [n] in nats,
    agreement [n] (share of the members that name the vote's class) and modality attention [n, 4].
    """

    probabilities: np.ndarray
    uncertainty: np.ndarray
    epistemic: np.ndarray
    agreement: np.ndarray
    attention: np.ndarray


@dataclass(frozen=True)
class Evaluation:
    """Metrics as in `metrics.json` (without data and timing), the columns of `predictions.csv`, the ballot, and what
    the report draws of the test rows: forecast of the best candidate and labels.
    """

    metrics: dict[str, Any]
    predictions: dict[str, Any]
    ballot: Ballot
    forecast: Forecast
    labels: np.ndarray


def cast_votes(scored: Mapping[str, tuple[np.ndarray, np.ndarray]], ballot: Ballot, candidate: str) -> Forecast:
    """The forecast of one candidate from {member: (logits [n, class], attention [n, 4])}."""
    names = ballot.voters[candidate]
    logits = np.stack([scored[name][0] for name in names])
    attention = np.mean([scored[name][1] for name in names], axis=0)
    temperature = ballot.temperatures[candidate]
    probabilities = np.exp(log_softmax(vote(logits, average=ballot.average) / temperature, axis=-1))
    _, epistemic = uncertainty(logits, temperature)
    entropy = -(probabilities * np.log(np.maximum(probabilities, 1e-12))).sum(-1)
    agreement = (logits.argmax(-1) == probabilities.argmax(-1)).mean(0)
    return Forecast(probabilities, entropy, epistemic, agreement, attention)


def hold_ballot(
    scored: Mapping[str, tuple[np.ndarray, np.ndarray]],
    labels: np.ndarray,
    *,
    best_fold: str,
    average: str,
    members: str,
) -> Ballot:
    """Fits each candidate's temperature and chooses the best, all on the vote rows that `scored` holds."""
    voters = electorates(list(scored), best_fold, members=members)
    temperatures, losses = {}, {}
    for candidate, names in voters.items():
        voted = vote(np.stack([scored[name][0] for name in names]), average=average)
        temperatures[candidate] = fit_temperature(voted, labels)
        calibrated = log_softmax(voted / temperatures[candidate], axis=-1)
        losses[candidate] = -calibrated[np.arange(len(labels)), labels].mean()
    return Ballot(average, best_fold, voters, temperatures, min(losses, key=lambda name: losses[name]))


def evaluate(
    members: list[TrainedMember],
    found: Mapping[str, Mapping[str, Any]],
    dataset: Dataset,
    splits: Splits,
    scorer: Scorer,
    *,
    groupings: Mapping[str, Mapping[str, str]],
    average: str,
    super_members: str,
    ballot: Ballot | None = None,
) -> Evaluation:
    """Scores every row that a member may score, once.

    Args:
      members: trained; found: what each one's checkpoint says of its training.
      dataset, splits: as trained on; all score vote and test rows, a fold model its own fold too.
      scorer: of the dataset's rows.
      groupings: name -> {class: group}.
      average: 'logits' or 'probabilities'; super_members: 'all' or 'best'.
      ballot: for another table (no fold, no vote rows): the one that the run held.

    Raises:
      InputError: no member is left to vote.
    """
    if not members:
        raise InputError("no member finished without failing, so there is nothing to vote with")
    vote_rows, test_rows = np.flatnonzero(splits.vote), np.flatnonzero(splits.test)
    own = {m.name: np.flatnonzero(splits.fold == int(m.name[6:])) for m in members if m.name.startswith("kfold_")}
    rows = [np.concatenate([vote_rows, test_rows, own.get(m.name, test_rows[:0])]) for m in members]
    results = dict(zip((m.name for m in members), scorer(members, rows), strict=True))
    v, t = len(vote_rows), len(test_rows)
    at = lambda a, b: {n: (x[a:b], y[a:b]) for n, (x, y) in results.items()}  # noqa: E731
    on_vote, on_test = at(0, v), at(v, v + t)
    labels = dataset.labels

    def scores(probabilities: np.ndarray, where: np.ndarray, names: list[str]) -> dict[str, Any]:
        return score(probabilities, labels[where], dataset.formulas[where], dataset.classes, groupings, members=names)

    metrics: dict[str, Any] = {"cross_validation": None, "out_of_fold": None, "vote": None}
    forecasts: list[tuple[np.ndarray, Forecast]] = []
    if ballot is None:
        best_fold = max(own, key=lambda name: found[name]["best_accuracy"])
        ballot = hold_ballot(on_vote, labels[vote_rows], best_fold=best_fold, average=average, members=super_members)
        on_own = at(v + t, None)
        single = {}
        for name, where in own.items():
            temperature = fit_temperature(on_vote[name][0], labels[vote_rows])
            alone = Ballot(average, best_fold, {name: [name]}, {name: temperature}, name)
            single[name] = (where, cast_votes(on_own, alone, name))
        folds = []
        for name, (where, forecast) in single.items():
            fold = scores(forecast.probabilities, where, [name])
            kept = ("n", "accuracy", "macro_f1", "log_loss", "by_grouping")
            folds.append({"member": name, "best_epoch": found[name]["best_epoch"], **{k: fold[k] for k in kept}})
        accuracies = [fold["accuracy"] for fold in folds]
        metrics["cross_validation"] = {
            "accuracy_mean": float(np.mean(accuracies)),
            "accuracy_std": float(np.std(accuracies, ddof=1)) if len(accuracies) > 1 else 0.0,
            "folds": folds,
        }
        trained = np.concatenate([where for where, _ in single.values()])
        out_of_fold = _joined([forecast for _, forecast in single.values()])
        metrics["out_of_fold"] = scores(out_of_fold.probabilities, trained, list(own))
        metrics["vote"] = {
            c: scores(cast_votes(on_vote, ballot, c).probabilities, vote_rows, names)
            for c, names in ballot.voters.items()
        }
        forecasts = [(vote_rows, cast_votes(on_vote, ballot, ballot.best)), (trained, out_of_fold)]
    tests = {c: cast_votes(on_test, ballot, c) for c in ballot.voters}
    metrics["test"] = {c: scores(tests[c].probabilities, test_rows, names) for c, names in ballot.voters.items()}
    metrics["best"] = ballot.best
    forecasts.insert(0, (test_rows, tests[ballot.best]))
    where = np.concatenate([rows for rows, _ in forecasts])
    parts = np.repeat(["test", "vote", "train"][: len(forecasts)], [len(rows) for rows, _ in forecasts])
    forecast = _joined([f for _, f in forecasts])
    predictions = {
        "material_id": dataset.ids[where],
        "split": parts,
        "label": [dataset.classes[label] for label in labels[where]],
        **{f"p_{name}": forecast.probabilities[:, i] for i, name in enumerate(dataset.classes)},
        "uncertainty": forecast.uncertainty,
        "rule": rules_of(dataset.features, where),
    }
    return Evaluation(metrics, predictions, ballot, tests[ballot.best], labels[test_rows])


def rules_of(features: Features, rows: np.ndarray) -> list[str]:
    """The verdict of the symmetry rules for each of `rows`; empty where the electrons are not known."""
    verdicts = []
    for row in rows:
        nu = int(features.valence_electrons[row])
        verdicts.append("" if nu < 0 else verdict(nu, space_group(int(features.space_group[row]))))
    return verdicts


def _joined(forecasts: list[Forecast]) -> Forecast:
    names = Forecast.__dataclass_fields__
    return Forecast(**{name: np.concatenate([getattr(f, name) for f in forecasts]) for name in names})
