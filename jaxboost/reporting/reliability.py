"""How far the confidence of a prediction is from its accuracy.

Axes: n rows, b bins.
"""

import math

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]

CALIBRATION_BINS = 15


def calibration_bins(confidence: Floats, correct: NDArray[np.bool_], bins: int = CALIBRATION_BINS) -> Floats:
    """Rows binned by confidence into bins of equal mass.

    Rows of equal confidence share a bin (by their middle rank), so the order of the rows does not matter; a
    bin of a single row joins its neighbour, because one row has no variance to estimate.

    Args:
        confidence: [n] the largest class probability of each row.
        correct: [n] whether that class is the true one.
        bins: the largest number of bins.

    Returns:
        [b, 3] with b <= bins, by growing confidence: number of rows, mean confidence, accuracy.
    """
    n = len(confidence)
    _, inverse, counts = np.unique(confidence, return_inverse=True, return_counts=True)
    middle_rank = np.cumsum(counts) - counts / 2
    which = np.minimum((middle_rank * bins / n).astype(int), bins - 1)[inverse]
    totals = np.stack(
        [np.bincount(which, weights=weights, minlength=bins) for weights in (np.ones(n), confidence, correct)],
        axis=1,
    )
    merged: list[Floats] = []
    for row in totals[totals[:, 0] > 0]:
        if merged and merged[-1][0] < 2:
            merged[-1] = merged[-1] + row
        else:
            merged.append(row)
    if len(merged) > 1 and merged[-1][0] < 2:
        last = merged.pop()
        merged[-1] = merged[-1] + last
    stacked = np.stack(merged)
    return np.column_stack([stacked[:, 0], stacked[:, 1:] / stacked[:, :1]])


def calibration_error(confidence: Floats, correct: NDArray[np.bool_], bins: int = CALIBRATION_BINS) -> float | None:
    """Debiased expected calibration error of the top label, root mean square over bins of equal mass.

        ECE = sqrt(max(0, sum_b n_b / n * [(conf_b - acc_b)^2 - acc_b (1 - acc_b) / (n_b - 1)]))

    The subtracted term is the sampling variance of acc_b: without it a calibrated model scores well above 0
    on few rows. The root mean square is at least the mean absolute gap of the same bins, up to noise.

    Args:
        confidence: [n] the largest class probability of each row.
        correct: [n] whether that class is the true one.
        bins: the largest number of bins.

    Returns:
        The error in 0..1; None for a single row, whose variance cannot be estimated.

    Source: Kumar, Liang, Ma, "Verified Uncertainty Calibration" (2019), the debiased estimator;
    Roelofs et al., "Mitigating Bias in Calibration Error Estimation" (2022).
    """
    rows, mean_confidence, accuracy = calibration_bins(confidence, correct, bins).T
    if rows.min() < 2:
        return None
    squared_gap = np.square(mean_confidence - accuracy) - accuracy * (1 - accuracy) / (rows - 1)
    return math.sqrt(max(0.0, float(np.sum(rows * squared_gap) / rows.sum())))


def accuracy_interval(share: Floats, rows: Floats) -> tuple[Floats, Floats]:
    """95% interval of a share of so many rows (Wilson 1927): stays inside 0..1 and is no point at 0 or 1."""
    z = 1.959964
    centre = (share + z**2 / (2 * rows)) / (1 + z**2 / rows)
    half = z / (1 + z**2 / rows) * np.sqrt(share * (1 - share) / rows + z**2 / (4 * rows**2))
    return np.minimum(centre - half, share), np.maximum(centre + half, share)
