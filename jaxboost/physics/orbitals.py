"""How s, p and d orbitals and spins turn, and their angular momentum.

The nine real orbitals of an atom stand in the order s; x, y, z; xy, yz, zx, x2-y2, z2. The d orbitals are written as
symmetric traceless tensors of unit norm, so that they turn as `R T R^T` and no table of Wigner functions is needed.
"""

import numpy as np
from scipy.spatial.transform import Rotation

SHELL_OF_ORBITAL = np.array([0, 1, 1, 1, 2, 2, 2, 2, 2])
"""`[9]` angular momentum of each orbital of an atom."""
SHELL_OF_ORBITAL.setflags(write=False)

PAULI = np.array([[[0, 1], [1, 0]], [[0, -1j], [1j, 0]], [[1, 0], [0, -1]]])
"""`[3, 2, 2]` Pauli matrices."""


def _d_tensors() -> np.ndarray:
    tensors = np.zeros((5, 3, 3))
    for orbital, (i, j) in enumerate(((0, 1), (1, 2), (2, 0))):
        tensors[orbital, i, j] = tensors[orbital, j, i] = np.sqrt(1 / 2)
    tensors[3] = np.diag([1, -1, 0]) / np.sqrt(2)
    tensors[4] = np.diag([-1, -1, 2]) / np.sqrt(6)
    return tensors


_D_TENSORS = _d_tensors()


def orbital_rotations(matrices: np.ndarray) -> np.ndarray:
    """What orthogonal matrices (Cartesian, improper ones too) do to the nine orbitals.

    Args:
      matrices: `[..., 3, 3]`, `r -> matrices @ r`.

    Returns:
      `[..., 9, 9]` orthogonal: orbital b turns into `sum_a result[a, b] orbital_a`.
    """
    result = np.zeros((*matrices.shape[:-2], 9, 9))
    result[..., 0, 0] = 1
    result[..., 1:4, 1:4] = matrices
    # R T R^T, as one product of the Kronecker square with the five tensors.
    squares = np.einsum("...ij,...kl->...ikjl", matrices, matrices).reshape(*matrices.shape[:-2], 9, 9)
    flat = _D_TENSORS.reshape(5, 9)
    result[..., 4:, 4:] = flat @ squares @ flat.T
    return result


def bond_frames(directions: np.ndarray) -> np.ndarray:
    """Proper rotations that take z to the given unit vectors, `[..., 3]` to `[..., 3, 3]`.

    The turn about the bond is arbitrary: two-centre integrals do not depend on it.
    """
    aside = np.where(np.abs(directions[..., 2:]) < 0.9, [0.0, 0.0, 1.0], [1.0, 0.0, 0.0])
    first = np.cross(aside, directions)
    first /= np.linalg.norm(first, axis=-1, keepdims=True)
    return np.stack([first, np.cross(directions, first), directions], axis=-1)


def spin_rotations(matrices: np.ndarray) -> np.ndarray:
    """`[..., 3, 3]` orthogonal to `[..., 2, 2]` in SU(2), of the proper part; inversion leaves spins alone.

    The sign is one of the two possible ones: use the same matrix wherever characters are compared.
    """
    proper = matrices * np.sign(np.linalg.det(matrices))[..., None, None]
    quaternion = Rotation.from_matrix(proper.reshape(-1, 3, 3)).as_quat().reshape(*matrices.shape[:-2], 4)
    turned = np.einsum("...i,ijk->...jk", quaternion[..., :3], PAULI)
    return quaternion[..., 3, None, None] * np.eye(2) - 1j * turned


def _angular_momentum() -> np.ndarray:
    generators = np.zeros((3, 3, 3))
    for i, j, k in ((0, 1, 2), (1, 2, 0), (2, 0, 1)):
        generators[i, j, k], generators[i, k, j] = 1, -1
    result = np.zeros((3, 9, 9), complex)
    result[:, 1:4, 1:4] = -1j * generators
    for i in range(3):
        turned = -1j * (generators[i] @ _D_TENSORS + _D_TENSORS @ generators[i].T)
        result[i, 4:, 4:] = np.einsum("aij,bij->ab", _D_TENSORS, turned)
    return result


ANGULAR_MOMENTUM = _angular_momentum()
"""`[3, 9, 9]` Hermitian, imaginary: L_x, L_y, L_z in units of hbar."""
ANGULAR_MOMENTUM.setflags(write=False)
