"""Levels: states that symmetry keeps at one energy, and how the filling may cut one."""

import numpy as np

DEGENERATE = 1e-5
"""eV. What symmetry makes degenerate comes out so to 1e-10, so a smaller gap counts as none."""


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
