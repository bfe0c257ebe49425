"""Eigenstates of a tight-binding model at one k-point, without and with spin-orbit coupling.

Spin-orbit coupling is a second variation (D. D. Koelling, B. N. Harmon, J. Phys. C 10, 3107, 1977): it is diagonalised
among the spinless bands within a window about the filling, and left out among deeper and higher ones, which it moves
by the square of its strength over their distance. The window never cuts a degenerate level, so all symmetry is kept.
"""

from dataclasses import dataclass

import numpy as np
import scipy.linalg

from jaxboost.errors import InputError
from jaxboost.physics.tight_binding import Model

ABSENT = 1e3
"""eV: the energy of a state that had to be left out because the overlap matrix is singular."""

_SMALLEST_OVERLAP = 1e-6  # eigenvalues of S below it are dropped where S has no Cholesky factor
_DEGENERATE = 1e-3  # eV; the window's edge lies in a gap at least this wide


@dataclass(frozen=True)
class States:
    """Spinless bands at one k-point.

    Attributes:
      energies: `[m]` eV, ascending.
      coefficients: `[m, m]`, column a state C with `C^+ S C = 1`.
      dual: `[m, m]`, S C.
      dropped: states left out by canonical orthogonalisation; they stand at the end with energy `ABSENT`.
    """

    energies: np.ndarray
    coefficients: np.ndarray
    dual: np.ndarray
    dropped: int


@dataclass(frozen=True)
class SpinorStates:
    """Bands with spin-orbit coupling at one k-point, in the basis of the spinless ones of a window.

    Attributes:
      energies: `[2w]` eV, ascending.
      vectors: `[2w, 2w]`, rows spin up, then spin down, of the window's bands; None where only energies were asked for.
      start, stop: the window among the spinless bands; those below are doubly occupied.
      electrons: number of occupied states within the window.
    """

    energies: np.ndarray
    vectors: np.ndarray | None
    start: int
    stop: int
    electrons: int


def solve(hamiltonian: np.ndarray, overlap: np.ndarray) -> States:
    """Spinless states of `H C = S C E`, `[m, m]` each.

    By the Cholesky factor of S; where S has none, by canonical orthogonalisation (P.-O. Loewdin, Adv. Quantum Chem. 5,
    185, 1970), which drops the combinations of orbitals that all but vanish.

    Raises:
      InputError: the matrices hold a number that is not finite.
    """
    if not (np.isfinite(hamiltonian).all() and np.isfinite(overlap).all()):
        raise InputError("the Hamiltonian or overlap matrix is not finite: check levels, exponents and distances")
    driver = scipy.linalg.lapack.zhegvd if np.iscomplexobj(overlap) else scipy.linalg.lapack.dsygvd
    energies, vectors, info = driver(hamiltonian, overlap)
    if info == 0:
        return States(energies, vectors, overlap @ vectors, 0)
    size, basis = np.linalg.eigh(overlap)
    kept = size > _SMALLEST_OVERLAP
    basis = basis[:, kept] / np.sqrt(size[kept])
    energies, vectors = np.linalg.eigh(basis.conj().T @ hamiltonian @ basis)
    dropped = len(size) - int(kept.sum())
    coefficients = np.pad(basis @ vectors, ((0, 0), (0, dropped)))
    return States(np.pad(energies, (0, dropped), constant_values=ABSENT), coefficients, overlap @ coefficients, dropped)


def add_spin_orbit(model: Model, states: States, window: float, *, vectors: bool = True) -> SpinorStates:
    """The states with spin-orbit coupling.

    Args:
      model: its `spin_orbit` and number of electrons.
      states: of the same model at one k-point.
      window: eV to either side of the middle between the last filled and first empty spinless band.
      vectors: whether the eigenvectors are wanted too.
    """
    energies, electrons = states.energies, model.electrons
    middle = (energies[(electrons - 1) // 2] + energies[min((electrons + 1) // 2, len(energies) - 1)]) / 2
    start, stop = np.searchsorted(energies, [middle - window, middle + window])
    start, stop = min(start, max((electrons - 1) // 2, 0)), max(stop, min(electrons // 2 + 1, len(energies)))
    while start > 0 and energies[start] - energies[start - 1] < _DEGENERATE:
        start -= 1
    while stop < len(energies) and energies[stop] - energies[stop - 1] < _DEGENERATE:
        stop += 1
    basis = states.coefficients[:, start:stop]
    x, y, z = basis.conj().T @ (model.spin_orbit @ basis)
    diagonal = np.diag(energies[start:stop])
    matrix = np.block([[diagonal + z, x - 1j * y], [x + 1j * y, diagonal - z]])
    occupied = electrons - 2 * int(start)
    if vectors:
        return SpinorStates(*np.linalg.eigh(matrix), int(start), int(stop), occupied)
    return SpinorStates(np.linalg.eigvalsh(matrix), None, int(start), int(stop), occupied)
