"""Figures of what a vote listens to: modality by modality, one modality to another, and what it loses without each.

Axes: n rows, c classes, m modalities. Every function writes `path`, a PNG, and an SVG beside it, and returns it.
"""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import ArrayLike

from jaxboost.errors import InputError
from jaxboost.reporting.canvas import (
    COLOURS,
    DARK_COLOURS,
    GREY,
    ON_DARK,
    ON_LIGHT,
    as_it_stands,
    empty_figure,
    heat_map,
    write_figure,
)
from jaxboost.reporting.figures import checked_rows

MODALITIES = ("crystal graph", "k-space graph", "scalars", "electrons")
# As `importance.permutation_importance` names the parts of what a network reads.
PARTS = {
    "crystal": "crystal graph",
    "kspace": "k-space graph",
    "scalars": "scalars",
    "electrons": "electrons",
    "rules": "symmetry rules",
    "relatives": "isopointal relatives",
}


def modality_attention(
    weights: ArrayLike,
    labels: ArrayLike,
    classes: Sequence[str],
    path: Path,
    modalities: Sequence[str] = MODALITIES,
) -> Path:
    """Mean attention weight of each modality, one bar a class; a class without rows is left out.

    Args:
        weights: [n, m] attention of each row on each of the m modalities, summing to 1 over them.
        labels: [n] integers, the class of each row.
        classes: c names.
        modalities: m names.

    Raises:
        InputError: shapes that disagree.
    """
    w, y = checked_rows(weights, labels)
    if w.shape[1] != len(modalities):
        raise InputError(f"modality_attention: {w.shape[1]} columns for {len(modalities)} modalities; give as many")
    bars = [("all rows", w)] + [(f"{name}", w[y == k]) for k, name in enumerate(classes)]
    bars = [(f"{name} ({len(rows):,})", rows) for name, rows in bars if len(rows)]
    figure, (axes,) = empty_figure(5.2, 1.5 + 0.42 * len(bars))
    means = np.stack([rows.mean(axis=0) for _, rows in bars])
    left = np.zeros(len(bars))
    for m, name in enumerate(modalities):
        colour = COLOURS[m % len(COLOURS)]
        axes.barh(
            range(len(bars)),
            means[:, m],
            left=left,
            height=0.72,
            color=colour,
            edgecolor="white",
            label=as_it_stands(name),
        )
        for row in np.flatnonzero(means[:, m] >= 0.05).tolist():
            axes.text(
                left[row] + means[row, m] / 2,
                row,
                f"{means[row, m]:.2f}",
                ha="center",
                va="center",
                color=ON_DARK if colour in DARK_COLOURS else ON_LIGHT,
                fontsize=9,
            )
        left = left + means[:, m]
    axes.set_yticks(range(len(bars)), [as_it_stands(name) for name, _ in bars])
    axes.invert_yaxis()
    axes.set(xlabel="mean attention weight", xlim=(0, max(1.0, float(left.max()))))
    axes.grid(False)
    axes.tick_params(axis="y", length=0)
    axes.spines["left"].set_visible(False)
    figure.legend(loc="outside upper center", ncols=2, frameon=False, fontsize=9)
    return write_figure(figure, path)


def cross_attention(weights: ArrayLike, path: Path, modalities: Sequence[str] = MODALITIES) -> Path:
    """Mean weight that each modality (row) gives to each other one (column) before all four attend to each other.

    Args:
        weights: [n, m, m]; a row adds up to 1, or to 0 where that modality or all others are not there.
        modalities: m names.

    Raises:
        InputError: the shape is not [n, m, m], or there are no rows.
    """
    w, size = np.asarray(weights, dtype=np.float64), len(modalities)
    if w.shape[1:] != (size, size) or len(w) == 0:
        raise InputError(f"cross_attention: shape {w.shape}; give [n, {size}, {size}], n > 0")
    mean = w.mean(axis=0)
    figure, (axes,) = empty_figure(5.0, 3.6)
    text = [["" if i == j else f"{mean[i, j]:.2f}" for j in range(size)] for i in range(size)]
    heat_map(axes, mean, text, modalities, slant=20)
    axes.set(xlabel="is listened to", ylabel="listens")
    return write_figure(figure, path)


def importance_bars(importance: Mapping[str, Any], path: Path) -> Path:
    """How much the log loss and the errors grow when a part of what is read is another crystal's, most first.

    Args:
        importance: as `importance.permutation_importance` gives it.
    """
    parts = sorted(importance["parts"].items(), key=lambda part: part[1]["log_loss"])
    figure, panels = empty_figure(5.6, 1.2 + 0.4 * len(parts), columns=2, sharey=True)
    fields = (("log_loss", 1, "log loss added (nats a row)"), ("accuracy", -100, "accuracy lost (points)"))
    for axes, (field, sign, title) in zip(panels, fields, strict=True):
        values = np.array([sign * found[field] for _, found in parts])
        errors = np.array([1.96 * abs(sign) * found[f"{field}_se"] for _, found in parts])
        errors = np.where(np.isfinite(errors), errors, 0)
        axes.barh(range(len(parts)), values, height=0.66, color=COLOURS[0])
        axes.errorbar(values, range(len(parts)), xerr=errors, fmt="none", ecolor=GREY, elinewidth=1.2, capsize=2.5)
        axes.axvline(0, color=GREY, linewidth=0.9)
        axes.set(xlabel=title)
        axes.grid(False, axis="y")
    panels[0].set_yticks(range(len(parts)), [PARTS.get(name, as_it_stands(name)) for name, _ in parts])
    return write_figure(figure, path)
