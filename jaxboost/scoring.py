"""What is asked of a finished run: scores of a labelled table, predictions for structures."""

from __future__ import annotations

import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from jaxboost import settings as of
from jaxboost.console import Stopwatch, say
from jaxboost.data.dataset import Dataset, NothingUsable
from jaxboost.data.materials import Table, read_table
from jaxboost.data.splits import Splits
from jaxboost.errors import InputError
from jaxboost.evaluation import Forecast, cast_votes, rules_of
from jaxboost.finished_run import (
    ballot_of,
    classes_of,
    config_of,
    evaluate_run,
    metrics_of,
    present,
    restore_members,
    scorer_of,
    write_results,
)
from jaxboost.inputs import read_inputs
from jaxboost.modalities import MODALITIES
from jaxboost.reporting import console_table
from jaxboost.rows import features_of, split_table, splits_of_rows
from jaxboost.run_folder import read_json, read_log, write_csv


def score_run(workdir: Path, inputs: Sequence[str], *, allow_partial: bool = False) -> int:
    """Restores the members of `workdir` and scores its own rows, or each labelled table that `inputs` names."""
    config = config_of(workdir)
    of.compilation_cache(config)
    paths: list[str | None] = [*inputs] or [None]
    for path in paths:
        watch = Stopwatch()
        if path is None:
            table, splits = split_table(config, workdir)
            name = "test"
        else:
            table = read_table(path, label_column=config.data.label_column, classes=classes_of(config, workdir))
            everything = np.ones(len(table), bool)
            splits = Splits(everything, ~everything, np.full(len(table), -1), np.zeros((0, len(table)), bool))
            name = Path(path).stem
        with watch.measure("featurize"):
            dataset = features_of(config, table)
        splits = splits_of_rows(splits, dataset)
        if path is not None:
            _warn_of_known_formulas(workdir, dataset)
        ballot = None if path is None else ballot_of(workdir)
        with watch.measure("evaluate"):
            evaluation, _ = evaluate_run(config, workdir, dataset, splits, ballot=ballot, allow_partial=allow_partial)
        metrics = metrics_of(config, dataset, splits, evaluation, watch)
        folder = workdir / "evaluation" / name
        write_results(folder, metrics, evaluation, read_log(workdir / "log.jsonl") if path is None else [])
        say(console_table(metrics))
        say(f"written to {folder}")
    return 0


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
    ballot = ballot_of(workdir)
    classes = classes_of(config, workdir)
    names, structures, unread = read_inputs(inputs)
    if strict and unread:
        raise InputError(f"{unread[0][0]}: {unread[0][1]}")
    rejected = list(unread)
    columns: dict[str, list[Any]] = {}
    if structures:
        table = Table(
            ids=np.array(names), structures=tuple(structures), labels=np.full(len(names), -1), classes=classes,
            split=None, source=", ".join(inputs), sha256="", rejected=tuple(unread),
        )  # fmt: skip
        try:
            dataset = features_of(config, table)
        except NothingUsable as nothing:
            rejected = list(nothing.rejected)
        else:
            rejected = list(dataset.rejected)
            members, _ = restore_members(config, workdir, classes, allow_partial)
            everything = np.arange(len(dataset))
            results = scorer_of(config, dataset, classes, len(members))(members, [everything] * len(members))
            scored = {m.name: result for m, result in zip(members, results, strict=True)}
            forecast = cast_votes(scored, present(ballot, scored), ballot.best)
            columns = _prediction_columns(dataset, forecast, classes)
        if strict and len(rejected) > len(unread):
            raise InputError(": ".join(rejected[len(unread)]))
    rows = _prediction_rows(columns, rejected, classes)
    path = output or workdir / "predicted" / time.strftime("%Y-%m-%dT%H-%M-%S.csv")
    write_csv(path, rows)
    say(f"{len(rows['input'])} inputs, {len(rejected)} rejected: {path}")
    return 0


def _warn_of_known_formulas(workdir: Path, dataset: Dataset) -> None:
    """Rows of formulas that the run trained on are no fair test: they are counted aloud."""
    known = set(read_json(workdir / "members" / "vote.json")["formulas"])
    seen = sum(formula in known for formula in dataset.formulas)
    if seen:
        say(f"{seen} of {len(dataset)} rows have a formula that the members were trained on")


def _prediction_columns(dataset: Dataset, forecast: Forecast, classes: tuple[str, ...]) -> dict[str, Any]:
    attention = {f"weight_{name}": forecast.attention[:, i] for i, name in enumerate(MODALITIES)}
    return {
        "input": list(dataset.ids),
        "formula": list(dataset.formulas),
        "space_group": dataset.features.space_group.tolist(),
        "prediction": [classes[i] for i in forecast.probabilities.argmax(-1)],
        **{f"p_{name}": forecast.probabilities[:, i] for i, name in enumerate(classes)},
        "uncertainty": forecast.uncertainty,
        "epistemic": forecast.epistemic,
        "agreement": forecast.agreement,
        "rule": rules_of(dataset.features, np.arange(len(dataset))),
        **attention,
    }


def _prediction_rows(
    columns: dict[str, Any], rejected: list[tuple[str, str]], classes: tuple[str, ...]
) -> dict[str, list[Any]]:
    good = len(columns["input"]) if columns else 0
    inputs = [*(columns["input"] if columns else []), *(name for name, _ in rejected)]
    rows: dict[str, list[Any]] = {
        "input": inputs,
        "status": ["ok"] * good + ["rejected"] * len(rejected),
        "reason": [""] * good + [reason for _, reason in rejected],
    }
    for name, values in columns.items():
        if name != "input":
            rows[name] = [*values, *[""] * len(rejected)]
    return rows
