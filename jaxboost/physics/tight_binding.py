"""Bloch Hamiltonian and overlap of a crystal in its valence orbitals, from the structure alone.

    H_ab = K_ll' (s_a + s_b) / 2 (1 - c (chi_a - chi_b)^2) (h_a + h_b) / 2 * S_ab   between atoms,   H_aa = h_a,

the extended Hueckel form (M. Wolfsberg, L. Helmholz, J. Chem. Phys. 20, 837, 1952; R. Hoffmann, J. Chem. Phys. 39,
1397, 1963) with the shell factors of GFN1-xTB and no self-consistency; instead a level h may depend on the number and
the kind of an atom's neighbours (in the published figures it does not). The factor does not depend on the distance, so
`H(k) = factor * (S(k) - 1) + h` and only the overlaps need a lattice sum.

The host path is NumPy: tens of thousands of crystals, each of another size, would each compile anew. It shares the
formulas (`bond_overlaps`, `pair_factors`) with `differentiable_bands`, which JAX differentiates.
"""

from dataclasses import dataclass
from types import ModuleType
from typing import Any

import numpy as np

from jaxboost.crystal import Crystal
from jaxboost.errors import InputError
from jaxboost.physics.bonds import Bonds, find_bonds, relative_lengths
from jaxboost.physics.orbitals import ANGULAR_MOMENTUM, SHELL_OF_ORBITAL
from jaxboost.physics.overlaps import BOHR, bond_blocks, two_centre_overlaps
from jaxboost.physics.tight_binding_elements import (
    Parameters,
    basis_electrons,
    electronegativities,
    quantum_numbers,
)


def bond_overlaps(parameters: Parameters, bonds: Bonds, xp: ModuleType = np) -> Any:
    """`[b, 9, 9]` overlaps of the orbitals of first and second atom, in the crystal's axes."""
    n, exponent = xp.asarray(quantum_numbers()), xp.asarray(parameters.exponent)
    one, other = bonds.kind_elements[:, 0], bonds.kind_elements[:, 1]
    integrals = two_centre_overlaps(
        n[one], exponent[one], n[other], exponent[other], xp.asarray(bonds.kind_distance) / BOHR, xp
    )
    turn = xp.asarray(bonds.turn)
    return turn @ bond_blocks(integrals, xp)[bonds.kind] @ xp.swapaxes(turn, 1, 2)


def hopping_ratios(parameters: Parameters, bonds: Bonds, xp: ModuleType = np) -> Any:
    """`[b, 9, 9]` by how much a hopping differs from the overlap times its pair's factor, for the bond's length."""
    one, other = bonds.kind_elements[:, 0], bonds.kind_elements[:, 1]
    decay, log = xp.asarray(parameters.decay), relative_lengths(bonds, xp)[:, None]
    ends = [xp.exp(-decay[z] * log / 2)[:, SHELL_OF_ORBITAL][bonds.kind] for z in (one, other)]
    return ends[0][:, :, None] * ends[1][:, None, :]


def surroundings(parameters: Parameters, bonds: Bonds, xp: ModuleType = np) -> tuple[Any, Any, Any, Any]:
    """What the levels of an atom respond to.

    Returns:
      `[n, 1]` the number of neighbours over 12; `[n, 1]` how much more electronegative (Pauling) they are on average;
      `[n, traits]` their mean traits; `[n, n]` the weight of each atom in these means. Of an atom without neighbours
      the means are 0, and come there smoothly.
    """
    counts, chi = xp.asarray(bonds.neighbours), xp.asarray(electronegativities())[bonds.atomic_numbers]
    number = counts.sum(axis=1)[:, None]
    share = counts / xp.maximum(number, 1)
    excess = (share * (chi - chi[:, None])).sum(axis=1)[:, None]
    return number / 12, excess, share @ xp.asarray(parameters.traits)[bonds.atomic_numbers], share


def atom_levels(parameters: Parameters, bonds: Bonds, xp: ModuleType = np) -> Any:
    """`[n, 3]` eV: the level of each shell of each atom where it is."""
    z = bonds.atomic_numbers
    crowd, pull, traits, _ = surroundings(parameters, bonds, xp)
    shift = xp.asarray(parameters.crowd_shift)[z] * crowd + xp.asarray(parameters.pull_shift)[z] * pull
    response = (xp.asarray(parameters.level_response)[z] * traits[:, None, :]).sum(axis=2)
    return xp.asarray(parameters.level)[z] + shift + response


def pair_factors(parameters: Parameters, bonds: Bonds, xp: ModuleType = np) -> Any:
    """`[n, 9, n, 9]` eV: what an overlap is multiplied by to give the matrix element of H."""
    level, others = atom_levels(parameters, bonds, xp), shell_factors(parameters, bonds, xp)
    by_shell = (level[:, :, None, None] + level) / 2
    for factor in others:
        by_shell = by_shell * factor
    return by_shell[:, SHELL_OF_ORBITAL][:, :, :, SHELL_OF_ORBITAL]


def shell_factors(parameters: Parameters, bonds: Bonds, xp: ModuleType = np) -> tuple[Any, Any, Any, Any]:
    """What the mean level of two shells is multiplied by, each to be broadcast to `[n, 3, n, 3]`.

    Returns:
      Wolfsberg and Helmholz's factor, the mean strength, ionicity, and how each responds to the other's traits.
    """
    z = bonds.atomic_numbers
    strength, chi = xp.asarray(parameters.strength)[z], xp.asarray(electronegativities())[z]
    polar = 1 - parameters.ionicity * (chi[:, None] - chi) ** 2
    response = xp.einsum("alr,br->alb", xp.asarray(parameters.bond_response)[z], xp.asarray(parameters.traits)[z])
    mutual = 1 + (response[:, :, :, None] + response.transpose(2, 0, 1)[:, None]) / 2
    wolfsberg = xp.asarray(parameters.shell_factor)[:, None, :]
    return wolfsberg, (strength[:, :, None, None] + strength) / 2, polar[:, None, :, None], mutual


def occupied_orbitals(atomic_numbers: np.ndarray) -> np.ndarray:
    """`[n, 9]` which of the nine orbitals each atom has."""
    return quantum_numbers()[atomic_numbers][:, SHELL_OF_ORBITAL] > 0


@dataclass(frozen=True)
class Model:
    """The tight-binding model of one crystal, without what depends on k.

    Attributes:
      electrons: a primitive cell, both spins.
      atom: `[m]` of each orbital.
      slot: `[m]` of each orbital among the nine of its atom.
      level: `[m]` eV.
      factor: `[m, m]` eV.
      spin_orbit: `[3, m, m]` eV, imaginary: `xi L_i / 2`, which goes with the Pauli matrix sigma_i.
      groups: (atom, atom, cells `[c, 3]`, overlaps `[2, c, orbitals of one, of other]`) of every bonded pair; first the
        overlaps, then what the factors multiply.
    """

    electrons: int
    atom: np.ndarray
    slot: np.ndarray
    level: np.ndarray
    factor: np.ndarray
    spin_orbit: np.ndarray
    groups: tuple[tuple[int, int, np.ndarray, np.ndarray], ...]

    @property
    def n_orbitals(self) -> int:
        """Orbitals of the primitive cell, without spin."""
        return len(self.level)

    def bloch(self, kpoints: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """H (eV) and S at each k, without spin-orbit coupling.

        Phases count whole cells (`exp(2 pi i k.R)`), so both are periodic in k, and real where all k-points have
        2k a reciprocal lattice vector.

        Args:
          kpoints: `[k, 3]` in the primitive reciprocal basis.

        Raises:
          InputError: a k-point that is not finite or outside [-1, 1], so probably in another unit.

        Returns:
          `[k, m, m]` each, Hermitian.
        """
        kpoints = np.asarray(kpoints, float)
        if kpoints.ndim != 2 or kpoints.shape[1] != 3 or not (np.abs(kpoints) <= 1 + 1e-9).all():
            raise InputError("k-points: expected [k, 3] fractions of the reciprocal vectors within [-1, 1]")
        overlap, hopping = self.lattice_sums(kpoints)
        hamiltonian = hopping * self.factor
        diagonal = np.arange(self.n_orbitals)
        hamiltonian[:, diagonal, diagonal] += self.level
        overlap[:, diagonal, diagonal] += 1
        return hamiltonian, overlap

    def lattice_sums(self, kpoints: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """`[k, m, m]` overlaps of different orbitals, and what the factors multiply to give H."""
        real = bool((np.abs(2 * kpoints - np.rint(2 * kpoints)) < 1e-12).all())
        sums = np.zeros((2, len(kpoints), self.n_orbitals, self.n_orbitals), float if real else complex)
        start = np.searchsorted(self.atom, np.arange(self.atom[-1] + 2))
        for one, other, cells, blocks in self.groups:
            angle = 2 * np.pi * (kpoints @ cells.T)
            phase = np.rint(np.cos(angle)) if real else np.exp(1j * angle)
            total = (phase @ blocks.reshape(2, len(cells), -1)).reshape(2, len(kpoints), *blocks.shape[2:])
            sums[:, :, start[one] : start[one + 1], start[other] : start[other + 1]] = total
        sums += sums.conj().swapaxes(2, 3)
        return sums[0], sums[1]


def make_model(crystal: Crystal, parameters: Parameters) -> Model:
    """The model of a crystal with NumPy parameters.

    Raises:
      InputError: an element that the table lacks.
    """
    return model_of_bonds(find_bonds(crystal, parameters), parameters)


def model_of_bonds(bonds: Bonds, parameters: Parameters) -> Model:
    """The model of a crystal whose bonds are known; the rows of `groups` are those of the bonds, in order."""
    numbers = bonds.atomic_numbers
    kept = occupied_orbitals(numbers)
    atom, slot = np.nonzero(kept)
    flat = kept.reshape(-1)
    blocks = bond_overlaps(parameters, bonds)
    blocks = np.stack([blocks, blocks * hopping_ratios(parameters, bonds)])
    key = bonds.first * len(numbers) + bonds.second
    starts = np.flatnonzero(np.diff(key, prepend=-1))
    groups = []
    for begin, end in zip(starts, [*starts[1:], len(key)], strict=True):
        one, other = int(bonds.first[begin]), int(bonds.second[begin])
        groups.append((one, other, bonds.cell[begin:end], blocks[:, begin:end, kept[one]][..., kept[other]]))
    size = 9 * len(numbers)
    shell = SHELL_OF_ORBITAL[slot]
    coupling = np.where(atom[:, None] == atom, ANGULAR_MOMENTUM[:, slot[:, None], slot], 0)
    return Model(
        electrons=int(basis_electrons()[numbers].sum()),
        atom=atom,
        slot=slot,
        level=atom_levels(parameters, bonds)[atom, shell],
        factor=pair_factors(parameters, bonds).reshape(size, size)[flat][:, flat],
        spin_orbit=coupling * parameters.spin_orbit[numbers[atom], shell] / 2,
        groups=tuple(groups),
    )
