"""What the operations of a crystal do to its Bloch states, and the characters of the occupied ones.

An operation takes the orbital of atom a in cell R to that of atom b in cell `rotation R + shift`, so among Bloch sums
with phases `exp(2 pi i k.R)` its matrix is `exp(-2 pi i k'.shift_a) D` with `k' = rotation k` and D the turn of s, p
and d orbitals (and spins): Bradley and Cracknell, The Mathematical Theory of Symmetry in Solids (1972), chapter 3.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from jaxboost.crystal import Crystal
from jaxboost.physics.band_states import SpinorStates, States
from jaxboost.physics.orbitals import orbital_rotations, spin_rotations
from jaxboost.physics.tight_binding import Model


@dataclass(frozen=True)
class OrbitalSymmetry:
    """The operations of a crystal on the orbitals of its model.

    Attributes:
      rotations: `[g, 3, 3]` int and
      translations: `[g, 3]` as in `Crystal`.
      reciprocal: `[g, 3, 3]` int: the image of a k-point is `reciprocal @ k`.
      shift: `[g, n, 3]` int, by how many cells each atom leaves the one it is counted in.
      image: `[g, n]` the atom that it comes to.
      orbital: `[g, 9, 9]` turns of the nine orbitals.
      spin: `[g, 2, 2]` turns of the spin.
    """

    rotations: np.ndarray
    translations: np.ndarray
    reciprocal: np.ndarray
    shift: np.ndarray
    image: np.ndarray
    orbital: np.ndarray
    spin: np.ndarray

    def little_group(self, *kpoints: np.ndarray) -> list[int]:
        """Indices of the operations that keep each of the k-points, up to a reciprocal lattice vector."""
        points = np.array(kpoints)
        moved = np.einsum("gij,kj->gki", self.reciprocal, points) - points
        return np.flatnonzero((np.abs(moved - np.rint(moved)) < 1e-6).all(axis=(1, 2))).tolist()

    def inversion(self) -> int | None:
        """Index of the inversion, None where the crystal has none."""
        found = np.flatnonzero((self.rotations == -np.eye(3, dtype=int)).all(axis=(1, 2)))
        return int(found[0]) if len(found) else None

    def apply(self, operation: int, kpoint: np.ndarray, model: Model, coefficients: np.ndarray) -> np.ndarray:
        """The images `[m, b]` of spinless states at a k-point that the operation keeps: `matrix @ coefficients`.

        Atom by atom, as an operation takes the orbitals of one to those of one other.
        """
        start = np.searchsorted(model.atom, np.arange(len(self.image[operation]) + 1))
        phase = np.exp(-2j * np.pi * (self.shift[operation] @ kpoint))
        images = np.empty(coefficients.shape, complex)
        for atom, image in enumerate(self.image[operation]):
            slots = model.slot[start[atom] : start[atom + 1]]
            turn = phase[atom] * self.orbital[operation][slots[:, None], slots]
            images[start[image] : start[image + 1]] = turn @ coefficients[start[atom] : start[atom + 1]]
        return images

    def matrix(self, operation: int, kpoint: np.ndarray, model: Model) -> np.ndarray:
        """`[m, m]`, on the orbitals of a model, at a k-point that the operation keeps."""
        atom, slot = model.atom, model.slot
        phase = np.exp(-2j * np.pi * (self.shift[operation] @ kpoint))[atom]
        lands = self.image[operation][atom] == atom[:, None]
        return np.where(lands, self.orbital[operation][slot[:, None], slot], 0) * phase


def orbital_symmetry(crystal: Crystal) -> OrbitalSymmetry:
    """The operations of a crystal, ready to act on orbitals."""
    moved = np.einsum("gij,nj->gni", crystal.rotations, crystal.frac_coords) + crystal.translations[:, None]
    offset = moved[:, :, None] - crystal.frac_coords
    other_element = crystal.atomic_numbers[:, None] != crystal.atomic_numbers
    distance = np.linalg.norm((offset - np.rint(offset)) @ crystal.lattice, axis=-1) + 1e3 * other_element
    image = distance.argmin(axis=2)
    chosen = np.take_along_axis(offset, image[:, :, None, None], axis=2)[:, :, 0]
    columns = crystal.lattice.T
    cartesian = columns @ crystal.rotations @ np.linalg.inv(columns)
    return OrbitalSymmetry(
        rotations=crystal.rotations,
        translations=crystal.translations,
        reciprocal=np.rint(np.linalg.inv(crystal.rotations)).astype(int).transpose(0, 2, 1),
        shift=np.rint(chosen).astype(int),
        image=image,
        orbital=orbital_rotations(cartesian),
        spin=spin_rotations(cartesian),
    )


def occupied_characters(
    symmetry: OrbitalSymmetry,
    operations: Sequence[int],
    kpoint: np.ndarray,
    model: Model,
    states: States,
    spinors: SpinorStates | None = None,
) -> np.ndarray:
    """Traces of operations over the occupied states at a k-point that they keep.

    They depend on the representations alone where the filling separates two levels, and on the origin by
    `exp(-2 pi i k.translation)`.

    Args:
      symmetry: of the crystal.
      operations: indices of the operations.
      kpoint: `[3]`.
      model: of the crystal.
      states: at `kpoint`; occupied are the lowest `electrons // 2`.
      spinors: with vectors, for the character with spin-orbit coupling; occupied are the lowest `electrons`.

    Returns:
      `[operation]` complex.
    """
    if spinors is None:
        deep, stop = model.electrons // 2, model.electrons // 2
    else:
        deep, stop = spinors.start, spinors.stop
    density = None
    if spinors is not None and spinors.vectors is not None:
        occupied = spinors.vectors[:, : spinors.electrons]
        half = len(occupied) // 2
        density = (occupied @ occupied.conj().T).reshape(2, half, 2, half)
    characters = np.zeros(len(operations), complex)
    for row, operation in enumerate(operations):
        images = symmetry.apply(operation, kpoint, model, states.coefficients[:, :stop])
        dual = states.dual[:, :stop].conj()
        core = (dual[:, :deep] * images[:, :deep]).sum()
        if density is None:
            characters[row] = core
            continue
        spin = symmetry.spin[operation]
        among = dual[:, deep:].T @ images[:, deep:]
        # sum over spins s, t of spin[s, t] Tr(among density[t, s])
        characters[row] = core * np.trace(spin) + (spin.T * np.tensordot(density, among, ((1, 3), (1, 0)))).sum()
    return characters


def level_characters(
    symmetry: OrbitalSymmetry,
    operations: Sequence[int],
    kpoint: np.ndarray,
    model: Model,
    states: States,
    spinors: SpinorStates,
    chosen: np.ndarray,
) -> np.ndarray:
    """Traces of operations over one level with spin-orbit coupling, phases as in `occupied_characters`.

    Args:
      symmetry, operations, kpoint, model, states: as there.
      spinors: with vectors.
      chosen: indices among the states of the window; all states of the level, or the traces mean nothing.

    Returns:
      `[operation]` complex.
    """
    assert spinors.vectors is not None
    window = slice(spinors.start, spinors.stop)
    up_down = spinors.vectors[:, chosen].reshape(2, spinors.stop - spinors.start, -1)
    coefficients, dual = states.coefficients[:, window] @ up_down, states.dual[:, window] @ up_down
    characters = np.zeros(len(operations), complex)
    for row, operation in enumerate(operations):
        flat = coefficients.swapaxes(0, 1).reshape(model.n_orbitals, -1)
        images = symmetry.apply(operation, kpoint, model, flat).reshape(model.n_orbitals, 2, -1).swapaxes(0, 1)
        characters[row] = (symmetry.spin[operation][:, :, None, None] * dual.conj()[:, None] * images[None]).sum()
    return characters
