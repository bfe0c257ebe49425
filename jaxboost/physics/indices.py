"""Topological indices from the symmetry of occupied states.

Strong and weak Z2 by the parities at the eight TRIM: L. Fu, C. L. Kane, Phys. Rev. B 76, 045302 (2007). Z4: E. Khalaf,
H. C. Po, A. Vishwanath, H. Watanabe, Phys. Rev. X 8, 031070 (2018), eq. 12. That two k-points of a symmetry line with
different occupied representations have a crossing between them: compatibility relations, Bradley and Cracknell (1972).
"""

from collections.abc import Callable
from dataclasses import dataclass
from itertools import product

import numpy as np
import scipy.linalg

from jaxboost.errors import InputError

TRIM = np.array(list(product((0.0, 0.5), repeat=3)))
"""`[8, 3]` the time-reversal invariant momenta; Gamma first."""
TRIM.setflags(write=False)

_SAME_CHARACTER = 1e-2  # characters of different representations differ by more than 0.2
_WHOLE = 0.05  # how far a count of odd states may lie from a whole number


@dataclass(frozen=True)
class InversionIndices:
    """Indices of an insulator with inversion.

    Attributes:
      strong: Z2, 0 or 1; does not depend on the origin.
      weak: three Z2, of the planes k_i = 1/2; they do not depend on the origin but on the choice of the cell.
      z4: number of odd Kramers pairs at the eight TRIM, modulo 4, for the inversion centre where that is smallest.
    """

    strong: int
    weak: tuple[int, int, int]
    z4: int


def odd_states(character: complex, occupied: int) -> float:
    """How many of the occupied states are odd, from the trace of the inversion over them."""
    return (occupied - complex(character).real) / 2


def inversion_indices(odd_pairs: np.ndarray, pairs: int) -> InversionIndices | None:
    """Indices from the number of odd Kramers pairs at each TRIM.

    Args:
      odd_pairs: `[8]` in the order of `TRIM`.
      pairs: occupied Kramers pairs.

    Returns:
      None where a number is not whole: the filling cuts a level there, and the state is no insulator.
    """
    whole = np.rint(odd_pairs)
    if not np.isfinite(odd_pairs).all() or np.abs(odd_pairs - whole).max() > _WHOLE:
        return None
    counts = whole.astype(int)
    weak = [int(counts[TRIM[:, axis] == 0.5].sum()) % 2 for axis in range(3)]
    # Another inversion centre, half a lattice vector away, swaps even and odd where its phase is -1.
    others = [np.where(np.rint(2 * TRIM @ vector) % 2 == 0, counts, pairs - counts) for vector in 2 * TRIM]
    z4 = min(int(other.sum()) % 4 for other in others)
    return InversionIndices(int(counts.sum()) % 2, (weak[0], weak[1], weak[2]), z4)


def parity_indices(
    hamiltonian: Callable[[np.ndarray], np.ndarray],
    inversion: Callable[[np.ndarray], np.ndarray],
    electrons: int,
    *,
    overlap: Callable[[np.ndarray], np.ndarray] | None = None,
    tolerance: float = 1e-6,
) -> InversionIndices | None:
    """Indices of any Bloch Hamiltonian with spin that has inversion.

    Args:
      hamiltonian: k-point `[3]` to `[d, d]` Hermitian.
      inversion: TRIM `[3]` to the matrix `[d, d]` of the inversion there.
      electrons: occupied states.
      overlap: k-point to `[d, d]`; None for an orthogonal basis.
      tolerance: a smaller gap at the filling is a degeneracy.

    Raises:
      InputError: the inversion does not commute with the Hamiltonian at some TRIM, or the filling leaves no gap to
        speak of (no occupied or no empty state).

    Returns:
      None where there is a degeneracy at the filling at some TRIM.
    """
    odd = np.zeros(len(TRIM))
    for row, kpoint in enumerate(TRIM):
        matrix, parity = hamiltonian(kpoint), inversion(kpoint)
        if not 0 < electrons < len(matrix):
            raise InputError(f"{electrons} electrons in {len(matrix)} states: give at least one and leave one empty")
        if np.abs(parity @ matrix @ np.linalg.inv(parity) - matrix).max() > tolerance * (1 + np.abs(matrix).max()):
            raise InputError(f"the inversion does not commute with the Hamiltonian at k = {kpoint.tolist()}")
        metric = np.eye(len(matrix)) if overlap is None else overlap(kpoint)
        energies, vectors = scipy.linalg.eigh(matrix, metric)
        if energies[electrons] - energies[electrons - 1] < tolerance:
            return None
        occupied = vectors[:, :electrons]
        odd[row] = odd_states(np.trace(occupied.conj().T @ metric @ parity @ occupied), electrons)
    return inversion_indices(odd / 2, electrons // 2)


def star_phases(
    reciprocal: np.ndarray, rotations: np.ndarray, translations: np.ndarray, inversion: int, representative: np.ndarray
) -> dict[int, int]:
    """How the parities at the arms of a star of TRIM follow from those at one of them.

    With `g I g^-1` the inversion times a lattice translation, an even state at k is taken to one at `g k` that is even
    or odd as `exp(2 pi i k.L)` is 1 or -1, `L = rotation^-1 (centre - 2 translation) - centre`.

    Args:
      reciprocal, rotations, translations: of all operations g, as in `OrbitalSymmetry`.
      inversion: index of the inversion among them.
      representative: `[3]` a TRIM.

    Returns:
      Index in `TRIM` of each arm to 1 or -1.
    """
    centre = translations[inversion]
    arms = np.rint(2 * (reciprocal @ representative)).astype(int) % 2 @ np.array([4, 2, 1])
    moved = (np.linalg.inv(rotations) @ (centre - 2 * translations)[:, :, None])[:, :, 0]
    phases = np.rint(2 * (np.rint(moved - centre) @ representative)).astype(int) % 2
    return dict(zip(arms.tolist(), (1 - 2 * phases).tolist(), strict=True))


def has_crossing(
    start: np.ndarray, end: np.ndarray, kpoints: tuple[np.ndarray, np.ndarray], translations: np.ndarray
) -> bool:
    """Whether the occupied representations near both ends of a symmetry line differ, so that bands cross between.

    Args:
      start, end: `[g]` characters of the occupied states there, of the operations that keep the whole line.
      kpoints: where.
      translations: `[g, 3]` of those operations.
    """
    phases = [np.exp(2j * np.pi * (translations @ kpoint)) for kpoint in kpoints]
    return not same_representation(start * phases[0], end * phases[1])


def same_representation(one: np.ndarray, other: np.ndarray) -> bool:
    """Whether two sets of characters `[g]`, free of the phases of k, are of one representation."""
    return bool(np.abs(one - other).max(initial=0.0) <= _SAME_CHARACTER)
