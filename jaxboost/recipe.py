"""The story, top to bottom: split, K folds, ensemble, full model, super ensemble, report.

Started again in the same folder a run goes on where it stopped:
 1. the lock says whether another run is there; `config.json` whether it is the same run;
 2. the table is read again (its features come from the cache) and `splits.json` is taken as it is;
 3. members whose checkpoint is finished are not trained; the others continue from their last good epoch;
 4. a run with `metrics.json` and all of its members is done.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor, wait
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
from jax.sharding import Mesh
from ml_collections import ConfigDict

from jaxboost import settings as of
from jaxboost.baselines import baseline_lines, on_test_rows
from jaxboost.console import Stopwatch, bar, duration, say
from jaxboost.data.batches import symmetry_tables
from jaxboost.data.dataset import Dataset, resident
from jaxboost.data.leaks import in_words, telling_columns
from jaxboost.data.materials import Table
from jaxboost.data.splits import Splits, splits_to_json
from jaxboost.environment import environment
from jaxboost.errors import InputError
from jaxboost.estimate import estimate
from jaxboost.evaluation import Evaluation
from jaxboost.finished_run import (
    evaluate_run,
    hold_vote,
    keep_reference,
    keep_vote,
    member_names,
    metrics_of,
    write_results,
)
from jaxboost.limits import check_config
from jaxboost.modalities.pooled_columns import pooled_columns
from jaxboost.models import Network
from jaxboost.physics.tight_binding_elements import learned_split
from jaxboost.reporting import console_table
from jaxboost.rows import features_of, split_identity, split_table, splits_of_rows, splits_of_table
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
from jaxboost.training.checkpoints import has_checkpoint
from jaxboost.training.crew import Crew, muster
from jaxboost.training.loop import Outcome, Progress, Workshop, train_population
from jaxboost.training.member import Member
from jaxboost.training.processes import (
    agree,
    from_first,
    is_first,
    leave,
    own_folder,
    several,
    stop_between_steps,
    stop_flag,
)
from jaxboost.training.roster import make_roster
from jaxboost.training.teacher import outlined, taught
from jaxboost.training_display import training_display


def train(config: ConfigDict, workdir: Path, *, strict: bool = False) -> int:
    """Trains the whole recipe in `workdir` and scores it; goes on where an earlier start stopped.

    Args:
      config: see `jaxboost/configs/extreme.py`.
      workdir: the run's folder.
      strict: a structure that cannot be used is an error, instead of a row of `rejected.csv`.

    Of several processes (`training/processes.py`) each calls this; the first one's folder is the run's.

    Returns:
      The exit status: 0 when done, 128 + the signal when asked to stop.

    Raises:
      InputError: what the user gave cannot be used; all that can be known before any compute is said then.
    """
    check_config(config)
    try:
        with own_folder(workdir) as own:
            return _train(config, own, strict)
    except BaseException as error:
        leave(error)
        raise


def _train(config: ConfigDict, workdir: Path, strict: bool) -> int:
    with RunLock(workdir), stop_flag() as stop:
        watch = Stopwatch()
        if from_first(np.array(_is_same_run(config, workdir) and _is_done(config, workdir))):
            if is_first():
                say(f"{workdir} is done:")
                _say_scores(read_json(workdir / "metrics.json"))
            return 0
        table, splits = split_table(config, workdir)
        agree(table.sha256, f"the table {table.source}")
        splits = Splits(*from_first((splits.test, splits.vote, splits.fold, splits.ensemble_validation)))
        try:
            dataset, splits, outcome = _learn(config, workdir, table, splits, watch, stop, strict)
            if outcome.finished and is_first():
                with watch.measure("evaluate"):
                    evaluation, notes, plain = _evaluated(config, workdir, dataset, splits)
        except KeyboardInterrupt:  # a process that featurises or fits trees heard the signal that is only noted here
            if not stop.is_set:
                raise
        if stop.is_set:
            say(f"stopped by a signal; the same command goes on from what is in {workdir}")
            return stop.exit_status
        if not is_first():
            return 0
        keep_vote(workdir, evaluation.ballot, dataset, splits)
        metrics = metrics_of(config, dataset, splits, evaluation, watch)
        if plain:
            metrics["baselines"] = plain
        log = read_log(workdir / "log.jsonl")
        write_results(workdir, metrics, evaluation, log, notes, read_json(workdir / "environment.json"))
        _say_scores(metrics)
        say(f"report: {workdir / 'report.html'}")
        return 0


def fit(config: ConfigDict, workdir: Path, table: Table) -> None:
    """Trains the whole recipe in `workdir` on a table in memory, without test rows: members and their vote, no report.

    Raises:
      InputError: as `train`; a structure that cannot be used is one, and so is one of several processes.
      KeyboardInterrupt: a signal asked to stop; the same call goes on from the checkpoints.
    """
    check_config(config)
    if several():
        raise InputError("fit is one process alone: several train a run by main.py --distributed (docs/tpu_vm.md)")
    with RunLock(workdir), StopFlag() as stop:
        _is_same_run(config, workdir)
        splits = splits_of_table(config, workdir, table, test_fraction=0)
        dataset, splits, _ = _learn(config, workdir, table, splits, Stopwatch(), stop, strict=True)
        if stop.is_set:
            raise KeyboardInterrupt
        hold_vote(config, workdir, dataset, splits)


def _learn(
    config: ConfigDict, workdir: Path, table: Table, splits: Splits, watch: Stopwatch, stop: StopFlag, strict: bool
) -> tuple[Dataset, Splits, Outcome]:
    """Features of the table's rows, their splits, and the members trained on them; all is written to `workdir`."""
    write_json(workdir / "config.json", of.plain(config))
    write_json(workdir / "environment.json", environment())
    write_json(workdir / "splits.json", splits_to_json(splits, list(table.ids)))
    of.compilation_cache(config)
    mesh = of.device_mesh(config, config.kfold.folds + config.ensemble.members + 1)

    with watch.measure("featurize"):
        dataset = features_of(config, table, lambda: stop.is_set)
    write_csv(workdir / "rejected.csv", dict(zip(("input", "reason"), _columns(dataset.rejected), strict=True)))
    if config.tight_binding.enabled:
        _report_bands(workdir, dataset)
        _warn_of_another_split(config, dataset.sha256)
    if strict and dataset.rejected:
        raise InputError(f"{': '.join(dataset.rejected[0])} (--strict)")
    splits = splits_of_rows(splits, dataset)
    say(
        f"{len(dataset)} crystals ({len(dataset.rejected)} rejected) in {duration(watch.seconds['featurize'])}: "
        f"{(splits.fold >= 0).sum()} to train, {splits.vote.sum()} vote, {splits.test.sum()} test"
    )
    if warning := in_words(telling_columns(dataset.features, dataset.labels, np.flatnonzero(splits.fold >= 0))):
        say(warning)

    with watch.measure("train"):
        outcome = _train_members(config, workdir, dataset, splits, mesh, watch, stop)
    apart = {"compile": outcome.compile_seconds, "teach": watch.seconds["teach"]}
    watch.seconds |= {**apart, "train": watch.seconds["train"] - sum(apart.values())}
    return dataset, splits, outcome


def _evaluated(
    config: ConfigDict, workdir: Path, dataset: Dataset, splits: Splits
) -> tuple[Evaluation, list[str], dict[str, float]]:
    """The evaluation and notes on it, and what simple models make of the test rows of the embedded table."""

    def plain() -> dict[str, float]:
        return {} if config.data.path else on_test_rows(dataset, splits, config.seed, config.data.relatives)

    with ThreadPoolExecutor(1, "baselines") as apart:  # fitted while members are restored and score
        found = apart.submit(plain)
        evaluation, notes = evaluate_run(config, workdir, dataset, splits)
    return evaluation, notes, found.result()


def _say_scores(metrics: Mapping[str, Any]) -> None:
    say(console_table(metrics))
    if "baselines" in metrics:
        say(baseline_lines(metrics["baselines"]))


def _report_bands(workdir: Path, dataset: Dataset) -> None:
    """Writes `without_bands.csv`, every crystal that tight binding left out with the reason, and says how many."""
    reasons = dataset.features.band_reason
    out = np.flatnonzero(reasons != "")
    write_csv(workdir / "without_bands.csv", {"input": dataset.ids[out].tolist(), "reason": reasons[out].tolist()})
    say(f"{len(dataset) - len(out)} crystals with tight-binding bands, {len(out)} without (without_bands.csv)")


def _warn_of_another_split(config: ConfigDict, sha256: str) -> None:
    """Says so where the learned tight-binding figures may have been fitted to rows that this run holds out."""
    if config.tight_binding.parameters == "learned" and learned_split() != split_identity(sha256, config):
        say(
            "warning: the learned tight-binding figures were fitted to the training rows of another table or split. If "
            "crystals that are held out here were among them, their scores are a little too good: fit anew by "
            "python -m jaxboost.learn_bands, or give --config.tight_binding.parameters=published"
        )


def _train_members(
    config: ConfigDict, workdir: Path, dataset: Dataset, splits: Splits, mesh: Mesh, watch: Stopwatch, stop: StopFlag
) -> Outcome:
    """K folds, ensemble and full model, as one population; unfinished where a signal asked to stop before the end."""
    members = make_roster(config, splits, dataset.features)
    reference = keep_reference(workdir, dataset, splits)
    sizes = dataset.features.n_orbits
    fold_rows = int(np.median([len(m.train) for m in members if m.name.startswith("kfold_")]))
    workshop = Workshop(
        network=Network(of.network_settings(config, len(dataset.classes))),
        settings=of.training_settings(config, sizes, fold_rows),
        mesh=mesh,
        materials=resident(dataset, config.data.rules, reference, config.data.relatives),
        tables=symmetry_tables(),
        sizes=sizes,
        folder=workdir / "members",
        identity=of.checkpoint_identity(config, dataset.classes),
        batch=config.optimizer.batch,
        checkpoint_every=config.population.checkpoint_every,
        checkpoint_seconds=config.population.checkpoint_seconds,
        ids=dataset.ids,
    )
    say(estimate(members, workshop))  # before the cores have anything to do: it measures what they can
    with watch.measure("teach"):
        aboard = _aboard(config, workdir, dataset, members, workshop, stop)
    if aboard is None:
        return Outcome(False, 0.0)
    members, crew = aboard
    epochs = max(int(member.hyperparameters.epochs) for member in members)
    with TensorBoardLog(workdir) as board, training_display(epochs) as show:

        def report(progress: Progress) -> None:
            append_log(workdir / "log.jsonl", progress.rows)
            for row in progress.rows:
                figures = {k: v for k, v in row.items() if k not in ("member", "epoch") and v is not None}
                board.add(row["member"], row["epoch"], figures)
            show(progress)
            for found in progress.diverged:
                say(f"warning: {found.member} stops and will not vote: a gradient was not finite, {found}")

        return train_population(members, workshop, report=report, should_stop=stop_between_steps(stop), crew=crew)


def _aboard(
    config: ConfigDict, workdir: Path, dataset: Dataset, members: list[Member], workshop: Workshop, stop: StopFlag
) -> tuple[list[Member], Crew | None] | None:
    """The members with what their teachers say, if they have any, and the crew that they make, whose program is
    compiled meanwhile; None where a signal asked to stop.
    """
    trees = config.objective
    if not (trees.taught or trees.gain_power):
        return members, muster(members, workshop)
    pooled, materials, folds = pooled_columns(dataset.features), workshop.materials, trees.taught_folds
    outline = outlined(members, pooled, materials, gain_power=trees.gain_power, folds=folds)
    crew = muster(outline, workshop)
    fits = folds * len(members)
    say(f"boosted trees speak of the training rows of {len(members)} members: {fits} fits")
    with bar("fitting trees", fits) as progress:
        found = taught(
            members,
            pooled,
            materials,
            gain_power=trees.gain_power,
            folds=folds,
            workers=of.workers(config),
            folder=workdir / "taught",
            progress=progress,
            should_stop=lambda: stop.is_set,
        )
    if found is None:
        if crew is not None:
            say("a signal asks to stop; the compiler is waited for, since nothing interrupts it")
            wait([crew.program])
        return None
    # Processes that would learn from different trees would no longer train the same members.
    alike = [replace(one, taught=from_first(one.taught), normalizer=from_first(one.normalizer)) for one in found]
    return alike, crew


def _is_same_run(config: ConfigDict, workdir: Path) -> bool:
    """Whether `workdir` holds this very run; a run of another config is refused, field by field."""
    if not (workdir / "config.json").exists():
        return False
    changed = of.differences(read_json(workdir / "config.json"), of.plain(config))
    if changed:
        lines = "\n  ".join(changed)
        raise InputError(f"{workdir} holds a run of another config:\n  {lines}\nchoose another --workdir")
    return True


def _is_done(config: ConfigDict, workdir: Path) -> bool:
    """Whether all is written and no member was lost since."""
    members = workdir / "members"
    there = all(has_checkpoint(members / name) for name in member_names(config))
    return there and (members / "reference.npz").exists() and (workdir / "metrics.json").exists()


def _columns(pairs: Sequence[tuple[str, str]]) -> tuple[list[str], list[str]]:
    return [a for a, _ in pairs], [b for _, b in pairs]
