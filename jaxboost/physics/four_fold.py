"""The index of an insulator from a fourfold rotoinversion, which some crystals without inversion have.

    kappa_4 = sum_K sum_a exp(i pi a / 4) n_K^a / (2 sqrt 2),

K over the four momenta that the rotoinversion keeps, n_K^a the number of occupied states with eigenvalue
exp(i pi a / 4), a = 1, 3, 5, 7. Odd is a strong topological insulator: E. Khalaf, H. C. Po, A. Vishwanath, H. Watanabe,
Phys. Rev. X 8, 031070 (2018). The inner sum is the character of the operation.
"""

from itertools import product

import numpy as np

from jaxboost.crystal import Crystal
from jaxboost.physics.band_solver import DEGENERATE, BandSolver
from jaxboost.physics.orbital_symmetry import occupied_characters
from jaxboost.physics.tight_binding import Model

_WHOLE = 0.05  # how far the index may lie from a whole number


def four_fold_momenta(reciprocal: np.ndarray) -> np.ndarray:
    """`[4, 3]` momenta that a fourfold rotoinversion keeps up to a reciprocal lattice vector, Gamma first.

    Args:
      reciprocal: `[3, 3]` int, the image of k is `reciprocal @ k`.
    """
    inverse = np.linalg.inv(reciprocal - np.eye(3))
    found = {tuple((np.rint(inverse @ vector * 8) % 8 / 8).tolist()) for vector in product((-1, 0, 1), repeat=3)}
    return np.array(sorted(found))


def rotoinversion(crystal: Crystal) -> int | None:
    """Index of a fourfold rotoinversion among a crystal's operations, None where it has none."""
    rotations = crystal.rotations
    trace, det = np.trace(rotations, axis1=1, axis2=2), np.rint(np.linalg.det(rotations))
    found = np.flatnonzero((trace == -1) & (det == -1))
    return int(found[0]) if len(found) else None


def four_fold_index(crystal: Crystal, model: Model, window: float) -> int | None:
    """kappa_4 of an insulator (its sign is that of the chosen operation's sense); None where there is none.

    There is none without a fourfold rotoinversion, with an odd number of electrons, or where the filling cuts a level
    at one of the four momenta.

    Args:
      crystal: the crystal.
      model: of that crystal.
      window: eV, as in `band_states.add_spin_orbit`; above 0.
    """
    operation = rotoinversion(crystal)
    if operation is None or model.electrons % 2:
        return None
    solver = BandSolver(crystal, model, window)
    kpoints = four_fold_momenta(solver.symmetry.reciprocal[operation])
    total = 0j
    for kpoint, states in zip(kpoints, solver.states(kpoints), strict=True):
        spinors = solver.spinors(states, vectors=True)
        levels = solver.levels(states, spinors)
        if levels[model.electrons] - levels[model.electrons - 1] < DEGENERATE:
            return None
        total += occupied_characters(solver.symmetry, [operation], kpoint, model, states, spinors)[0]
    index = total / (2 * np.sqrt(2))
    return round(index.real) if abs(index - round(index.real)) < _WHOLE else None
