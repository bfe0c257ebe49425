"""All that the network reads, as one row of fixed length a crystal, and which column of the row is whose."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from jaxboost.modalities.features import Features

PARTS = ("scalars", "electrons", "space_group", "kspace_columns", "distance")


@dataclass(frozen=True, eq=False)
class PooledColumns:
    """Rows of fixed length.

    Attributes:
      table: [n, c] float32, NaN where unknown or absent.
      part: [c] of which of `PARTS` each column is.
      place: [c] which column of that part.
    """

    table: np.ndarray
    part: np.ndarray
    place: np.ndarray

    def spread(self, values: np.ndarray, part: str, size: int) -> np.ndarray:
        """[size] for each column of a part what stands for it among the values [c]; 0 for one that is left out."""
        own = self.part == PARTS.index(part)
        found = np.zeros(size, values.dtype)
        found[self.place[own]] = values[own]
        return found


def pooled_columns(features: Features) -> PooledColumns:
    """Scalars, electrons, space group and pooled k-space as they are, and the orbits' mean distances to their images.

    Columns that are the same everywhere are left out.
    """
    start = features.offset[:-1]
    finite = np.where(np.isfinite(features.distance), features.distance, 0.0)
    parts = [
        features.scalars,
        features.electrons,
        features.space_group[:, None],
        features.kspace_columns,
        np.add.reduceat(finite, start) / np.maximum(np.add.reduceat((finite > 0).astype(float), start), 1),
    ]
    table = np.concatenate(parts, axis=1).astype(np.float32)
    differ = np.array([len(np.unique(column[np.isfinite(column)])) > 1 for column in table.T], bool)
    part = np.repeat(np.arange(len(PARTS)), [array.shape[1] for array in parts])
    place = np.concatenate([np.arange(array.shape[1]) for array in parts])
    return PooledColumns(table[:, differ], part[differ], place[differ])
