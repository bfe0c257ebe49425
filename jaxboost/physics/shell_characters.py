"""Characters of atomic shells and of spin 1/2 under the rotations of a crystal.

Bradley and Cracknell, The Mathematical Theory of Symmetry in Solids (1972).
"""

import numpy as np


def _proper(rotations: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Determinant and angle (radians) of the proper part, from the trace."""
    determinant = np.rint(np.linalg.det(rotations))
    trace = np.trace(rotations, axis1=1, axis2=2) * determinant
    return determinant, np.arccos(np.clip((trace - 1) / 2, -1, 1))


def orbital_characters(rotations: np.ndarray) -> np.ndarray:
    """Characters `[l, g]` of the shells s, p, d, f: `sum_m cos(m theta)`, times `det^l` for improper operations.

    Args:
        rotations: `[g, 3, 3]` in any basis.
    """
    determinant, angle = _proper(rotations)
    m = np.arange(-3, 4)
    return np.array(
        [determinant**l * np.cos(np.outer(angle, m[3 - l : 4 + l])).sum(1) for l in range(4)]  # noqa: E741
    )


def spin_characters(rotations: np.ndarray) -> np.ndarray:
    """Characters `[g]` of spin 1/2 up to their sign: `2 cos(theta / 2)`, for `rotations` `[g, 3, 3]`."""
    _, angle = _proper(rotations)
    return 2 * np.cos(angle / 2)
