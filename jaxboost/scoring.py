"""What is asked of a finished run: scores of a labelled table, predictions for structures."""

from __future__ import annotations

import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from ml_collections import ConfigDict

from jaxboost import settings as of
from jaxboost.console import Stopwatch, say
from jaxboost.crystal import Structure
from jaxboost.data.dataset import Dataset, NothingUsable
from jaxboost.data.materials import Table, read_table
from jaxboost.data.splits import Splits
from jaxboost.errors import InputError
from jaxboost.evaluation import Forecast, cast_votes, rules_of
from jaxboost.finished_run import (
    RunVote,
    config_of,
    evaluate_run,
    metrics_of,
    present,
    reference_of,
    restore_members,
    scorer_of,
    vote_of,
    write_results,
)
from jaxboost.inputs import read_inputs
from jaxboost.modalities import MODALITIES
from jaxboost.reporting import console_table
from jaxboost.rows import features_of, split_table, splits_of_rows
from jaxboost.run_folder import read_log, write_csv


def score_run(workdir: Path, inputs: Sequence[str], *, allow_partial: bool = False) -> int:
    """Restores the members of `workdir` and scores its own rows, or each labelled table that `inputs` names."""
    config = config_of(workdir)
    vote = vote_of(workdir)
    of.compilation_cache(config)
    if not inputs:
        table, splits = split_table(config, workdir)
        _score(config, workdir, "test", table, splits, allow_partial=allow_partial)
        return 0
    names = [_name_of(path) for path in inputs]
    if repeated := {name for name in names if names.count(name) > 1}:
        raise InputError(f"--inputs: several tables are called {', '.join(repeated)}: evaluate one after the other")
    # All are read before the first is scored: a wrong one is not found after an hour.
    tables = [read_table(path, label_column=config.data.label_column, classes=vote.classes) for path in inputs]
    for name, table in zip(names, tables, strict=True):
        everything = np.ones(len(table), bool)
        splits = Splits(everything, ~everything, np.full(len(table), -1), np.zeros((0, len(table)), bool))
        _score(config, workdir, name, table, splits, vote=vote, allow_partial=allow_partial)
    return 0


def _score(
    config: ConfigDict,
    workdir: Path,
    name: str,
    table: Table,
    splits: Splits,
    *,
    vote: RunVote | None = None,
    allow_partial: bool,
) -> None:
    """Scores one table into `evaluation/<name>`; `vote` is the run's where the table is another than the run's."""
    watch = Stopwatch()
    with watch.measure("featurize"):
        dataset = features_of(config, table)
    splits = splits_of_rows(splits, dataset)
    if vote is not None:
        # Rows of formulas that the run trained on are no fair test: they are counted aloud.
        seen = sum(formula in vote.formulas for formula in dataset.formulas)
        say(f"{seen} of {len(dataset)} rows have a formula that the members were trained on")
    ballot = None if vote is None else vote.ballot
    with watch.measure("evaluate"):
        evaluation, notes = evaluate_run(config, workdir, dataset, splits, ballot=ballot, allow_partial=allow_partial)
    metrics = metrics_of(config, dataset, splits, evaluation, watch)
    folder = workdir / "evaluation" / name
    log = read_log(workdir / "log.jsonl") if vote is None else []
    write_results(folder, metrics, evaluation, log, notes)
    say(console_table(metrics))
    say(f"written to {folder}")


def _name_of(path: str) -> str:
    """Of a table's folder; 'test' is that of the run's own rows."""
    return Path(path).name if Path(path).stem == "test" else Path(path).stem


def predict(
    workdir: Path,
    inputs: Sequence[str],
    output: Path | None,
    *,
    strict: bool = False,
    allow_partial: bool = False,
) -> int:
    """Predicts unlabelled structures: a CSV with one row an input, whatever happens to it.

    Args:
      workdir: of a finished run.
      inputs: CIF files, folders of them, globs, parquet tables.
      output: of the CSV; None: `predicted/<time>.csv` in `workdir`.
      strict: the first input that cannot be used is an error.
      allow_partial: vote with the members that are there.
    """
    config = config_of(workdir)
    of.compilation_cache(config)
    vote = vote_of(workdir)
    found = read_inputs(inputs)
    readable = [row for row, (_, structure) in enumerate(found) if isinstance(structure, Structure)]
    reasons = {row: reason for row, (_, reason) in enumerate(found) if isinstance(reason, str)}
    _refuse_if(strict, found, reasons)
    table = Table(
        ids=np.array([found[row][0] for row in readable]),
        structures=tuple(structure for _, structure in found if isinstance(structure, Structure)),
        labels=np.full(len(readable), -1),
        classes=vote.classes,
        split=None,
        source=", ".join(inputs),
        sha256="",
    )
    predicted: dict[int, tuple] = {}
    without_bands: dict[int, str] = {}
    try:
        dataset = features_of(config, table)
    except NothingUsable as nothing:
        reasons |= dict(zip(readable, (reason for _, reason in nothing.rejected), strict=True))
    else:
        usable = [readable[row] for row in dataset.kept]
        refused = [row for row in readable if row not in set(usable)]
        reasons |= dict(zip(refused, (reason for _, reason in dataset.rejected), strict=True))
        _refuse_if(strict, found, reasons)
        members = restore_members(config, workdir, vote.classes, allow_partial).members
        everything = np.arange(len(dataset))
        scorer = scorer_of(config, dataset, vote.classes, len(members), reference_of(workdir))
        results = scorer(members, [everything] * len(members))
        scored = {m.name: result for m, result in zip(members, results, strict=True)}
        forecast = cast_votes(scored, present(vote.ballot, scored), vote.ballot.best)
        predicted = dict(zip(usable, _predicted_values(dataset, forecast), strict=True))
        without_bands = dict(zip(usable, dataset.features.band_reason.tolist(), strict=True))
    _refuse_if(strict, found, reasons)
    path = output or workdir / "predicted" / time.strftime("%Y-%m-%dT%H-%M-%S.csv")
    columns = _prediction_columns([name for name, _ in found], reasons, predicted, vote.classes)
    if config.tight_binding.enabled:
        columns["without_bands"] = [without_bands.get(row, "") for row in range(len(found))]
    write_csv(path, columns)
    say(f"{len(found)} inputs, {len(reasons)} rejected: {path}")
    return 0


def _refuse_if(strict: bool, found: list[tuple[str, Structure | str]], reasons: dict[int, str]) -> None:
    if strict and reasons:
        first = min(reasons)
        name, reason = found[first][0], reasons[first]
        raise InputError(f"{reason if reason.startswith(name) else f'{name}: {reason}'} (--strict)")


def _predicted_values(dataset: Dataset, forecast: Forecast) -> list[tuple]:
    """What `_prediction_columns` says of each row of the dataset."""
    return list(
        zip(
            dataset.formulas,
            dataset.features.space_group.tolist(),
            [dataset.classes[i] for i in forecast.probabilities.argmax(-1)],
            *forecast.probabilities.T,
            forecast.uncertainty,
            forecast.epistemic,
            forecast.agreement,
            rules_of(dataset.features, np.arange(len(dataset))),
            *forecast.attention.T,
            strict=True,
        )
    )


def _prediction_columns(
    names: list[str], reasons: dict[int, str], predicted: dict[int, tuple], classes: tuple[str, ...]
) -> dict[str, list[Any]]:
    """The columns of the CSV, one row an input in the order given; what is not predicted is empty."""
    rows = range(len(names))
    figures = (
        "formula",
        "space_group",
        "prediction",
        *(f"p_{name}" for name in classes),
        "uncertainty",
        "epistemic",
        "agreement",
        "rule",
        *(f"weight_{name}" for name in MODALITIES),
    )
    empty = ("",) * len(figures)
    columns: dict[str, list[Any]] = {
        "input": names,
        "status": ["rejected" if row in reasons else "ok" for row in rows],
        "reason": [reasons.get(row, "") for row in rows],
    }
    values = zip(*(predicted.get(row, empty) for row in rows), strict=True)
    return columns | {name: list(column) for name, column in zip(figures, values, strict=True)}
