"""Scores of a finished run on its own test rows or on a labelled table."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
from ml_collections import ConfigDict

from jaxboost import settings as of
from jaxboost.console import Stopwatch, say
from jaxboost.data.materials import Table, read_table
from jaxboost.data.splits import Splits
from jaxboost.errors import InputError
from jaxboost.finished_run import (
    RunVote,
    config_of,
    evaluate_run,
    metrics_of,
    vote_of,
    write_results,
)
from jaxboost.reporting import console_table
from jaxboost.rows import features_of, split_table, splits_of_rows
from jaxboost.run_folder import read_json, read_log


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
    of_training = workdir / "environment.json"
    write_results(folder, metrics, evaluation, log, notes, read_json(of_training) if of_training.exists() else {})
    say(console_table(metrics))
    say(f"written to {folder}")


def _name_of(path: str) -> str:
    """Of a table's folder; 'test' is that of the run's own rows."""
    return Path(path).name if Path(path).stem == "test" else Path(path).stem
