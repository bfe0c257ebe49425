"""The 32 crystallographic point groups, told apart by the kinds of their rotations."""

from functools import lru_cache

import numpy as np

POINT_GROUPS: tuple[str, ...] = (
    "1", "-1",
    "2", "m", "2/m",
    "222", "mm2", "mmm",
    "4", "-4", "4/m", "422", "4mm", "-42m", "4/mmm",
    "3", "-3", "32", "3m", "-3m",
    "6", "-6", "6/m", "622", "6mm", "-6m2", "6/mmm",
    "23", "m-3", "432", "-43m", "m-3m",
)  # fmt: skip
"""Hermann-Mauguin symbols in the order of the International Tables (volume A): the index is a feature."""

# How many rotations of each kind a group has, in the order -6 -4 -3 -2(=m) -1 1 2 3 4 6: it tells all 32
# apart.
_KINDS: dict[tuple[int, ...], str] = {
    (0, 0, 0, 0, 0, 1, 0, 0, 0, 0): "1",
    (0, 0, 0, 0, 1, 1, 0, 0, 0, 0): "-1",
    (0, 0, 0, 0, 0, 1, 1, 0, 0, 0): "2",
    (0, 0, 0, 1, 0, 1, 0, 0, 0, 0): "m",
    (0, 0, 0, 1, 1, 1, 1, 0, 0, 0): "2/m",
    (0, 0, 0, 0, 0, 1, 3, 0, 0, 0): "222",
    (0, 0, 0, 2, 0, 1, 1, 0, 0, 0): "mm2",
    (0, 0, 0, 3, 1, 1, 3, 0, 0, 0): "mmm",
    (0, 0, 0, 0, 0, 1, 1, 0, 2, 0): "4",
    (0, 2, 0, 0, 0, 1, 1, 0, 0, 0): "-4",
    (0, 2, 0, 1, 1, 1, 1, 0, 2, 0): "4/m",
    (0, 0, 0, 0, 0, 1, 5, 0, 2, 0): "422",
    (0, 0, 0, 4, 0, 1, 1, 0, 2, 0): "4mm",
    (0, 2, 0, 2, 0, 1, 3, 0, 0, 0): "-42m",
    (0, 2, 0, 5, 1, 1, 5, 0, 2, 0): "4/mmm",
    (0, 0, 0, 0, 0, 1, 0, 2, 0, 0): "3",
    (0, 0, 2, 0, 1, 1, 0, 2, 0, 0): "-3",
    (0, 0, 0, 0, 0, 1, 3, 2, 0, 0): "32",
    (0, 0, 0, 3, 0, 1, 0, 2, 0, 0): "3m",
    (0, 0, 2, 3, 1, 1, 3, 2, 0, 0): "-3m",
    (0, 0, 0, 0, 0, 1, 1, 2, 0, 2): "6",
    (2, 0, 0, 1, 0, 1, 0, 2, 0, 0): "-6",
    (2, 0, 2, 1, 1, 1, 1, 2, 0, 2): "6/m",
    (0, 0, 0, 0, 0, 1, 7, 2, 0, 2): "622",
    (0, 0, 0, 6, 0, 1, 1, 2, 0, 2): "6mm",
    (2, 0, 0, 4, 0, 1, 3, 2, 0, 0): "-6m2",
    (2, 0, 2, 7, 1, 1, 7, 2, 0, 2): "6/mmm",
    (0, 0, 0, 0, 0, 1, 3, 8, 0, 0): "23",
    (0, 0, 8, 3, 1, 1, 3, 8, 0, 0): "m-3",
    (0, 0, 0, 0, 0, 1, 9, 8, 6, 0): "432",
    (0, 6, 0, 6, 0, 1, 3, 8, 0, 0): "-43m",
    (0, 6, 8, 9, 1, 1, 9, 8, 6, 0): "m-3m",
}

# (determinant, trace) of a rotation in any lattice basis -> its column above.
_COLUMNS = {(-1, -2): 0, (-1, -1): 1, (-1, 0): 2, (-1, 1): 3, (-1, -3): 4,
            (1, 3): 5, (1, -1): 6, (1, 0): 7, (1, 1): 8, (1, 2): 9}  # fmt: skip


def point_group_symbol(rotations: np.ndarray) -> str:
    """Names the point group that `rotations` form.

    Args:
      rotations: `[g, 3, 3]` integers, all operations of the group once, in any basis of any lattice
        (determinant and trace do not depend on the basis).

    Returns:
      one of `POINT_GROUPS`, in the standard orientation (both '-42m' and '-4m2' give '-42m').

    Raises:
      ValueError: where they are the operations of no crystallographic point group.
    """
    stack = np.asarray(rotations)
    determinants = np.rint(np.linalg.det(stack)).astype(int)
    traces = np.rint(np.trace(stack, axis1=1, axis2=2)).astype(int)
    return _symbol(tuple(sorted(zip(determinants.tolist(), traces.tolist(), strict=True))))


@lru_cache(maxsize=256)
def _symbol(kinds: tuple[tuple[int, int], ...]) -> str:
    counts = [0] * 10
    for kind in kinds:
        if kind not in _COLUMNS:
            raise ValueError(f"determinant {kind[0]} and trace {kind[1]}: not a rotation of a lattice")
        counts[_COLUMNS[kind]] += 1
    if tuple(counts) not in _KINDS:
        raise ValueError(f"{len(kinds)} rotations that form no crystallographic point group: {counts}")
    return _KINDS[tuple(counts)]
