"""Points and lines of the k-space graph as one row of fixed length a crystal."""

from __future__ import annotations

import numpy as np

from jaxboost.modalities.kspace_graph import space_group_arrays

_BLOCK = 1024  # crystals pooled at a time: all the lines of a table at once would take gigabytes


def kspace_columns(points: np.ndarray, lines: np.ndarray, space_group: np.ndarray) -> np.ndarray:
    """[n, 3 (c + d)] float32: mean, least and greatest of each column over the points, then over the lines.

    Only points and lines that the crystal's space group has count, and of them those where the column is known; NaN
    where there is none.

    Args:
      points: [n, p, c]; lines: [n, p, p, d]; space_group: [n], as in `Features`.
    """
    groups, (p, c), d = space_group_arrays(), points.shape[1:], lines.shape[-1]
    rows = np.empty((len(points), 3 * (c + d)), np.float32)
    for first in range(0, len(points), _BLOCK):
        block = slice(first, first + _BLOCK)
        there = groups.present[space_group[block]]
        joined = groups.line[space_group[block]][..., 0].reshape(-1, p * p) > 0
        found = [*pooled(points[block], there), *pooled(lines[block].reshape(-1, p * p, d), joined)]
        rows[block] = np.concatenate(found, axis=1)
    return rows


def pooled(values: np.ndarray, there: np.ndarray) -> list[np.ndarray]:
    """Mean, least and greatest over axis 1 of [n, p, columns] where `there` [n, p] and known; NaN where none is."""
    known = there[:, :, None] & np.isfinite(values)
    none = ~known.any(1)
    mean = np.where(known, values, 0).sum(1) / np.maximum(known.sum(1), 1)
    least = np.where(known, values, np.inf).min(1)
    greatest = np.where(known, values, -np.inf).max(1)
    return [np.where(none, np.nan, found) for found in (mean, least, greatest)]
