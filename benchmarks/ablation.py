"""What band representations and tight binding are worth to gradient-boosted trees, paired by row.

    python -m benchmarks.ablation --config=configs/quick.py --config.data.path=TABLE --folds=5

scikit-learn's histogram boosting on the features that the networks get, those of a crystal's points and lines pooled
over them, cross-validated over the folds of the training rows (grouped by formula; test and vote rows take no part).
Differences are in points of accuracy; their standard error counts formulas, not rows. The sets:

    without          composition, lattice, symmetry, electron count
    representations  and what the outer shells induce (`modalities.valence_bands`)
    published        and tight binding by the published figures (`--sets` names which are computed)
    learned          and tight binding by the learned figures instead
    both             and tight binding by both
"""

import tempfile
from dataclasses import replace
from itertools import compress
from pathlib import Path
from time import monotonic

import numpy as np
from absl import app, flags
from ml_collections import ConfigDict, config_flags

from benchmarks.grouped_scores import SCORES, grouped_scores, print_difference, print_header, print_means
from benchmarks.tree_features import boosted, columns
from jaxboost.console import say
from jaxboost.data.materials import Table
from jaxboost.data.splits import Splits
from jaxboost.modalities import bands, electrons, kspace_graph, valence_bands
from jaxboost.modalities.band_rows import BAND_COLUMNS
from jaxboost.rows import features_of, split_table, splits_of_rows

_CONFIG = config_flags.DEFINE_config_file("config", "configs/quick.py")
_FOLDS = flags.DEFINE_integer("folds", 5, "how many of the folds are held out in turn", lower_bound=1)
_SETS = flags.DEFINE_list("sets", ["published", "learned"], "figures of tight binding to compare")
_TREES = flags.DEFINE_integer("trees", 200, "boosting rounds", lower_bound=1)
_MAX_ATOMS = flags.DEFINE_integer("max_atoms", 0, "listed atoms of the largest cell; 0: all")


def with_bands(config: ConfigDict, name: str) -> ConfigDict:
    """The config with tight binding by one set of figures."""
    config = config.copy_and_resolve_references()
    config.tight_binding.enabled, config.tight_binding.parameters = True, name
    return config


def small(table: Table, splits: Splits, max_atoms: int) -> tuple[Table, Splits]:
    """The rows of cells up to some size."""
    rows = np.array([len(structure.atomic_numbers) <= max_atoms for structure in table.structures])
    table = replace(
        table,
        ids=table.ids[rows],
        structures=tuple(compress(table.structures, rows)),
        labels=table.labels[rows],
        split=None,
    )
    return table, Splits(splits.test[rows], splits.vote[rows], splits.fold[rows], splits.ensemble_validation[:, rows])


def main(_: list[str]) -> None:
    """Featurises where the cache has no features yet, cross-validates, prints."""
    config = _CONFIG.value
    config.tight_binding.enabled = False
    with tempfile.TemporaryDirectory() as nowhere:
        table, splits = split_table(config, Path(nowhere))
    if _MAX_ATOMS.value:
        table, splits = small(table, splits, _MAX_ATOMS.value)
    dataset = features_of(config, table)
    features, fold = dataset.features, splits_of_rows(splits, dataset).fold
    first = (len(electrons.COLUMNS), len(kspace_graph.CRYSTAL_COLUMNS), 0)
    second = (
        first[0] + len(valence_bands.CRYSTAL_COLUMNS),
        first[1] + len(valence_bands.POINT_COLUMNS),
        len(valence_bands.LINE_COLUMNS),
    )
    plain = [features.scalars, features.space_group[:, None], columns(features, (0, 0, 0), first)]
    matrices = {"without": np.concatenate(plain, axis=1)}
    matrices["representations"] = np.concatenate([matrices["without"], columns(features, first, second)], axis=1)
    found = {}
    for name in _SETS.value:
        other = features_of(with_bands(config, name), table).features
        found[name] = columns(other, second, (None, None, None))
        known = other.electrons[:, second[0] + bands.ELECTRON_COLUMNS.index("bands_known")] > 0
        lines = other.electrons[:, second[0] + 1 + BAND_COLUMNS.index("spin_orbit")] > 0
        matrices[name] = np.concatenate([matrices["representations"], found[name]], axis=1)
    if len(found) > 1:
        matrices["both"] = np.concatenate([matrices["representations"], *found.values()], axis=1)

    held = np.flatnonzero((fold >= 0) & (fold < _FOLDS.value))
    say(f"{len(held)} held-out rows of {(fold >= 0).sum()} training rows")
    results = {}
    for name, matrix in matrices.items():
        begun, result = monotonic(), np.full((len(fold), len(SCORES)), np.nan)
        for k in range(_FOLDS.value):
            train, test = (fold >= 0) & (fold != k), fold == k
            trees = boosted(matrix[train], dataset.labels[train], _TREES.value)
            result[test] = grouped_scores(trees.predict_proba(matrix[test]), dataset.labels[test], dataset.classes)
        results[name] = result
        say(f"{name}: {matrix.shape[1]} columns, {monotonic() - begun:.0f} s")
    parts = {"all": held}
    if found:
        parts |= {"with bands": held[known[held]], "with all of them": held[known[held] & lines[held]]}
    for part, rows in parts.items():
        report(part, {name: result[rows] for name, result in results.items()}, dataset.formulas[rows])


def report(part: str, results: dict[str, np.ndarray], formulas: np.ndarray) -> None:
    """Prints the scores of some rows, and of each set the differences to those before it."""
    print(f"\n{part}: {len(formulas)} rows", end="")
    print_header("")
    for place, (name, result) in enumerate(results.items()):
        print_means(name, result)
        for other, against in list(results.items())[:place]:
            print_difference(f"  - {other}", result, against, formulas)


if __name__ == "__main__":
    app.run(main)
