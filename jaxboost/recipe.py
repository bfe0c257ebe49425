"""The story, top to bottom: split, K folds, ensemble, full model, super ensemble, report.

Started again in the same folder a run goes on where it stopped:
 1. the lock says whether another run is there; `config.json` whether it is the same run;
 2. the table is read again (its features come from the cache) and `splits.json` is taken as it is;
 3. members whose checkpoint is finished are not trained; the others continue from their last good epoch;
 4. a run with `metrics.json` is done.
"""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

import jax
import numpy as np
from ml_collections import ConfigDict

from jaxboost import settings as of
from jaxboost.console import Stopwatch, bar, duration, say
from jaxboost.crystal import reduced_formula
from jaxboost.data.batches import symmetry_tables
from jaxboost.data.dataset import Dataset, featurize_table, resident
from jaxboost.data.materials import Table, read_table
from jaxboost.data.splits import Splits, make_splits, splits_from_json, splits_to_json
from jaxboost.environment import environment
from jaxboost.errors import InputError
from jaxboost.estimate import estimate
from jaxboost.evaluation import Ballot, Evaluation, evaluate, rules_of, cast_votes
from jaxboost.inference import Scorer, logits_program
from jaxboost.inputs import read_inputs
from jaxboost.models import Network
from jaxboost.reporting import console_table
from jaxboost.reporting.album import draw
from jaxboost.run_folder import (
    RunLock,
    StopFlag,
    TensorBoardLog,
    append_log,
    read_json,
    read_log,
    write_csv,
    write_json,
)
from jaxboost.training.loop import Progress, Workshop, restore_member, train_population
from jaxboost.training.member import TrainedMember
from jaxboost.training.roster import make_roster


def train(config: ConfigDict, workdir: Path) -> int:
    """Trains the whole recipe in `workdir` and scores it; goes on where an earlier start stopped.

    Returns:
      The exit status: 0 when done, 128 + the signal when asked to stop.
    """
    with RunLock(workdir), StopFlag() as stop:
        watch = Stopwatch()
        if _is_same_run(config, workdir) and (workdir / "metrics.json").exists():
            say(f"{workdir} is done:\n{console_table(read_json(workdir / 'metrics.json'))}")
            return 0
        table, splits = _split_table(config, workdir)
        write_json(workdir / "config.json", of.plain(config))
        write_json(workdir / "environment.json", environment())
        write_json(workdir / "splits.json", splits_to_json(splits, list(table.ids)))
        of.compilation_cache(config)

        with watch.measure("featurize"):
            dataset = _featurize(config, table)
        write_csv(workdir / "rejected.csv", dict(zip(("input", "reason"), _columns(dataset.rejected), strict=True)))
        splits = _rows_of(splits, dataset)
        say(
            f"{len(dataset)} crystals ({len(dataset.rejected)} rejected) in {duration(watch.seconds['featurize'])}: "
            f"{(splits.fold >= 0).sum()} to train, {splits.vote.sum()} vote, {splits.test.sum()} test"
        )

        with watch.measure("train"):
            finished = _train_members(config, workdir, dataset, splits, stop)
        if not finished:
            say(f"stopped by a signal; the same command goes on from the checkpoints in {workdir}")
            return stop.exit_status
        with watch.measure("evaluate"):
            evaluation, _ = _evaluate_run(config, workdir, dataset, splits)
        trained_on = sorted(set(dataset.formulas[splits.fold >= 0]))
        write_json(workdir / "members" / "vote.json", {**asdict(evaluation.ballot), "formulas": trained_on})
        metrics = _metrics(config, dataset, splits, evaluation, watch)
        _write_results(workdir, metrics, evaluation, read_log(workdir / "log.jsonl"))
        say(console_table(metrics))
        say(f"report: {workdir / 'report.html'}")
        return 0


def score_run(workdir: Path, inputs: Sequence[str], *, allow_partial: bool = False) -> int:
    """Restores the members of `workdir` and scores its own rows, or each labelled table that `inputs` names."""
    config = _config_of(workdir)
    of.compilation_cache(config)
    for path in inputs or [None]:
        watch = Stopwatch()
        if path is None:
            table, splits = _split_table(config, workdir)
            name = "test"
        else:
            table = read_table(path, label_column=config.data.label_column, classes=_classes(config, workdir))
            everything = np.ones(len(table), bool)
            splits = Splits(everything, ~everything, np.full(len(table), -1), np.zeros((0, len(table)), bool))
            name = Path(path).stem
        with watch.measure("featurize"):
            dataset = _featurize(config, table)
        splits = _rows_of(splits, dataset)
        if path is not None:
            _warn_of_known_formulas(workdir, dataset)
        ballot = None if path is None else _ballot_of(workdir)
        with watch.measure("evaluate"):
            evaluation, _ = _evaluate_run(config, workdir, dataset, splits, ballot=ballot, allow_partial=allow_partial)
        metrics = _metrics(config, dataset, splits, evaluation, watch)
        folder = workdir / "evaluation" / name
        _write_results(folder, metrics, evaluation, read_log(workdir / "log.jsonl") if path is None else [])
        say(console_table(metrics))
        say(f"written to {folder}")
    return 0


def predict(
    workdir: Path, inputs: Sequence[str], output: Path | None, *, strict: bool = False, allow_partial: bool = False
) -> int:
    """Predicts unlabelled structures: a CSV with one row an input, whatever happens to it.

    Args:
      workdir: of a finished run.
      inputs: CIF files, folders of them, globs, parquet tables.
      output: of the CSV; None: `predicted/<time>.csv` in `workdir`.
      strict: the first input that cannot be used is an error.
      allow_partial: vote with the members that are there.
    """
    config = _config_of(workdir)
    of.compilation_cache(config)
    ballot = _ballot_of(workdir)
    classes = _classes(config, workdir)
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
        dataset = _featurize(config, table, none_is_fine=True)
        if dataset is not None:
            if strict and len(dataset.rejected) > len(unread):
                raise InputError(": ".join(dataset.rejected[len(unread)]))
            rejected = list(dataset.rejected)
            members, _ = _restore(config, workdir, classes, allow_partial)
            scorer = _scorer(config, dataset, classes, len(members))
            everything = np.arange(len(dataset))
            results = scorer(members, [everything] * len(members))
            scored = {m.name: result for m, result in zip(members, results, strict=True)}
            forecast = cast_votes(scored, _present(ballot, scored), ballot.best)
            columns = _prediction_columns(dataset, forecast, classes)
    rows = _prediction_rows(columns, rejected, classes)
    path = output or workdir / "predicted" / time.strftime("%Y-%m-%dT%H-%M-%S.csv")
    write_csv(path, rows)
    say(f"{len(rows['input'])} inputs, {len(rejected)} rejected: {path}")
    return 0


def _split_table(config: ConfigDict, workdir: Path) -> tuple[Table, Splits]:
    """Everything that can be wrong with a table or its splits is found here, before any compute."""
    if not config.data.path:
        raise InputError(
            "config.data.path is empty: give a labelled table, as --config.data.path=materials.parquet, or a folder "
            "with id_prop.csv and CIF files"
        )
    table = read_table(
        config.data.path, label_column=config.data.label_column, classes=tuple(config.data.classes)
    )
    stored = workdir / "splits.json"
    if stored.exists():
        return table, splits_from_json(read_json(stored), list(table.ids))
    formulas = [reduced_formula(structure.atomic_numbers) for structure in table.structures]
    splits = make_splits(
        formulas,
        table.labels,
        split=table.split,
        folds=config.kfold.folds,
        ensemble_members=config.ensemble.members,
        vote_fraction=config.data.vote_fraction,
        test_fraction=config.data.test_fraction,
        validation_fraction=config.ensemble.validation_fraction,
        seed=config.seed,
        classes=table.classes,
    )
    return table, splits


def _featurize(config: ConfigDict, table: Table, *, none_is_fine: bool = False) -> Dataset | None:
    with bar("featurising", len(table)) as progress:
        return featurize_table(
            table,
            of.featurizer_settings(config),
            cache_dir=config.data.cache_dir,
            workers=of.workers(config),
            progress=progress,
            none_is_fine=none_is_fine,
        )


def _rows_of(splits: Splits, dataset: Dataset) -> Splits:
    """The splits of the rows that could be used."""
    kept = dataset.kept
    return Splits(splits.test[kept], splits.vote[kept], splits.fold[kept], splits.ensemble_validation[:, kept])


def _train_members(config: ConfigDict, workdir: Path, dataset: Dataset, splits: Splits, stop: StopFlag) -> bool:
    members = make_roster(config, splits, dataset.features)
    sizes = dataset.features.n_orbits
    fold_rows = int(np.median([len(m.train) for m in members if m.name.startswith("kfold_")]))
    workshop = Workshop(
        network=Network(of.network_settings(config, len(dataset.classes))),
        settings=of.training_settings(config, sizes, fold_rows),
        mesh=of.device_mesh(config, len(members)),
        materials=resident(dataset, config.data.rules),
        tables=symmetry_tables(),
        sizes=sizes,
        folder=workdir / "members",
        identity=of.checkpoint_identity(config, dataset.classes),
        batch=config.optimizer.batch,
        checkpoint_every=config.population.checkpoint_every,
    )
    say(estimate(members, workshop))
    began = time.perf_counter()
    with TensorBoardLog(workdir) as board:

        def report(progress: Progress) -> None:
            append_log(workdir / "log.jsonl", progress.rows)
            for row in progress.rows:
                figures = {k: v for k, v in row.items() if k not in ("member", "epoch") and v is not None}
                board.add(row["member"], row["epoch"], figures)
            say(_progress_line(progress, time.perf_counter() - began))

        return train_population(members, workshop, report=report, should_stop=lambda: stop.is_set)


def _progress_line(progress: Progress, elapsed: float) -> str:
    rate = progress.steps / max(progress.seconds, 1e-9)
    left = f"{rate:.1f} member steps/s, at most {duration(max(progress.total - progress.steps, 0) / rate)} left"
    if not progress.rows:
        return f"{duration(elapsed):>7}  {left}"
    epoch = max(row["epoch"] for row in progress.rows)
    known = [row["validation_accuracy"] for row in progress.rows if row["validation_accuracy"] is not None]
    accuracy = f", validation {np.mean(known):.4f}" if known else ""
    return f"{duration(elapsed):>7}  epoch {epoch}, {len(progress.rows)} members{accuracy}; {left}"


def _restore(
    config: ConfigDict, workdir: Path, classes: tuple[str, ...], allow_partial: bool = False
) -> tuple[list[TrainedMember], dict[str, Mapping[str, Any]]]:
    """The members that finished without failing, and what their checkpoints say."""
    folds = [f"kfold_{k}" for k in range(config.kfold.folds)]
    names = [*folds, *(f"ensemble_{i}" for i in range(config.ensemble.members)), "full"]
    identity = of.checkpoint_identity(config, classes)
    there = [name for name in names if (workdir / "members" / name).is_dir()]
    if len(there) < len(names):
        missing = ", ".join(sorted(set(names) - set(there)))
        if not (allow_partial and there):
            raise InputError(
                f"{workdir}: no checkpoint of {missing}; train them with --mode=train, or vote with the rest by "
                "--allow_partial"
            )
        say(f"{len(there)} of {len(names)} members: no checkpoint of {missing}")
    restored = [restore_member(workdir / "members" / name, identity) for name in there]
    failed = [member.name for member, fitted in restored if fitted["failed"]]
    if failed:
        say(f"left out of the vote, since a gradient was not finite: {', '.join(failed)}")
    good = [(member, fitted) for member, fitted in restored if not fitted["failed"]]
    return [member for member, _ in good], {member.name: fitted for member, fitted in good}


def _scorer(config: ConfigDict, dataset: Dataset, classes: tuple[str, ...], members: int) -> Scorer:
    sizes = dataset.features.n_orbits
    settings = of.scoring_settings(config, sizes)
    mesh = of.device_mesh(config, members)
    return Scorer(
        program=logits_program(Network(of.network_settings(config, len(classes))), settings, mesh),
        settings=settings,
        mesh=mesh,
        views=of.vote_views(config),
        materials=resident(dataset, config.data.rules),
        tables=symmetry_tables(),
        sizes=sizes,
    )


def _evaluate_run(
    config: ConfigDict,
    workdir: Path,
    dataset: Dataset,
    splits: Splits,
    *,
    ballot: Ballot | None = None,
    allow_partial: bool = False,
) -> tuple[Evaluation, list[TrainedMember]]:
    """From the checkpoints, also at the end of training: what is reported is what can be restored."""
    members, found = _restore(config, workdir, dataset.classes, allow_partial)
    evaluation = evaluate(
        members,
        found,
        dataset,
        splits,
        _scorer(config, dataset, dataset.classes, len(members)),
        groupings=config.data.groupings.to_dict(),
        average=config.vote.average,
        super_members=config.vote.members,
        ballot=None if ballot is None else _present(ballot, {member.name for member in members}),
    )
    return evaluation, members


def _metrics(
    config: ConfigDict, dataset: Dataset, splits: Splits, evaluation: Evaluation, watch: Stopwatch
) -> dict[str, Any]:
    rows = {"train": int((splits.fold >= 0).sum() + splits.vote.sum()), "test": int(splits.test.sum())}
    seconds = {"featurize": 0.0, "compile": 0.0, "train": 0.0, "evaluate": 0.0} | watch.seconds
    return {
        "task": {
            "label": config.data.label_column,
            "classes": list(dataset.classes),
            "groupings": config.data.groupings.to_dict(),
        },
        "data": {"source": dataset.source, "sha256": dataset.sha256, "rows": rows, "grouped_by": "formula"},
        **evaluation.metrics,
        "timing_s": {**{name: round(value, 2) for name, value in seconds.items()}, "total": round(watch.total(), 2)},
    }


def _write_results(
    folder: Path, metrics: dict[str, Any], evaluation: Evaluation, log: list[dict[str, Any]]
) -> None:
    write_csv(folder / "predictions.csv", evaluation.predictions)
    forecast = evaluation.forecast
    draw(
        folder, metrics, forecast.probabilities, forecast.uncertainty, forecast.attention, evaluation.labels, log
    )  # fmt: skip
    write_json(folder / "metrics.json", metrics)


def _is_same_run(config: ConfigDict, workdir: Path) -> bool:
    """Whether `workdir` holds this very run; a run of another config is refused, field by field."""
    if not (workdir / "config.json").exists():
        return False
    changed = of.differences(read_json(workdir / "config.json"), of.plain(config))
    if changed:
        lines = "\n  ".join(changed)
        raise InputError(f"{workdir} holds a run of another config:\n  {lines}\nchoose another --workdir")
    return True


def _config_of(workdir: Path) -> ConfigDict:
    if not (workdir / "config.json").exists():
        raise InputError(f"{workdir}: no run is here (no config.json); train one, or give its --workdir")
    config = ConfigDict(read_json(workdir / "config.json"))
    return config


def _classes(config: ConfigDict, workdir: Path) -> tuple[str, ...]:
    """The classes in the order of the logits: those of the run, also where the table's own labels gave them."""
    return tuple(read_json(workdir / "metrics.json")["task"]["classes"])


def _ballot_of(workdir: Path) -> Ballot:
    path = workdir / "members" / "vote.json"
    if not path.exists():
        raise InputError(f"{workdir}: the run is not finished (no members/vote.json); start it again to go on")
    stored = read_json(path)
    return Ballot(**{name: stored[name] for name in Ballot.__dataclass_fields__})


def _present(ballot: Ballot, names: Any) -> Ballot:
    """The ballot among the members that are there (--allow_partial)."""
    voters = {c: [name for name in voters if name in names] for c, voters in ballot.voters.items()}
    voters = {c: own for c, own in voters.items() if own}
    if ballot.best not in voters:
        raise InputError(f"none of the members of {ballot.best!r}, the chosen candidate, is there")
    return Ballot(ballot.average, ballot.best_fold, voters, ballot.temperatures, ballot.best)


def _warn_of_known_formulas(workdir: Path, dataset: Dataset) -> None:
    """Rows of formulas that the run trained on are no fair test: they are counted aloud."""
    known = set(read_json(workdir / "members" / "vote.json")["formulas"])
    seen = sum(formula in known for formula in dataset.formulas)
    if seen:
        say(f"{seen} of {len(dataset)} rows have a formula that the members were trained on")


def _columns(pairs: Sequence[tuple[str, str]]) -> tuple[list[str], list[str]]:
    return [a for a, _ in pairs], [b for _, b in pairs]


def _prediction_columns(dataset: Dataset, forecast: Any, classes: tuple[str, ...]) -> dict[str, Any]:
    attention = {
        f"weight_{name}": forecast.attention[:, i]
        for i, name in enumerate(("crystal", "kspace", "scalars", "electrons"))
    }
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
