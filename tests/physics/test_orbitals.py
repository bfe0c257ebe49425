"""Turns of orbitals and spins, and their angular momentum."""

import numpy as np
from scipy.spatial.transform import Rotation

from jaxboost.physics.orbitals import ANGULAR_MOMENTUM, PAULI, bond_frames, orbital_rotations, spin_rotations


def _orthogonal(count: int) -> np.ndarray:
    """Rotations, and the same ones with the inversion."""
    proper = Rotation.random(count, rng=np.random.default_rng(0)).as_matrix()
    return np.concatenate([proper, -proper])


def _values(points: np.ndarray) -> np.ndarray:
    """The nine orbitals at points [p, 3], without radial part, as polynomials of equal norm in each shell."""
    x, y, z = points.T
    d = [2 * x * y, 2 * y * z, 2 * z * x, x**2 - y**2, (2 * z**2 - x**2 - y**2) / np.sqrt(3)]
    return np.stack([np.ones_like(x), x, y, z, *d])


def test_orbitals_turn_as_the_functions_they_stand_for():
    points = np.random.default_rng(1).normal(size=(20, 3))
    for matrix in _orthogonal(3):
        turned = _values(points @ matrix)  # values at matrix^-1 r
        np.testing.assert_allclose(turned, orbital_rotations(matrix).T @ _values(points), atol=1e-12)


def test_turns_of_orbitals_and_spins_multiply_as_the_rotations_do():
    a, b = _orthogonal(3), _orthogonal(3)[::-1]
    np.testing.assert_allclose(orbital_rotations(a @ b), orbital_rotations(a) @ orbital_rotations(b), atol=1e-12)
    product, both = spin_rotations(a @ b), spin_rotations(a) @ spin_rotations(b)
    sign = np.sign((product * both.conj()).sum((1, 2)).real)[:, None, None]
    np.testing.assert_allclose(product, sign * both, atol=1e-12)


def test_angular_momentum_obeys_its_commutator_and_has_the_right_square():
    x, y, z = ANGULAR_MOMENTUM
    np.testing.assert_allclose(x @ y - y @ x, 1j * z, atol=1e-12)
    np.testing.assert_allclose(np.diag(x @ x + y @ y + z @ z).real, [0, 2, 2, 2, 6, 6, 6, 6, 6], atol=1e-12)


def test_orbit_and_spin_couple_to_a_scalar():
    coupling = sum(np.kron(s, angular) for s, angular in zip(PAULI, ANGULAR_MOMENTUM, strict=True)) / 2
    for matrix in _orthogonal(3):
        turn = np.kron(spin_rotations(matrix), orbital_rotations(matrix))
        np.testing.assert_allclose(turn @ coupling @ turn.conj().T, coupling, atol=1e-12)
    # j = 1/2 and 3/2 of p at -1 and 1/2, j = 3/2 and 5/2 of d at -3/2 and 1, s at 0.
    levels = [-1.5] * 4 + [-1] * 2 + [0] * 2 + [0.5] * 4 + [1] * 6
    np.testing.assert_allclose(np.linalg.eigvalsh(coupling), levels, atol=1e-12)


def test_a_bond_frame_takes_z_to_the_bond_without_a_reflection():
    directions = np.array([[0, 0, 1], [0, 0, -1], [1, 0, 0], [0.6, 0, 0.8], [0.48, 0.64, 0.6]])
    frames = bond_frames(directions)
    np.testing.assert_allclose(frames[:, :, 2], directions)
    np.testing.assert_allclose(frames.swapaxes(1, 2) @ frames, np.tile(np.eye(3), (5, 1, 1)), atol=1e-12)
    np.testing.assert_allclose(np.linalg.det(frames), 1)
