"""Members trained side by side and scored, by the package's own parts, with nothing left behind."""

import tempfile
from dataclasses import replace
from pathlib import Path
from time import monotonic

import numpy as np
from ml_collections import ConfigDict

from jaxboost import settings as of
from jaxboost.console import bar, say
from jaxboost.data.batches import symmetry_tables
from jaxboost.data.dataset import Dataset, resident
from jaxboost.data.isopointal import Reference, make_reference
from jaxboost.data.materials import Table
from jaxboost.data.splits import Splits
from jaxboost.errors import InputError
from jaxboost.finished_run import restore_member, scorer_of
from jaxboost.inference import TrainedMember
from jaxboost.modalities.pooled_columns import PARTS, pooled_columns
from jaxboost.models import Network
from jaxboost.rows import features_of, split_table, splits_of_rows
from jaxboost.training.loop import Progress, Workshop, train_population
from jaxboost.training.member import Member
from jaxboost.training.roster import reference_rows
from jaxboost.training.teacher import outlined, taught

_PARTS_OF = {
    modality: [PARTS.index(part) for part in parts]
    for modality, parts in {
        "crystal": ("distance",),
        "kspace": ("space_group", "kspace_columns"),
        "scalars": ("scalars",),
        "electrons": ("electrons",),
    }.items()
}
"""Modality -> its parts of the pooled columns."""


def load(config: ConfigDict) -> tuple[Table, Dataset, Splits]:
    """The table of a config, the features of its usable rows, and the splits of those as a run draws them."""
    with tempfile.TemporaryDirectory() as nowhere:
        table, splits = split_table(config, Path(nowhere))
    dataset = features_of(config, table)
    return table, dataset, splits_of_rows(splits, dataset)


def reference_of(dataset: Dataset, splits: Splits) -> Reference:
    """Whom the members of these splits may hear, as in a run."""
    return make_reference(dataset.features, dataset.labels, reference_rows(splits))


def workshop_of(
    config: ConfigDict,
    dataset: Dataset,
    members: int,
    train_rows: int,
    reference: Reference,
    folder: Path,
    checkpoint_every: int,
) -> Workshop:
    """Where `members` members train, as in a run; `train_rows` rows make an epoch for each of them."""
    sizes = dataset.features.n_orbits
    return Workshop(
        network=Network(of.network_settings(config, len(dataset.classes))),
        settings=of.training_settings(config, sizes, train_rows),
        mesh=of.device_mesh(config, members),
        materials=resident(dataset, config.data.rules, reference, config.data.relatives),
        tables=symmetry_tables(),
        sizes=sizes,
        folder=folder,
        identity=of.checkpoint_identity(config, dataset.classes),
        batch=config.optimizer.batch,
        checkpoint_every=checkpoint_every,
    )


def teach(
    config: ConfigDict, dataset: Dataset, members: list[Member], workshop: Workshop, hidden: str = ""
) -> list[Member]:
    """The members with what their teachers say, if they have any, as in a run; kept in the workshop's folder.

    Teachers do not hear of a `hidden` modality; relatives go with the scalars.
    """
    if not _has_teachers(config):
        return members
    pooled, pupils = pooled_columns(dataset.features), members
    if hidden:
        pooled = replace(pooled, table=np.where(np.isin(pooled.part, _PARTS_OF[hidden]), np.nan, pooled.table))
    if hidden == "scalars":
        deaf = np.zeros_like(members[0].normalizer.known)
        pupils = [replace(member, normalizer=member.normalizer._replace(known=deaf)) for member in members]
    folds = config.objective.taught_folds
    with bar("fitting trees", folds * len(members)) as progress:
        found = taught(
            pupils,
            pooled,
            workshop.materials,
            gain_power=config.objective.gain_power,
            folds=folds,
            workers=of.workers(config),
            folder=workshop.folder / "taught",
            progress=progress,
        )
    assert found is not None  # nothing asked it to stop
    return [
        replace(one, normalizer=one.normalizer._replace(known=member.normalizer.known))
        for one, member in zip(found, members, strict=True)
    ]


def in_outline(config: ConfigDict, dataset: Dataset, members: list[Member], workshop: Workshop) -> list[Member]:
    """The members in the shapes that `teach` gives them."""
    if not _has_teachers(config):
        return members
    pooled, trees = pooled_columns(dataset.features), config.objective
    return outlined(members, pooled, workshop.materials, gain_power=trees.gain_power, folds=trees.taught_folds)


def _has_teachers(config: ConfigDict) -> bool:
    return bool(config.objective.taught or config.objective.gain_power)


def train(
    config: ConfigDict, dataset: Dataset, members: list[Member], train_rows: int, reference: Reference
) -> list[TrainedMember]:
    """The members, trained as one population: one network, and `train_rows` rows make an epoch for each of them.

    `reference` is that of the members (`reference_of`). Members that were taught before are not taught again.

    Raises:
      InputError: a member met a gradient that is not finite.
    """
    begun = monotonic()
    epochs = max(member.hyperparameters.epochs for member in members)
    with tempfile.TemporaryDirectory() as folder:
        workshop = workshop_of(config, dataset, len(members), train_rows, reference, Path(folder), epochs)
        if any(member.taught is None for member in members):
            members = teach(config, dataset, members, workshop)
        with bar("training", epochs) as progress:

            def report(done: Progress) -> None:
                if done.rows:
                    progress(max(row["epoch"] for row in done.rows))

            outcome = train_population(members, workshop, report=report, should_stop=lambda: False)
        found = [restore_member(workshop.folder / member.name, workshop.identity) for member in members]
    if failed := [member.name for member, fitted in found if fitted["failed"]]:
        raise InputError(f"a gradient was not finite in {', '.join(failed)}: lower config.optimizer.max_lr")
    seconds = monotonic() - begun
    say(f"{len(members)} networks: {seconds:.0f} s, {outcome.compile_seconds:.0f} s of it compiling")
    return [member for member, _ in found]


def score(
    config: ConfigDict, dataset: Dataset, members: list[TrainedMember], rows: list[np.ndarray], reference: Reference
) -> list[np.ndarray]:
    """For each member the logits [n, class] of its own `rows` [n], averaged over `config.views.count` views."""
    scorer = scorer_of(config, dataset, dataset.classes, len(members), reference)
    return [scored.logits for scored in scorer(members, rows)]
