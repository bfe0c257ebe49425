"""A run whose members are trained: restoring them, scoring with them, writing what was found."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import asdict, dataclass, fields, replace
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from ml_collections import ConfigDict

from jaxboost import settings as of
from jaxboost.console import Stopwatch, bar, say
from jaxboost.data.batches import Normalizer, symmetry_tables
from jaxboost.data.dataset import Dataset, resident
from jaxboost.data.isopointal import Reference, make_reference, read_reference
from jaxboost.data.splits import Splits
from jaxboost.errors import InputError
from jaxboost.evaluation import Ballot, Evaluation, best_fold, evaluate, hold_ballot
from jaxboost.importance import permutation_importance
from jaxboost.inference import Scorer, TrainedMember, logits_program
from jaxboost.limits import check_config
from jaxboost.models import Memory, Network
from jaxboost.reporting.album import draw
from jaxboost.run_folder import read_json, write_csv, write_json
from jaxboost.training.checkpoints import has_checkpoint, restore_checkpoint
from jaxboost.training.member_checkpoint import check_identity
from jaxboost.training.roster import reference_rows


@dataclass(frozen=True)
class RunVote:
    """What a run found beside the weights of its members, as `members/vote.json` holds it.

    Attributes:
      ballot: how the members vote.
      classes: in the order of the logits, also where the table's own labels gave them.
      formulas: that a member was trained on.
    """

    ballot: Ballot
    classes: tuple[str, ...]
    formulas: frozenset[str]


def config_of(workdir: Path) -> ConfigDict:
    """The config of the run in `workdir`. Raises `InputError` where there is no run, or one of another version."""
    if not (workdir / "config.json").exists():
        raise InputError(f"{workdir}: no run is here (no config.json); train one, or give its --workdir")
    config = ConfigDict(read_json(workdir / "config.json"))
    check_config(config)
    return config


def keep_vote(workdir: Path, ballot: Ballot, dataset: Dataset, splits: Splits) -> None:
    """Writes what `vote_of` reads."""
    write_vote(workdir, RunVote(ballot, dataset.classes, frozenset(dataset.formulas[splits.fold >= 0].tolist())))


def write_vote(workdir: Path, vote: RunVote) -> None:
    """Writes what `vote_of` reads."""
    stored = {**asdict(vote.ballot), "classes": vote.classes, "formulas": sorted(vote.formulas)}
    write_json(workdir / "members" / "vote.json", stored)


def vote_of(workdir: Path) -> RunVote:
    """What the run in `workdir` found. Raises `InputError` where it is not finished."""
    path = workdir / "members" / "vote.json"
    if not path.exists():
        raise InputError(f"{workdir}: the run is not finished (no members/vote.json); start it again to go on")
    stored = read_json(path)
    ballot = Ballot(**{field.name: stored[field.name] for field in fields(Ballot)})
    return RunVote(ballot, tuple(stored["classes"]), frozenset(stored["formulas"]))


def keep_reference(workdir: Path, dataset: Dataset, splits: Splits) -> Reference:
    """Writes what `reference_of` reads: the crystals that members are trained on, with their labels."""
    reference = make_reference(dataset.features, dataset.labels, reference_rows(splits))
    (workdir / "members").mkdir(parents=True, exist_ok=True)
    reference.save(workdir / "members" / "reference.npz")
    return reference


def reference_of(workdir: Path) -> Reference:
    """Of the run in `workdir`. Raises `InputError` where it cannot be read."""
    return read_reference(workdir / "members" / "reference.npz")


def present(ballot: Ballot, names: Collection[str]) -> Ballot:
    """The ballot among the members that are there (--allow_partial)."""
    voters = {c: [name for name in voters if name in names] for c, voters in ballot.voters.items()}
    voters = {c: own for c, own in voters.items() if own}
    if ballot.best not in voters:
        raise InputError(f"none of the members of {ballot.best!r}, the chosen candidate, is there")
    return replace(ballot, voters=voters)


def restore_member(folder: Path, identity: dict[str, Any]) -> tuple[TrainedMember, dict[str, Any]]:
    """A finished member for scoring, and what was fitted and found while it trained."""
    if not has_checkpoint(folder):
        raise InputError(f"{folder}: there is no checkpoint")
    restored = restore_checkpoint(folder)
    check_identity(folder, restored.fitted["identity"], identity)
    if not restored.fitted["finished"]:
        raise InputError(f"{folder}: training is not finished; start the same command with --mode=train again")
    normalizer = Normalizer(**restored.tree["normalizer"])
    modalities = np.asarray(restored.fitted["modalities"], bool)
    memory = Memory(**restored.tree["memory"])
    return TrainedMember(folder.name, restored.tree["params"], normalizer, modalities, memory), restored.fitted


class Restored(NamedTuple):
    """The members that finished without failing, what their checkpoints say by name, and what a reader must know."""

    members: list[TrainedMember]
    found: dict[str, Mapping[str, Any]]
    notes: list[str]


def member_names(config: ConfigDict) -> list[str]:
    """Folders of the members that a run trains."""
    folds = [f"kfold_{k}" for k in range(config.kfold.folds)]
    return [*folds, *(f"ensemble_{i}" for i in range(config.ensemble.members)), "full"]


def restore_members(
    config: ConfigDict, workdir: Path, classes: tuple[str, ...], allow_partial: bool = False
) -> Restored:
    """Restores all members that can vote.

    Raises:
      InputError: the checkpoint of a member is missing or cannot be used, and not `allow_partial`; or none can.
    """
    names = member_names(config)
    identity = of.checkpoint_identity(config, classes)
    restored, missing, notes = [], {}, []
    for name in names:
        try:
            restored.append(restore_member(workdir / "members" / name, identity))
        except InputError as error:
            missing[name] = str(error)
    if missing:
        reasons = "\n  ".join(missing.values())
        if not (allow_partial and restored):
            raise InputError(
                f"{workdir}: {len(missing)} of {len(names)} members cannot be restored:\n  {reasons}\nstart the run "
                "again to train them" + (", or vote with the rest by --allow_partial" if restored else "")
            )
        notes.append(f"{len(restored)} of {len(names)} members vote; the others cannot be restored:\n  {reasons}")
    # Checkpoints of before do not say where.
    failed = {member.name: fitted.get("diverged") for member, fitted in restored if fitted["failed"]}
    if failed:
        where = ", ".join(name + (f" ({found})" if found else "") for name, found in failed.items())
        notes.append(f"left out of the vote, since a gradient was not finite: {where}")
    for note in notes:
        say(note)
    good = [(member, fitted) for member, fitted in restored if not fitted["failed"]]
    return Restored([member for member, _ in good], {member.name: fitted for member, fitted in good}, notes)


def scorer_of(
    config: ConfigDict, dataset: Dataset, classes: tuple[str, ...], members: int, reference: Reference
) -> Scorer:
    """Of the rows of a dataset; `reference` is that of the run."""
    sizes = dataset.features.n_orbits
    settings = of.scoring_settings(config, sizes)
    mesh = of.scoring_mesh(config, members)
    return Scorer(
        program=logits_program(Network(of.network_settings(config, len(classes))), settings, mesh),
        settings=settings,
        mesh=mesh,
        views=of.vote_views(config),
        materials=resident(dataset, config.data.rules, reference, config.data.relatives),
        tables=symmetry_tables(),
        sizes=sizes,
    )


def evaluate_run(
    config: ConfigDict,
    workdir: Path,
    dataset: Dataset,
    splits: Splits,
    *,
    ballot: Ballot | None = None,
    allow_partial: bool = False,
) -> tuple[Evaluation, list[str]]:
    """An evaluation from the checkpoints, and notes on it for the report.

    Also at the end of training: what is reported is what can be restored.
    """
    members, found, notes = restore_members(config, workdir, dataset.classes, allow_partial)
    scorer = scorer_of(config, dataset, dataset.classes, len(members), reference_of(workdir))
    with bar("scoring", None) as progress:
        evaluation = evaluate(
            members,
            found,
            dataset,
            splits,
            scorer,
            groupings=config.data.groupings.to_dict(),
            average=config.vote.average,
            super_members=config.vote.members,
            ballot=None if ballot is None else present(ballot, {member.name for member in members}),
            with_bands=config.tight_binding.enabled,
        )
        vote = np.flatnonzero(splits.vote)
        if ballot is not None or not len(vote):
            return evaluation, notes
        progress(0, title="scoring with parts shuffled")
        of_rows = vote, dataset.labels[vote], dataset.formulas[vote]
        importance = permutation_importance(members, evaluation.ballot, scorer, *of_rows)
    return replace(evaluation, metrics=evaluation.metrics | {"importance": importance}), notes


def hold_vote(config: ConfigDict, workdir: Path, dataset: Dataset, splits: Splits) -> None:
    """Lets the trained members vote on the vote rows, as `evaluate_run` does, and keeps what that decides.

    Raises:
      InputError: a member cannot be restored, or none finished without failing.
    """
    members, found, _ = restore_members(config, workdir, dataset.classes)
    if not members:
        raise InputError("no member finished without failing, so there is nothing to vote with")
    scorer = scorer_of(config, dataset, dataset.classes, len(members), reference_of(workdir))
    rows = np.flatnonzero(splits.vote)
    scored = dict(zip((member.name for member in members), scorer(members, [rows] * len(members)), strict=True))
    ballot = hold_ballot(
        scored,
        dataset.labels[rows],
        best_fold=best_fold(found),
        average=config.vote.average,
        members=config.vote.members,
    )
    keep_vote(workdir, ballot, dataset, splits)


def metrics_of(
    config: ConfigDict, dataset: Dataset, splits: Splits, evaluation: Evaluation, watch: Stopwatch
) -> dict[str, Any]:
    rows = {"train": int((splits.fold >= 0).sum() + splits.vote.sum()), "test": int(splits.test.sum())}
    seconds = dict.fromkeys(("featurize", "teach", "compile", "train", "evaluate"), 0.0) | watch.seconds
    return {
        "task": {
            "label": config.data.label_column,
            "classes": list(dataset.classes),
            "groupings": config.data.groupings.to_dict(),
        },
        "data": {
            "source": dataset.source,
            "sha256": dataset.sha256,
            "rows": rows,
            "rejected": len(dataset.rejected),
            "grouped_by": "formula",
        },
        **evaluation.metrics,
        "timing_s": {
            **{name: round(value, 2) for name, value in seconds.items()},
            "total": round(watch.total(), 2),
        },
    }


def write_results(
    folder: Path,
    metrics: dict[str, Any],
    evaluation: Evaluation,
    log: list[dict[str, Any]],
    notes: list[str],
    environment: Mapping[str, Any],
) -> None:
    """Predictions, figures, report, and last `metrics.json`: where that stands, all is written.

    `environment` is what the members were trained in; `log` is empty where the table is another than the run's.
    `metrics.json` has `notes` too where there are any, as on members that are left out of the vote.
    """
    write_csv(folder / "predictions.csv", evaluation.predictions)
    with bar("drawing", None):
        draw(folder, metrics, evaluation.cases, log=log, notes=notes, environment=environment)
    write_json(folder / "metrics.json", metrics | ({"notes": notes} if notes else {}))
