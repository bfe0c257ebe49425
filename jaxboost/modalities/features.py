"""The arrays of many crystals as one table."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, fields
from functools import cached_property

import numpy as np

from jaxboost.modalities.kspace_columns import kspace_columns

MODALITIES = ("crystal", "kspace", "scalars", "electrons")


@dataclass(frozen=True)
class Features:
    """Arrays of `n` crystals; the orbits of crystal i are the rows `offset[i]:offset[i + 1]`.

    Attributes:
      offset: [n + 1] int64.
      element, site_group, multiplicity: [orbits] int16, int8, int16 (`CrystalGraph`).
      target, distance: [orbits, K] int16, float32 (Angstrom); targets count from the crystal's first orbit.
      direction: [orbits, K, 3] float32.
      points: [n, p, columns] float32, what the crystal puts at each high-symmetry point (`crystal_points`, then
        those of `valence_bands` and, where they are asked for, of `bands`).
      lines: [n, p, p, columns] float32, what it puts on the lines between them (`valence_bands`, `bands`).
      scalars: [n, columns] float32, NaN where unknown.
      electrons: [n, columns] float32 (`electrons`, the atomic limit of `valence_bands`, `bands`), NaN where unknown.
      allowed: [n, 3] bool, whether trivial, insulator, semimetal remain possible.
      mask: [n, 4] bool, which of `MODALITIES` could be computed.
      space_group: [n] int16.
      valence_electrons: [n] int32 a primitive cell, -1 where unknown.
      identity: [n] uint32 from the crystal's content: the seed of what is drawn for it.
      formula: [n] reduced formula, str.
      band_reason: [n] str, why a crystal has no tight-binding bands; empty where it has or nobody asked for them.
    """

    offset: np.ndarray
    element: np.ndarray
    site_group: np.ndarray
    multiplicity: np.ndarray
    target: np.ndarray
    distance: np.ndarray
    direction: np.ndarray
    points: np.ndarray
    lines: np.ndarray
    scalars: np.ndarray
    electrons: np.ndarray
    allowed: np.ndarray
    mask: np.ndarray
    space_group: np.ndarray
    valence_electrons: np.ndarray
    identity: np.ndarray
    formula: np.ndarray
    band_reason: np.ndarray

    def __len__(self) -> int:
        return len(self.offset) - 1

    @property
    def n_orbits(self) -> np.ndarray:
        """[n] orbits of each crystal."""
        return np.diff(self.offset)

    @cached_property
    def kspace_columns(self) -> np.ndarray:
        """[n, columns] `points` and `lines`, pooled."""
        return kspace_columns(self.points, self.lines, self.space_group)

    def take(self, rows: np.ndarray) -> Features:
        """The crystals of the given rows, in that order."""
        size = self.n_orbits[rows]
        offset = np.concatenate([[0], np.cumsum(size)])
        start = np.repeat(self.offset[rows] - offset[:-1], size)
        orbit = np.arange(offset[-1]) + start
        values = {name: getattr(self, name)[orbit] for name in _RAGGED}
        values |= {name: getattr(self, name)[rows] for name in _FIXED}
        return Features(offset=offset, **values)


_RAGGED = ("element", "site_group", "multiplicity", "target", "distance", "direction")
_FIXED = tuple(f.name for f in fields(Features) if f.name not in ("offset", *_RAGGED))


def concatenate(parts: Sequence[Features]) -> Features:
    """One table from several, in order."""
    sizes = np.concatenate([part.n_orbits for part in parts])
    values = {name: np.concatenate([getattr(part, name) for part in parts]) for name in (*_RAGGED, *_FIXED)}
    return Features(offset=np.concatenate([[0], np.cumsum(sizes)]), **values)
