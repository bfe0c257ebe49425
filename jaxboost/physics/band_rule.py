"""The topological class that a band structure suggests by itself, without any learning."""

import numpy as np

from jaxboost.physics.band_solver import DEGENERATE, LineBands
from jaxboost.physics.band_structure import BandStructure

RULE_CLASSES = ("trivial", "TI", "TCI", "HSPSM", "HSLSM")
"""Insulator without an index, with a strong one, with any other; semimetal at a point, on a line."""


def rule_class(bands: BandStructure) -> str:
    """One of `RULE_CLASSES`: a degeneracy at the filling, else a crossing on a line, else an index, else trivial."""
    n = bands.electrons
    if any(point is not None and point.levels[n] - point.levels[n - 1] < DEGENERATE for point in bands.points):
        return "HSPSM"
    if any(line.crossing or is_nodal(line, n) for line in bands.lines):
        return "HSLSM"
    indices = bands.indices
    if indices is None:
        return "trivial"
    if indices.strong:
        return "TI"
    return "TCI" if indices.z4 or any(indices.weak) else "trivial"


def is_nodal(line: LineBands, electrons: int) -> bool:
    """Whether the filling cuts a level in the middle: a degeneracy that symmetry puts on the whole line."""
    return bool(line.levels[electrons] - line.levels[electrons - 1] < DEGENERATE)


def same_level(levels: np.ndarray, index: int) -> np.ndarray:
    """Indices of all states of the level that state `index` belongs to."""
    return np.flatnonzero(np.abs(levels - levels[index]) < DEGENERATE)


def freeing_neighbours(levels: np.ndarray, electrons: int) -> list[tuple[float, int, int]]:
    """Of a level that the filling cuts, the neighbours that on its other side would leave it uncut.

    That is the one above if it has as many states as are filled, the one below if it has as many as are empty.

    Args:
      levels: `[2m]` eV, ascending.
      electrons: that the states hold.

    Returns:
      (distance in eV, lower and upper state of the gap that would have to close) of each.
    """
    cut = same_level(levels, electrons)
    first, last = int(cut[0]), int(cut[-1])
    filled, found = electrons - first, []
    if first > 0 and len(same_level(levels, first - 1)) == len(cut) - filled:
        found.append((float(levels[first] - levels[first - 1]), first - 1, first))
    if last + 1 < len(levels) and len(same_level(levels, last + 1)) == filled:
        found.append((float(levels[last + 1] - levels[last]), last, last + 1))
    return found
