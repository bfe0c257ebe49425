"""Figures of predictions: arrays in, a PNG and an SVG out, no global state (the object API of matplotlib).

Axes: n rows, c classes. Every function writes `path`, a PNG, and an SVG beside it, making their folder; it returns it.
"""

from collections.abc import Sequence
from pathlib import Path

import numpy as np
from matplotlib.ticker import MaxNLocator, PercentFormatter
from numpy.typing import ArrayLike, NDArray
from sklearn.metrics import auc, roc_curve

from jaxboost.errors import InputError
from jaxboost.reporting.canvas import (
    COLOURS,
    DASHES,
    GREY,
    as_it_stands,
    empty_figure,
    heat_map,
    write_figure,
)
from jaxboost.reporting.reliability import accuracy_interval, calibration_bins, calibration_error


def confusion_matrix(confusion: ArrayLike, classes: Sequence[str], path: Path) -> Path:
    """Rows are true classes, columns predicted ones; colour and percentage are shares of the row.

    Args:
        confusion: [c, c] counts.
        classes: c names.

    Raises:
        InputError: the shape is not [c, c].
    """
    counts = np.asarray(confusion, dtype=np.int64)
    size = len(classes)
    if counts.shape != (size, size):
        raise InputError(f"confusion_matrix: shape {counts.shape} for {size} classes; give [{size}, {size}]")
    share = counts / np.maximum(counts.sum(axis=1, keepdims=True), 1)
    side = max(2.2, 0.8 * size)
    figure, (axes,) = empty_figure(side + 1.4, side + 0.7)
    text = [[f"{share[i, j]:.1%}\n{counts[i, j]:,}" for j in range(size)] for i in range(size)]
    heat_map(axes, share, text, classes, slant=35 if max(map(len, classes)) > 8 else 0)
    axes.set_aspect("equal")
    axes.set(xlabel="predicted class", ylabel="true class")
    return write_figure(figure, path)


def roc_curves(probabilities: ArrayLike, labels: ArrayLike, classes: Sequence[str], path: Path) -> Path:
    """True against false positives, each class against the rest; a class without both outcomes has no curve.

    Args:
        probabilities: [n, c].
        labels: [n] integers.
        classes: c names.

    Raises:
        InputError: shapes that disagree.
    """
    p, y = checked_rows(probabilities, labels)
    if p.shape[1] != len(classes):
        raise InputError(f"roc_curves: {p.shape[1]} columns for {len(classes)} classes; give one name a column")
    figure, (axes,) = empty_figure(5.8, 3.7)
    for k, name in enumerate(classes):
        positives = int((y == k).sum())
        if not 0 < positives < len(y):
            continue
        false_positive, true_positive, _ = roc_curve(y == k, p[:, k])
        label = as_it_stands(f"{name}: {auc(false_positive, true_positive):.3f} ({positives:,})")
        axes.plot(
            false_positive,
            true_positive,
            color=COLOURS[k % len(COLOURS)],
            linestyle=DASHES[k % len(DASHES)],
            linewidth=1.8,
            label=label,
        )
    axes.plot([0, 1], [0, 1], color=GREY, linewidth=1, linestyle=":", label="chance: 0.500")
    axes.set(xlabel="false positive rate", ylabel="true positive rate", xlim=(-0.01, 1.01), ylim=(-0.01, 1.01))
    axes.set_aspect("equal")
    axes.legend(
        title="class: area (rows)",
        loc="center left",
        bbox_to_anchor=(1.02, 0.5),
        frameon=False,
        fontsize=9,
        alignment="left",
    )
    return write_figure(figure, path)


def reliability_diagram(probabilities: ArrayLike, labels: ArrayLike, path: Path) -> Path:
    """Accuracy against confidence of the top label, in the bins of the ECE, above a histogram.

    Args:
        probabilities: [n, c].
        labels: [n] integers.

    Raises:
        InputError: shapes that disagree.
    """
    p, y = checked_rows(probabilities, labels)
    confidence, correct = p.max(axis=1), p.argmax(axis=1) == y
    rows, mean_confidence, accuracy = calibration_bins(confidence, correct).T
    low, high = accuracy_interval(accuracy, rows)
    error = calibration_error(confidence, correct)
    least = 1 / p.shape[1]
    figure, (axes, histogram) = empty_figure(5.2, 5.2, rows=2, heights=(3.4, 1), sharex=True)
    axes.plot([least, 1], [least, 1], color=GREY, linestyle=":", linewidth=1.2, label="calibrated")
    axes.errorbar(
        mean_confidence,
        accuracy,
        yerr=[accuracy - low, high - accuracy],
        color=COLOURS[0],
        fmt="o-",
        markersize=4.5,
        linewidth=1.4,
        elinewidth=1,
        capsize=2,
        label=f"{len(rows)} bins of equal mass (95% interval)",
    )
    axes.set(ylabel="accuracy", ylim=(min(least, low.min()) - 0.03, 1.03))
    figure.legend(loc="outside upper center", ncols=2, frameon=False, fontsize=9)
    said = "ECE undefined" if error is None else f"ECE = {error:.3f} (debiased)"
    axes.text(0.98, 0.04, f"{said}\nn = {len(y):,}", transform=axes.transAxes, ha="right", va="bottom", fontsize=10)
    histogram.hist(confidence, bins=np.linspace(least, 1, 31), color=COLOURS[0], alpha=0.75)  # type: ignore[arg-type]
    histogram.set(xlabel="confidence (largest class probability)", ylabel="rows", xlim=(least - 0.02, 1.02))
    histogram.yaxis.set_major_locator(MaxNLocator(3, integer=True))
    return write_figure(figure, path)


def coverage_accuracy(correct: ArrayLike, uncertainty: ArrayLike, path: Path) -> Path:
    """Accuracy on the rows that are kept when the least certain are refused, against the share kept.

    Args:
        correct: [n] bool, whether the prediction is right.
        uncertainty: [n] any measure that grows with doubt; rows of equal doubt are kept or refused together.

    Raises:
        InputError: lengths that disagree, no rows, an uncertainty that is not finite.
    """
    right, doubt = np.asarray(correct, dtype=np.float64), np.asarray(uncertainty, dtype=np.float64)
    if right.ndim != 1 or right.shape != doubt.shape or len(right) == 0 or not np.isfinite(doubt).all():
        raise InputError(
            f"coverage_accuracy: correct is {right.shape}, uncertainty {doubt.shape}; "
            "give two lists of one length, at least 1, all finite"
        )
    order = np.argsort(doubt, kind="stable")
    kept = np.append(np.flatnonzero(np.diff(doubt[order])), len(order) - 1) + 1
    accuracy = np.cumsum(right[order])[kept - 1] / kept
    low, high = accuracy_interval(accuracy, kept.astype(np.float64))
    # The first few rows are noise that would set the scale of the axis.
    drawn = kept >= min(len(order), max(10, len(order) // 50))
    figure, (axes,) = empty_figure(5.2, 3.6)
    coverage = kept / len(order)
    axes.fill_between(
        coverage[drawn],
        low[drawn],
        high[drawn],
        color=COLOURS[0],
        alpha=0.18,
        linewidth=0,
        label="95% interval",
    )
    axes.plot(coverage[drawn], accuracy[drawn], color=COLOURS[0], linewidth=1.8, label="rows kept")
    axes.axhline(right.mean(), color=GREY, linestyle=":", linewidth=1.2, label=f"all rows: {right.mean():.1%}")
    axes.set(xlabel="coverage (share of rows answered)", ylabel="accuracy on the rows answered", xlim=(0, 1))
    for axis in (axes.xaxis, axes.yaxis):
        axis.set_major_formatter(PercentFormatter(1.0, decimals=None))
    figure.legend(loc="outside upper center", ncols=3, frameon=False, fontsize=9)
    return write_figure(figure, path)


def checked_rows(values: ArrayLike, labels: ArrayLike) -> tuple[NDArray[np.float64], NDArray[np.int64]]:
    """Values [n, columns] and labels [n] as arrays. Raises `InputError` where they do not fit, or there are none."""
    array, y = np.asarray(values, dtype=np.float64), np.asarray(labels, dtype=np.int64)
    if array.ndim != 2 or y.shape != array.shape[:1] or len(y) == 0:
        raise InputError(f"figure: values are {array.shape} and labels {y.shape}; give [n, columns] and [n], n > 0")
    return array, y
