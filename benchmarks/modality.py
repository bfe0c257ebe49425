"""What a modality is worth: fold models with it and without it, trained side by side, compared row by row.

    python -m benchmarks.modality --config=configs/quick.py --config.data.path=TABLE --modality=kspace --folds=2

Both sides are members of one population: same rows, batches, initial weights, views and budget, and the scoring of
each is on the fold that it was not trained on. The difference is paired by row; its standard error counts formulas,
not rows. One seed: the chance of the initial weights is in both sides alike, not in the error.
"""

import tempfile
from dataclasses import replace
from pathlib import Path

import numpy as np
from absl import app, flags
from ml_collections import config_flags
from scipy.special import log_softmax

from jaxboost import settings as of
from jaxboost.console import say
from jaxboost.data.batches import symmetry_tables
from jaxboost.data.dataset import Dataset, resident
from jaxboost.data.isopointal import Reference, make_reference
from jaxboost.finished_run import restore_member, scorer_of
from jaxboost.inference import fit_temperature
from jaxboost.modalities import MODALITIES
from jaxboost.models import Network
from jaxboost.reporting.metrics import paired_difference
from jaxboost.rows import features_of, split_table, splits_of_rows
from jaxboost.training.loop import Progress, Workshop, train_population
from jaxboost.training.member import Member
from jaxboost.training.roster import make_roster, reference_rows

_CONFIG = config_flags.DEFINE_config_file("config", "configs/quick.py")
_MODALITY = flags.DEFINE_enum("modality", "kspace", MODALITIES, "which one to leave out")
_FOLDS = flags.DEFINE_integer("folds", 2, "how many of the folds", lower_bound=1)


def without(member: Member, modality: str) -> Member:
    """The same member, blind to one modality."""
    seen = member.hyperparameters.modalities & (np.array(MODALITIES) != modality)
    return replace(
        member, name=f"{member.name}_without", hyperparameters=member.hyperparameters._replace(modalities=seen)
    )


def logits_of(members: list[Member], dataset: Dataset, reference: Reference) -> list[np.ndarray]:
    """[n, class] of each member's validation rows, from its best epoch."""
    config = _CONFIG.value
    sizes = dataset.features.n_orbits
    with tempfile.TemporaryDirectory() as folder:
        workshop = Workshop(
            network=Network(of.network_settings(config, len(dataset.classes))),
            settings=of.training_settings(config, sizes, len(members[0].train)),
            mesh=of.device_mesh(config, len(members)),
            materials=resident(dataset, config.data.rules, reference, config.data.relatives),
            tables=symmetry_tables(),
            sizes=sizes,
            folder=Path(folder),
            identity=of.checkpoint_identity(config, dataset.classes),
            batch=config.optimizer.batch,
            checkpoint_every=config.kfold.epochs,
        )
        train_population(members, workshop, report=_report, should_stop=lambda: False)
        trained = [restore_member(workshop.folder / member.name, workshop.identity)[0] for member in members]
    scorer = scorer_of(config, dataset, dataset.classes, len(trained), reference)
    return [logits for logits, _ in scorer(trained, [member.validation for member in members])]


def _report(progress: Progress) -> None:
    if progress.rows:
        say(f"epoch {progress.rows[0]['epoch']}")


def main(_: list[str]) -> None:
    """Trains, scores, prints."""
    config, modality = _CONFIG.value, _MODALITY.value
    of.start_jax()
    of.compilation_cache(config)
    with tempfile.TemporaryDirectory() as nowhere:
        table, splits = split_table(config, Path(nowhere))
    dataset = features_of(config, table)
    splits = splits_of_rows(splits, dataset)
    reference = make_reference(dataset.features, dataset.labels, reference_rows(splits))
    folds = make_roster(config, splits, dataset.features)[: _FOLDS.value]
    members = [*folds, *(without(member, modality) for member in folds)]
    logits = logits_of(members, dataset, reference)

    losses, hits, rows = [], [], np.concatenate([member.validation for member in folds])
    for side in (logits[: len(folds)], logits[len(folds) :]):
        log_p, labels = [], dataset.labels[rows]
        for member, own in zip(folds, side, strict=True):
            # One temperature a model, on both sides alike: what is compared is order and spread, not overconfidence.
            temperature = fit_temperature(own, dataset.labels[member.validation])
            log_p.append(log_softmax(own / temperature, axis=-1))
        joined = np.concatenate(log_p)
        losses.append(-joined[np.arange(len(rows)), labels])
        hits.append((joined.argmax(-1) == labels).astype(float))
    formulas = dataset.formulas[rows]
    print(f"{modality}: {len(folds)} folds, {len(rows)} held-out rows, {len(np.unique(formulas))} formulas")
    for name, (full, less) in (("log loss", losses), ("accuracy", hits)):
        difference, error = paired_difference(less, full, formulas)
        print(
            f"{name:10} with {full.mean():.4f}   without {less.mean():.4f}   "
            f"without - with {difference:+.4f} +- {error:.4f}"
        )


if __name__ == "__main__":
    app.run(main)
