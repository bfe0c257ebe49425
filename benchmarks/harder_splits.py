"""One network and boosted trees on the same features where held-out rows are farther from the training rows, or few.

    python -m benchmarks.harder_splits --config=configs/quick.py --config.data.path=TABLE

All rows are training rows of the recipe; its test and vote rows take no part. Held out are

    by formula      fold 0, with 500, 2,000, 8,000 (`--sizes`) and all rows of the other folds to train: the reference
    by system       folds of which no two share a set of elements (`--folds` says how many of five are scored)
    families        every crystal with an element of a family, seen by none of the training rows (`row_sets.FAMILIES`)

The network is a fold model of the config, for `--epochs` epochs of as many steps as all rows of a formula fold make,
whatever the size of its own training set; all of them are one population. A tenth of its training rows, in whole
formulas, chooses its epoch and fits its temperature; scikit-learn's boosting (`jaxboost.modalities.pooled_columns` and
what relatives say, all the training rows) takes a tenth of them to stop early, so no held-out row chooses anything. The
difference is network less trees, paired by row; errors count formulas.
"""

from time import monotonic

import numpy as np
from absl import app, flags
from ml_collections import ConfigDict, config_flags
from scipy.special import softmax

from benchmarks.grouped_scores import grouped_scores, print_difference, print_header, print_means_with_errors
from benchmarks.networks import load, reference_of, score, train
from benchmarks.row_sets import FAMILIES, HarderSplit, draw_groups, elements_of, harder_splits
from benchmarks.tree_features import boosted
from jaxboost import settings as of
from jaxboost.console import say
from jaxboost.data.batches import fit_normalizer
from jaxboost.data.dataset import Dataset
from jaxboost.data.isopointal import relative_columns
from jaxboost.data.splits import Splits
from jaxboost.errors import InputError
from jaxboost.inference import fit_temperature
from jaxboost.modalities.pooled_columns import pooled_columns
from jaxboost.training.member import Member
from jaxboost.training.roster import make_roster, reader_steps, reference_rows

_CONFIG = config_flags.DEFINE_config_file("config", "configs/quick.py")
_EPOCHS = flags.DEFINE_integer("epochs", 10, "of every network", lower_bound=2)
_SIZES = flags.DEFINE_list("sizes", ["500", "2000", "8000"], "training rows of the small training sets")
_FOLDS = flags.DEFINE_integer("folds", 3, "how many of five folds by chemical system", lower_bound=1, upper_bound=5)
_FAMILIES = flags.DEFINE_list("families", list(FAMILIES), "families of elements to leave out in turn")
_PEERS = flags.DEFINE_boolean("peers", True, "boosted trees beside the network")
_TREES = flags.DEFINE_integer("trees", 200, "boosting rounds", lower_bound=1)


def network_probabilities(
    config: ConfigDict, dataset: Dataset, splits: list[HarderSplit], own: Splits
) -> list[np.ndarray]:
    """[n, class] of each split's held-out rows; `own` are the splits of a run, whose first fold model they are."""
    first, reference, everyone = fold_model(config, dataset, own), reference_of(dataset, own), reference_rows(own)
    members, kept = [], []
    for i, split in enumerate(splits):
        tenth = draw_groups(
            dataset.formulas, split.train, len(split.train) // 10, np.random.default_rng([config.seed, i])
        )
        rows = np.setdiff1d(split.train, tenth)
        kept.append(tenth)
        known = np.isin(everyone, rows) if config.data.relatives else np.zeros(1, bool)
        normalizer = fit_normalizer(dataset.features, rows, known, reader_steps(config))
        members.append(Member(f"split_{i}", rows, tenth, normalizer, first.hyperparameters))
    trained = train(config, dataset, members, len(first.train), reference)
    on_tenth = score(config, dataset, trained, kept, reference)
    logits = score(config, dataset, trained, [split.held for split in splits], reference)
    temperatures = [fit_temperature(own, dataset.labels[rows]) for own, rows in zip(on_tenth, kept, strict=True)]
    return [softmax(own / temperature, axis=-1) for own, temperature in zip(logits, temperatures, strict=True)]


def tree_probabilities(dataset: Dataset, splits: list[HarderSplit], rounds: int, relatives: int) -> list[np.ndarray]:
    """[n, class] of each split's held-out rows; `relatives` are heard of, as many as the network hears."""
    pooled, found, classes = pooled_columns(dataset.features).table, [], len(dataset.classes)
    for split in splits:
        begun, columns = monotonic(), pooled
        if relatives:
            heard = relative_columns(dataset.features, dataset.labels, split.train, relatives, classes)
            columns = np.concatenate([pooled, heard], axis=1)
        trees = boosted(columns[split.train], dataset.labels[split.train], rounds)
        probabilities = np.zeros((len(split.held), len(dataset.classes)))
        probabilities[:, trees.classes_] = trees.predict_proba(columns[split.held])
        found.append(probabilities)
        say(f"trees {split.title}: {monotonic() - begun:.0f} s")
    return found


def report(dataset: Dataset, splits: list[HarderSplit], sides: dict[str, list[np.ndarray]]) -> None:
    """Prints a table for each title; `sides` are the probabilities of each split's held-out rows, by model."""
    for title in dict.fromkeys(split.title for split in splits):
        places = [i for i, split in enumerate(splits) if split.title == title]
        rows = np.concatenate([splits[i].held for i in places])
        labels, formulas = dataset.labels[rows], dataset.formulas[rows]
        trained = min(len(splits[i].train) for i in places)
        results = {
            name: grouped_scores(np.concatenate([found[i] for i in places]), labels, dataset.classes)
            for name, found in sides.items()
        }
        print_header("")
        print(f"{title}: {len(rows)} rows held out, {trained} or more to train")
        print(f"  the most frequent class: {100 * np.bincount(labels).max() / len(labels):.2f}%")
        for name, result in results.items():
            print_means_with_errors(name, result, formulas)
        if len(results) > 1:
            print_difference("difference", *results.values(), formulas)


def main(_: list[str]) -> None:
    """Trains, scores, prints."""
    config = _CONFIG.value
    if unknown := sorted(set(_FAMILIES.value) - set(FAMILIES)):
        raise InputError(f"no families {', '.join(unknown)}; there are {', '.join(FAMILIES)}")
    of.start_jax()
    of.compilation_cache(config)
    table, dataset, own = load(config)
    splits = harder_splits(
        own.fold,
        dataset.formulas,
        elements_of(table, dataset.kept),
        sizes=[int(size) for size in _SIZES.value],
        folds=_FOLDS.value,
        families=_FAMILIES.value,
        seed=config.seed,
    )
    sides = {"network": network_probabilities(config, dataset, splits, own)}
    if _PEERS.value:
        sides["trees"] = tree_probabilities(dataset, splits, _TREES.value, config.data.relatives)
    print(f"\n{_EPOCHS.value} epochs, batch {config.optimizer.batch}, token {config.network.token}")
    report(dataset, splits, sides)


def fold_model(config: ConfigDict, dataset: Dataset, splits: Splits) -> Member:
    """The first fold model of the config, for `--epochs` epochs on one cosine."""
    config.kfold.epochs = config.kfold.patience = _EPOCHS.value
    config.kfold.cycle_epochs = max(_EPOCHS.value - config.optimizer.warmup_epochs, 1)
    config.kfold.cycles = 1
    return make_roster(config, splits, dataset.features)[0]


if __name__ == "__main__":
    app.run(main)
