"""The recipes that are compared: which techniques are on in each, who votes in it, and the table of differences."""

from collections.abc import Mapping
from dataclasses import dataclass, replace

import numpy as np
from ml_collections import ConfigDict

from benchmarks.grouped_scores import SCORES, print_difference, print_header, print_means
from benchmarks.row_sets import draw_groups
from jaxboost.data.splits import Splits
from jaxboost.modalities import MODALITIES
from jaxboost.reporting.metrics import paired_difference

CLAIMED = {
    "capacity": 2.0,
    "attention": 1.0,
    "cyclic rate": 0.5,
    "mixup": 0.7,
    "TTA": 0.5,
    "K folds": 0.8,
    "ensembling": 1.0,
}
"""Technique -> points of accuracy that the recipe's predecessor claimed for it, without a measurement."""

_VOTES = ("TTA", "K folds", "ensembling")  # what these change is the vote, not the training of any network


@dataclass(frozen=True)
class System:
    """A recipe: the techniques that are on, and a modality that its networks do not see ('' for none)."""

    on: frozenset[str]
    hidden: str = ""


@dataclass(frozen=True)
class Comparison:
    """Two systems that differ in one technique or modality, with it and without."""

    name: str
    place: str  # 'beside others' or 'alone'
    with_it: System
    without: System


@dataclass(frozen=True)
class Voter:
    """A network of a system: its name in the roster, and all that its training depends on but the seed."""

    name: str
    on: frozenset[str]
    hidden: str


def comparisons(names: list[str]) -> list[Comparison]:
    """What is compared for some techniques and modalities, or for all of them where `names` is empty."""
    everything, single = System(frozenset(CLAIMED)), System(frozenset(CLAIMED) - {"K folds", "ensembling"})
    nothing, found = System(frozenset()), []
    for name in CLAIMED:
        found.append(Comparison(name, "beside others", everything, System(everything.on - {name})))
        found.append(Comparison(name, "alone", System(frozenset({name})), nothing))
    for name in MODALITIES:
        found.append(Comparison(name, "beside others", single, replace(single, hidden=name)))
    return [one for one in found if not names or one.name in names]


def voters(system: System, folds: int, members: int) -> list[Voter]:
    """The networks whose logits the system averages."""
    names = [f"kfold_{k}" for k in range(folds if "K folds" in system.on else 1)]
    names += [f"ensemble_{i}" for i in range(members if "ensembling" in system.on else 0)]
    return [Voter(name, system.on.difference(_VOTES), system.hidden) for name in names]


def narrowed(config: ConfigDict) -> ConfigDict:
    """The config with half the widths and half the layers."""
    config = config.copy_and_resolve_references()
    network = config.network
    for name in ("token", "crystal_width", "crystal_layers", "radial", "kspace_width", "kspace_layers"):
        network[name] //= 2
    for name in ("group_width", "fusion_width", "reader_width"):
        network[name] //= 2
    for name in ("scalar_widths", "electron_widths", "classifier_widths"):
        network[name] = tuple(width // 2 for width in network[name][: -(-len(network[name]) // 2)])
    return config


def thinned(splits: Splits, formulas: np.ndarray, count: int, seed: int) -> Splits:
    """The folds but the first, renumbered and thinned to about `count` rows; every other row stands in no fold."""
    pool = np.flatnonzero(splits.fold >= 1)
    rows = draw_groups(formulas, pool, count, np.random.default_rng([seed, 1]))
    fold = np.full(len(formulas), -1)
    fold[rows] = splits.fold[rows] - 1
    return replace(splits, fold=fold, ensemble_validation=splits.ensemble_validation & (fold >= 0))


def report(compared: list[Comparison], results: Mapping[System, np.ndarray], formulas: np.ndarray) -> None:
    """Prints a table; `results` are `[seed, n, len(SCORES)]`, `formulas` [n]."""
    for name in dict.fromkeys(one.name for one in compared):
        claim = f", claimed: {CLAIMED[name]:+.1f} points" if name in CLAIMED else ""
        print_header("")
        print(f"{name}{claim}")
        for one in (one for one in compared if one.name == name):
            with_it, without = results[one.with_it], results[one.without]
            print_means(f" {one.place}", with_it.mean(0))
            print_means("  without", without.mean(0))
            print_difference("  difference", with_it.mean(0), without.mean(0), formulas)
            print(f"  by seed, 5-class: {by_seed(with_it, without)}")
    print("\n5-class, points   claimed    beside others           alone")
    for name in dict.fromkeys(one.name for one in compared):
        cells = {
            one.place: worth(results[one.with_it], results[one.without], formulas)
            for one in compared
            if one.name == name
        }
        claimed = f"{CLAIMED[name]:+.1f}" if name in CLAIMED else ""
        print(f"{name:18}{claimed:>7}" + "".join(f"{cells.get(place, ''):>17}" for place in ("beside others", "alone")))


def worth(with_it: np.ndarray, without: np.ndarray, formulas: np.ndarray) -> str:
    """The difference in points of 5-class accuracy, averaged over the seeds, with its error by formula."""
    column = SCORES.index("5-class")
    mean, error = paired_difference(with_it[..., column].mean(0), without[..., column].mean(0), formulas)
    return f"{100 * mean:+.2f} +- {100 * error:.2f}"


def by_seed(with_it: np.ndarray, without: np.ndarray) -> str:
    """The difference in points of 5-class accuracy of each seed, from `[seed, n, len(SCORES)]`."""
    column = SCORES.index("5-class")
    return "  ".join(f"{100 * one:+.2f}" for one in (with_it - without)[..., column].mean(1))
