"""Columns that tell the class by themselves: what a label that slipped into the features looks like."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from jaxboost.modalities import bands, electrons, scalars, valence_bands
from jaxboost.modalities.features import Features

MOST_ROWS = 4000  # more would tell no more
TELLING = 0.99  # of the rows that a column did not see
_BINS = 32
_FEWEST = 20  # rows to judge by


@dataclass(frozen=True)
class Telling:
    """A column that tells the class alone.

    Attributes:
      name: of the column, as 'scalars.log_density', or its number where it has none.
      accuracy: on rows of formulas that its classes were not read from.
    """

    name: str
    accuracy: float


def telling_columns(features: Features, labels: np.ndarray, rows: np.ndarray) -> list[Telling]:
    """The columns that get `TELLING` of held-out rows right alone, the best first.

    Of each value of a column (of each of 32 ranges, where it has more values) the commonest class among half of the
    formulas is what it says of the other half. Nothing can be seen where nine rows in ten have one class, or among few.

    Args:
      features, labels: [n] of a table.
      rows: those to judge by, as the training rows.
    """
    rng = np.random.default_rng(0)
    rows = np.sort(rng.permutation(rows)[:MOST_ROWS])
    names, formula = np.unique(features.formula[rows], return_inverse=True)
    fit = (rng.permutation(len(names)) % 2 == 0)[formula]
    label = labels[rows]
    held = np.bincount(label[~fit]) if (~fit).any() else np.zeros(1)
    if held.sum() < _FEWEST or fit.sum() < _FEWEST or held.max() > 0.9 * held.sum():
        return []
    found = []
    for name, values in _columns(features.take(rows)):
        accuracy = _accuracy_alone(values, label, fit)
        if accuracy >= TELLING:
            found.append(Telling(name, accuracy))
    return sorted(found, key=lambda one: -one.accuracy)


def _accuracy_alone(values: np.ndarray, label: np.ndarray, fit: np.ndarray) -> float:
    """Of the rows that are not in `fit`: what the commonest class of each value gets right."""
    known = np.isfinite(values)
    distinct = np.unique(values[known])
    if len(distinct) > _BINS:
        distinct = np.unique(np.quantile(values[known], np.arange(_BINS) / _BINS))
    place = np.where(known, np.searchsorted(distinct, np.where(known, values, 0), side="right"), 0)
    counts = np.zeros((len(distinct) + 1, int(label.max()) + 1))
    np.add.at(counts, (place[fit], label[fit]), 1)
    return float((counts.argmax(1)[place] == label)[~fit].mean())


def _columns(features: Features) -> Iterator[tuple[str, np.ndarray]]:
    """Every column that a network reads, as one number a crystal: of points and lines the mean."""
    of_electrons = (*electrons.COLUMNS, *valence_bands.CRYSTAL_COLUMNS, *bands.ELECTRON_COLUMNS)
    for part, names in (("scalars", scalars.column_names()), ("electrons", of_electrons)):
        for number, values in enumerate(getattr(features, part).T):
            yield f"{part}.{names[number] if number < len(names) else number}", values
    yield "space_group", features.space_group.astype(float)
    for part, axes in (("points", (1,)), ("lines", (1, 2))):
        values = np.nan_to_num(getattr(features, part)).mean(axis=axes)
        yield from ((f"{part}.{number}", column) for number, column in enumerate(values.T))


def in_words(found: list[Telling], listed: int = 5) -> str:
    """A warning that names the first few; empty where there is none."""
    if not found:
        return ""
    names = ", ".join(f"{one.name} ({100 * one.accuracy:.1f}%)" for one in found[:listed])
    more = f" and {len(found) - listed} more" if len(found) > listed else ""
    return (
        f"warning: {len(found)} columns tell the class of held-out training rows alone: {names}{more}. Classes of a "
        "few prototypes do that; if a column was made from the labels, the scores say nothing"
    )
