"""What much simpler models make of the same rows: the figures that a network must beat to be worth its training."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
from sklearn.ensemble import HistGradientBoostingClassifier
from threadpoolctl import threadpool_limits

from jaxboost.data.dataset import Dataset
from jaxboost.data.embedded import prototype_of
from jaxboost.data.isopointal import relative_columns
from jaxboost.data.splits import Splits
from jaxboost.modalities.pooled_columns import pooled_columns
from jaxboost.modalities.scalars import LATTICE_COLUMNS, column_names

NAMES = {
    "majority": "the most frequent class",
    "prototype": "a look-up by prototype",
    "elements": "gradient-boosted trees on the elements alone",
    "boosted_trees": "gradient-boosted trees on the same features",
}
"""Baseline -> what it is, in words."""


def boosted_trees(columns: np.ndarray, labels: np.ndarray, train: np.ndarray, rows: np.ndarray, seed: int) -> float:
    """Accuracy on `rows` of scikit-learn's histogram gradient boosting, fitted on the rows `train` of [n, columns].

    Its settings were chosen on held-out training rows of the embedded default (benchmarks/embedded.py).
    """
    trees = HistGradientBoostingClassifier(
        max_iter=80, learning_rate=0.08, max_leaf_nodes=12, min_samples_leaf=10, max_features=0.3, random_state=seed
    )
    # Its threads wait actively for each other: on a busy machine more of them are several times slower.
    with threadpool_limits(limits=1):
        trees.fit(columns[train], labels[train])
        return float((trees.predict(columns[rows]) == labels[rows]).mean())


def baselines(dataset: Dataset, train: np.ndarray, rows: np.ndarray, seed: int, relatives: int) -> dict[str, float]:
    """Accuracies of simple models on some rows of the embedded table.

    Args:
      dataset: of the embedded table.
      train, rows: indices of the rows to fit on and to score.
      seed: of the trees.
      relatives: how many are heard, as `config.data.relatives`.

    Returns:
      `majority`: the most frequent class; `prototype`: the most frequent one of each prototype; `elements`: boosted
      trees on the composition alone; `boosted_trees`: on all features, pooled (`pooled_columns`), and relatives.
    """
    labels = dataset.labels
    names, prototype = np.unique([prototype_of(name) for name in dataset.ids], return_inverse=True)
    counts = np.zeros((len(names), len(dataset.classes)))
    np.add.at(counts, (prototype[train], labels[train]), 1)
    commonest = counts.argmax(axis=1)
    composition = dataset.features.scalars[:, : column_names().index(LATTICE_COLUMNS[0])]
    all_columns = pooled_columns(dataset.features).table
    if relatives:
        heard = relative_columns(dataset.features, labels, train, relatives, len(dataset.classes))
        all_columns = np.concatenate([all_columns, heard], axis=1)
    return {
        "majority": float((labels[rows] == counts.sum(axis=0).argmax()).mean()),
        "prototype": float((labels[rows] == commonest[prototype[rows]]).mean()),
        "elements": boosted_trees(composition, labels, train, rows, seed),
        "boosted_trees": boosted_trees(all_columns, labels, train, rows, seed),
    }


def on_test_rows(dataset: Dataset, splits: Splits, seed: int, relatives: int) -> dict[str, float]:
    """`baselines` on the test rows, fitted on the rows that the members see."""
    return baselines(dataset, np.flatnonzero(splits.fold >= 0), np.flatnonzero(splits.test), seed, relatives)


def baseline_lines(found: Mapping[str, float]) -> str:
    """The figures in plain lines, in per cent."""
    lines = [f"  {text:46}{100 * found[name]:6.2f}" for name, text in NAMES.items()]
    return "\n".join(["For scale, accuracy in % on the same test rows:", *lines])
