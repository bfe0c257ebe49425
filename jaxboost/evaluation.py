"""From trained members to metrics and predictions: out of fold, vote rows, test rows."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from scipy.special import log_softmax

from jaxboost.crystal.elements import SYMBOLS
from jaxboost.data.dataset import Dataset
from jaxboost.data.splits import Splits
from jaxboost.errors import InputError
from jaxboost.inference import Scored, Scorer, TrainedMember, electorates, fit_temperature, uncertainty, vote
from jaxboost.modalities.features import Features
from jaxboost.physics.filling import verdict
from jaxboost.physics.space_groups import space_group
from jaxboost.reporting.cases import Cases
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
    agreement [n] (share of the members that name the vote's class), modality attention [n, 4] and cross-attention
    [n, 4, 4] (`Scored`).
    """

    probabilities: np.ndarray
    uncertainty: np.ndarray
    epistemic: np.ndarray
    agreement: np.ndarray
    attention: np.ndarray
    cross_attention: np.ndarray


@dataclass(frozen=True)
class Evaluation:
    """Metrics as in `metrics.json` (without data and timing), the columns of `predictions.csv`, the ballot, and the
    scored rows as the report looks at them, in the same order.
    """

    metrics: dict[str, Any]
    predictions: dict[str, Any]
    ballot: Ballot
    cases: Cases


def cast_votes(scored: Mapping[str, Scored], ballot: Ballot, candidate: str) -> Forecast:
    """The forecast of one candidate from what each member says."""
    names = ballot.voters[candidate]
    logits = np.stack([scored[name].logits for name in names])
    attention = np.mean([scored[name].attention for name in names], axis=0)
    cross_attention = np.mean([scored[name].cross_attention for name in names], axis=0)
    temperature = ballot.temperatures[candidate]
    probabilities = np.exp(log_softmax(vote(logits, average=ballot.average) / temperature, axis=-1))
    _, epistemic = uncertainty(logits, temperature)
    entropy = -(probabilities * np.log(np.maximum(probabilities, 1e-12))).sum(-1)
    agreement = (logits.argmax(-1) == probabilities.argmax(-1)).mean(0)
    return Forecast(probabilities, entropy, epistemic, agreement, attention, cross_attention)


def hold_ballot(
    scored: Mapping[str, Scored],
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
        voted = vote(np.stack([scored[name].logits for name in names]), average=average)
        temperatures[candidate] = fit_temperature(voted, labels)
        calibrated = log_softmax(voted / temperatures[candidate], axis=-1)
        losses[candidate] = -calibrated[np.arange(len(labels)), labels].mean()
    return Ballot(average, best_fold, voters, temperatures, min(losses, key=lambda name: losses[name]))


def best_fold(found: Mapping[str, Mapping[str, Any]]) -> str:
    """The fold model with the best validation accuracy, '' where no fold model is among `found`."""
    folds = [name for name in found if name.startswith("kfold_")]
    return max(folds, key=lambda name: found[name]["best_accuracy"], default="")


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
    with_bands: bool = False,
) -> Evaluation:
    """Scores every row that a member may score, once.

    Args:
      members: trained; found: what each one's checkpoint says of its training.
      dataset, splits: as trained on; all score vote and test rows, a fold model its own fold too.
      scorer: of the dataset's rows.
      groupings: name -> {class: group}.
      average: 'logits' or 'probabilities'; super_members: 'all' or 'best'.
      ballot: for another table (no fold, no vote rows): the one that the run held.
      with_bands: tight binding was asked for, so predictions say where it left a crystal out, and why.

    Raises:
      InputError: no member is left to vote.
    """
    if not members:
        raise InputError("no member finished without failing, so there is nothing to vote with")
    vote_rows, test_rows = np.flatnonzero(splits.vote), np.flatnonzero(splits.test)
    own = {m.name: np.flatnonzero(splits.fold == fold_of(m.name)) for m in members if m.name.startswith("kfold_")}
    rows = [np.concatenate([vote_rows, test_rows, own.get(m.name, test_rows[:0])]) for m in members]
    results = dict(zip((m.name for m in members), scorer(members, rows), strict=True))
    v, t = len(vote_rows), len(test_rows)
    on_vote, on_test, on_own = _part(results, 0, v), _part(results, v, v + t), _part(results, v + t, None)
    labels = dataset.labels

    def scores(forecast: Forecast, where: np.ndarray, names: list[str]) -> dict[str, Any]:
        of_rows = labels[where], dataset.formulas[where], dataset.classes
        return score(forecast.probabilities, *of_rows, groupings, members=names)

    metrics: dict[str, Any] = {"cross_validation": None, "out_of_fold": None, "vote": None}
    forecasts: list[tuple[str, np.ndarray, Forecast]] = []
    if ballot is None:
        best = best_fold(found)
        ballot = hold_ballot(on_vote, labels[vote_rows], best_fold=best, average=average, members=super_members)
        on_vote_rows = {candidate: cast_votes(on_vote, ballot, candidate) for candidate in ballot.voters}
        metrics["vote"] = {c: scores(on_vote_rows[c], vote_rows, names) for c, names in ballot.voters.items()}
        forecasts.append(("vote", vote_rows, on_vote_rows[ballot.best]))
        single = {}
        for name in own:
            alone = hold_ballot(
                {name: on_vote[name]}, labels[vote_rows], best_fold=name, average=average, members=super_members
            )
            single[name] = cast_votes(on_own, alone, "kfold_best")
        if single:
            by_fold = {name: scores(forecast, own[name], [name]) for name, forecast in single.items()}
            metrics["cross_validation"] = _cross_validation(by_fold, found)
            trained, forecast = np.concatenate(list(own.values())), _joined(list(single.values()))
            metrics["out_of_fold"] = scores(forecast, trained, list(own))
            forecasts.append(("train", trained, forecast))
    on_test_rows = {candidate: cast_votes(on_test, ballot, candidate) for candidate in ballot.voters}
    metrics["test"] = {c: scores(on_test_rows[c], test_rows, names) for c, names in ballot.voters.items()}
    metrics["best"] = ballot.best
    forecasts.insert(0, ("test", test_rows, on_test_rows[ballot.best]))
    predictions = _predictions(forecasts, dataset, with_bands)
    return Evaluation(metrics, predictions, ballot, _cases(forecasts, dataset))


def fold_of(name: str) -> int:
    """2 of 'kfold_2': the fold on which a fold model is validated."""
    return int(name.removeprefix("kfold_"))


def _part(results: Mapping[str, Scored], start: int, end: int | None) -> dict[str, Scored]:
    return {name: Scored(*(values[start:end] for values in scored)) for name, scored in results.items()}


def _cross_validation(by_fold: Mapping[str, dict[str, Any]], found: Mapping[str, Mapping[str, Any]]) -> dict[str, Any]:
    kept = ("n", "accuracy", "macro_f1", "log_loss", "by_grouping")
    folds = [
        {"member": name, "best_epoch": found[name]["best_epoch"], **{key: fold[key] for key in kept}}
        for name, fold in by_fold.items()
    ]
    accuracies = [fold["accuracy"] for fold in folds]
    return {
        "accuracy_mean": float(np.mean(accuracies)),
        "accuracy_std": float(np.std(accuracies, ddof=1)) if len(accuracies) > 1 else 0.0,
        "folds": folds,
    }


_Forecasts = list[tuple[str, np.ndarray, Forecast]]
"""Of each split: its name, its rows, and what is said of them."""


def _in_one(forecasts: _Forecasts) -> tuple[np.ndarray, np.ndarray, Forecast]:
    """Splits [n], rows [n] and their forecast."""
    sizes = [len(rows) for _, rows, _ in forecasts]
    where = np.concatenate([rows for _, rows, _ in forecasts])
    return np.repeat([split for split, _, _ in forecasts], sizes), where, _joined([one for _, _, one in forecasts])


def _predictions(forecasts: _Forecasts, dataset: Dataset, with_bands: bool) -> dict[str, Any]:
    """The columns of `predictions.csv`."""
    split, where, forecast = _in_one(forecasts)
    return {
        "material_id": dataset.ids[where],
        "split": split,
        "label": [dataset.classes[label] for label in dataset.labels[where]],
        **{f"p_{name}": forecast.probabilities[:, i] for i, name in enumerate(dataset.classes)},
        "uncertainty": forecast.uncertainty,
        "rule": rules_of(dataset.features, where),
        **({"without_bands": dataset.features.band_reason[where]} if with_bands else {}),
    }


def _cases(forecasts: _Forecasts, dataset: Dataset) -> Cases:
    split, where, forecast = _in_one(forecasts)
    features = dataset.features
    orbits = [slice(features.offset[row], features.offset[row + 1]) for row in where]
    return Cases(
        ids=dataset.ids[where],
        split=split,
        formulas=dataset.formulas[where],
        space_group=features.space_group[where].astype(int),
        atoms=np.array([features.multiplicity[own].sum() for own in orbits], int),
        elements=tuple(frozenset(SYMBOLS[element] for element in features.element[own]) for own in orbits),
        labels=dataset.labels[where],
        probabilities=forecast.probabilities,
        uncertainty=forecast.uncertainty,
        attention=forecast.attention,
        cross_attention=forecast.cross_attention,
    )


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
