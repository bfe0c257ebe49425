"""Columns as steps: how far through each part of its range a value has come, so that a network can bend anywhere.

A plain network bends slowly along a column; whether a gap is just open or just closed is a matter of thresholds.
Piecewise-linear encoding (Gorishniy et al., On Embeddings for Numerical Features in Tabular Deep Learning, 2022) with
a range cut where the training rows' quantiles are.
"""

from __future__ import annotations

import jax
import jax.numpy as jnp
import numpy as np

from jaxboost.models.batch import Array

_NARROWEST = 1e-3  # of the column's range


def quantile_edges(values: np.ndarray, steps: int) -> np.ndarray:
    """[f, steps + 1] ends of the steps of each column of [n, f], ascending.

    Quantiles of the known values; of those that fall together the first is kept, and the last of all is repeated at the
    end, which gives steps of no width. A column that is nowhere known has these alone.
    """
    edges = np.zeros((values.shape[1], steps + 1), np.float32)
    for row, column in zip(edges, values.T, strict=True):
        known = np.sort(column[np.isfinite(column)])
        if len(known):
            places = np.linspace(0, len(known) - 1, steps + 1).round().astype(int)
            ends = _apart(known[places])
            row[:] = np.pad(ends, (0, steps + 1 - len(ends)), mode="edge")
    return edges


def _apart(ends: np.ndarray) -> np.ndarray:
    """Those of ascending ends that lie beyond the one before by more than rounding could bring them: a step as narrow
    as that would tell two cells of one crystal apart.
    """
    least = _NARROWEST * (ends[-1] - ends[0])
    kept = [ends[0]]
    for end in ends[1:]:
        if end - kept[-1] > least:
            kept.append(end)
    return np.array(kept)


def climbed(values: Array, edges: Array) -> jax.Array:
    """[b, f, steps] how much of each step the values [b, f] are past, -1 before it and 1 after it.

    0 where a value is unknown and for steps of no width. A value beyond `edges` [f, steps + 1] is at the end of them.
    """
    low, width = edges[:, :-1], jnp.diff(edges)
    inside = jnp.clip(values[..., None], edges[:, :1], edges[:, -1:])
    part = jnp.clip((inside - low) / jnp.where(width > 0, width, 1), 0, 1)
    return jnp.where((width > 0) & ~jnp.isnan(values)[..., None], 2 * part - 1, 0)
