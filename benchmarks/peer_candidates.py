"""The candidates that `benchmarks.peers` compares: peers fitted fold by fold, and what a finished run predicted."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from time import perf_counter

import numpy as np

from benchmarks.compare_runs import read_predictions
from benchmarks.peer_scores import Candidate
from benchmarks.peer_task import Fitted, Task, hearing
from jaxboost.console import say
from jaxboost.data.dataset import Dataset
from jaxboost.errors import InputError
from jaxboost.evaluation import cast_votes
from jaxboost.finished_run import config_of, present, reference_of, restore_members, scorer_of, vote_of
from jaxboost.run_folder import read_json

Fit = Callable[[Task, np.ndarray], Fitted]


@dataclass(frozen=True, eq=False)
class Peer:
    """What was measured of one peer.

    Attributes:
      out_of_fold: on the held-out rows, fold after fold.
      on_test: `NAME` and `NAME vote` on the test rows; empty without --test.
      settings: what was chosen for each model, the last for all training rows.
    """

    out_of_fold: Candidate
    on_test: dict[str, Candidate]
    settings: list[str]


def measure(
    name: str, fit: Fit, task: Task, seen: np.ndarray, held: Sequence[np.ndarray], test: np.ndarray | None
) -> Peer:
    """Fits a peer once a fold and scores the fold; with test rows also to all training rows.

    Args:
      name: of the peer.
      fit: (task, training rows) -> fitted.
      task: all rows.
      seen: training rows [m].
      held: those of each fold, among `seen`.
      test: test rows, or None.
    """
    out_of_fold, votes, settings, seconds = [], [], [], []

    def run(train: np.ndarray, rows: np.ndarray) -> tuple[Fitted, np.ndarray]:
        began = perf_counter()
        fitted = fit(hearing(task, train), train)
        trained = perf_counter()
        found = fitted.predict(rows)
        seconds.append((trained - began, perf_counter() - trained))
        settings.append(fitted.setting)
        say(f"{name}: {len(train)} rows in {trained - began:.0f} s; {fitted.setting}")
        return fitted, found

    vote_seconds = 0.0
    for rows in held:
        fitted, found = run(np.setdiff1d(seen, rows), rows)
        out_of_fold.append(found)
        if test is not None:
            began = perf_counter()
            votes.append(fitted.predict(test))
            vote_seconds += perf_counter() - began
    train_seconds, predict_seconds = np.sum(seconds, axis=0)
    on_test = {}
    if test is not None:
        _, found = run(seen, test)
        on_test = {
            name: Candidate(found, *seconds[-1]),
            f"{name} vote": Candidate(np.mean(votes, axis=0), train_seconds, vote_seconds),
        }
    return Peer(Candidate(np.concatenate(out_of_fold), train_seconds, predict_seconds), on_test, settings)


def stored_predictions(run: Path, split: str, ids: np.ndarray, classes: tuple[str, ...]) -> np.ndarray:
    """[n, class] that `predictions.csv` of a run holds for the rows `ids` [n]. Raises `InputError` where one lacks."""
    if not (run / "predictions.csv").exists():
        raise InputError(f"{run}: no predictions.csv is here; give the folder of a finished run")
    found = read_predictions(run)
    lacking = [name for name in ids if (split, str(name)) not in found]
    if lacking:
        raise InputError(
            f"{run}: predictions.csv has no {split} row for {len(lacking)} of {len(ids)} crystals, as {lacking[0]}: "
            "give the table and the config of that run"
        )
    return np.array([[found[split, str(name)][1][label] for label in classes] for name in ids])


def on_test_rows(run: Path, dataset: Dataset, test: np.ndarray) -> dict[str, Candidate]:
    """Candidates of the run on its test rows [m], restored; the stored ones where the code no longer reads the run."""
    ballot = vote_of(run).ballot
    try:
        config = config_of(run)
        members = restore_members(config, run, dataset.classes).members
        scorer = scorer_of(config, dataset, dataset.classes, len(members), reference_of(run))
        began = perf_counter()
        results = scorer(members, [test] * len(members))
        seconds = perf_counter() - began
    except InputError as error:
        say(f"{error}\nOnly the stored predictions of {ballot.best} are compared on the test rows.")
        return {ballot.best: Candidate(stored_predictions(run, "test", dataset.ids[test], dataset.classes), None, None)}
    scored = {member.name: result for member, result in zip(members, results, strict=True)}
    ballot, spent = present(ballot, scored), training_seconds(run)
    names = [name for name in ("super_ensemble", "kfold_vote") if name in ballot.voters]
    return {
        name: Candidate(
            cast_votes(scored, ballot, name).probabilities,
            spent * len(ballot.voters[name]) / len(members),
            seconds * len(ballot.voters[name]) / len(members),
        )
        for name in names
    }


def training_seconds(run: Path) -> float:
    """That a run took for all its members, compiling included."""
    timing = read_json(run / "metrics.json")["timing_s"]
    return timing["teach"] + timing["compile"] + timing["train"]


def some_formulas(fold: np.ndarray, formulas: np.ndarray, rows: int, seed: int) -> np.ndarray:
    """`fold` [n] with all but about `rows` training rows, of formulas drawn at random, taken out (-1)."""
    names, group = np.unique(formulas, return_inverse=True)
    order = np.random.default_rng(seed).permutation(len(names))
    counts = np.bincount(group, weights=fold >= 0, minlength=len(names))[order]
    kept = np.zeros(len(names), bool)
    kept[order[np.cumsum(counts) <= rows]] = True
    return np.where(kept[group], fold, -1)


def with_trees(jaxboost: Candidate, boosted: list[Candidate]) -> Candidate:
    """Half jaxboost, half the mean of the boosted candidates."""
    trees = np.mean([candidate.probabilities for candidate in boosted], axis=0)
    return Candidate((jaxboost.probabilities + trees) / 2, None, None)
