"""Features of crystals as rows for trees, what belongs to points and lines pooled over them, and the trees."""

import numpy as np
from sklearn.ensemble import HistGradientBoostingClassifier

from jaxboost.modalities.features import Features
from jaxboost.modalities.kspace_columns import pooled
from jaxboost.modalities.kspace_graph import space_group_arrays


def columns(features: Features, start: tuple[int, int, int], stop: tuple[int | None, ...]) -> np.ndarray:
    """[n, columns] of the electrons, points and lines between two places in each."""
    arrays = space_group_arrays()
    there = arrays.present[features.space_group]
    joined = arrays.line[features.space_group][..., 0] > 0
    n, p = there.shape
    lines = features.lines[..., start[2] : stop[2]].reshape(n, p * p, -1)
    return np.concatenate(
        [
            features.electrons[:, start[0] : stop[0]],
            *pooled(features.points[..., start[1] : stop[1]], there),
            *pooled(lines, joined.reshape(n, p * p)),
        ],
        axis=1,
    )


def boosted(columns: np.ndarray, labels: np.ndarray, rounds: int) -> HistGradientBoostingClassifier:
    """scikit-learn's histogram boosting of labels [n] on [n, columns], stopped early on a tenth of the rows."""
    return HistGradientBoostingClassifier(
        max_iter=rounds,
        learning_rate=0.08,
        l2_regularization=1.0,
        max_features=0.3,
        early_stopping=True,
        random_state=0,
    ).fit(columns, labels)
