"""The tight-binding levels of a crystal as a function of the parameters, for gradients.

The same formulas as `tight_binding.Model`, in `jax.numpy`, with nine orbitals on every atom: those that an element
lacks stand alone at `ABSENT` eV. Shapes are padded (`pad_bonds`), so that crystals of like size share one compiled
program. Float64 throughout: call it within `jax.enable_x64(True)`; the package's networks stay in float32.

Differentiate levels, not states: the derivative of an eigenvector diverges where levels meet.
"""

from dataclasses import fields, replace

import jax
import jax.numpy as jnp
import numpy as np

from jaxboost.errors import InputError
from jaxboost.physics.band_states import ABSENT
from jaxboost.physics.bonds import Bonds
from jaxboost.physics.orbitals import ANGULAR_MOMENTUM, PAULI, SHELL_OF_ORBITAL
from jaxboost.physics.tight_binding import atom_levels, bond_overlaps, hopping_ratios, pair_factors
from jaxboost.physics.tight_binding_elements import Parameters, quantum_numbers

jax.tree_util.register_dataclass(Bonds, data_fields=[field.name for field in fields(Bonds)], meta_fields=[])


def pad_bonds(bonds: Bonds, *, atoms: int, bonds_size: int, kinds: int) -> Bonds:
    """Fills up with atoms without orbitals, which change no level below `ABSENT`.

    Args:
      bonds: of a crystal.
      atoms, bonds_size, kinds: sizes to fill up to.

    Raises:
      InputError: the crystal is larger than that; a size must leave one kind free.
    """
    found = (len(bonds.atomic_numbers), len(bonds.first), len(bonds.kind_distance) + 1)
    wanted = (atoms, bonds_size, kinds)
    if any(have > give for have, give in zip(found, wanted, strict=True)):
        raise InputError(f"{found} atoms, bonds and kinds (with a spare one) do not fit into {wanted}")
    extra_atoms, extra_bonds = atoms - found[0], bonds_size - found[1]
    extra_kinds = kinds - found[2] + 1
    return replace(
        bonds,
        atomic_numbers=np.pad(bonds.atomic_numbers, (0, extra_atoms)),
        first=np.pad(bonds.first, (0, extra_bonds)),
        second=np.pad(bonds.second, (0, extra_bonds)),
        cell=np.pad(bonds.cell, ((0, extra_bonds), (0, 0))),
        turn=np.concatenate([bonds.turn, np.tile(np.eye(9), (extra_bonds, 1, 1))]),
        kind=np.pad(bonds.kind, (0, extra_bonds), constant_values=kinds - 1),
        kind_elements=np.pad(bonds.kind_elements, ((0, extra_kinds), (0, 0))),
        kind_distance=np.pad(bonds.kind_distance, (0, extra_kinds), constant_values=1.0),
        neighbours=np.pad(bonds.neighbours, (0, extra_atoms)),
    )


def bloch_matrices(parameters: Parameters, bonds: Bonds, kpoints: jax.Array) -> tuple[jax.Array, jax.Array]:
    """H (eV) and S of `[k, 3]` k-points without spin-orbit coupling, `[k, 9 n, 9 n]` each."""
    n = bonds.atomic_numbers.shape[0]
    blocks = bond_overlaps(parameters, bonds, jnp)
    phase = jnp.exp(2j * jnp.pi * (kpoints @ bonds.cell.T))
    sums = []
    for summed in (blocks, blocks * hopping_ratios(parameters, bonds, jnp)):
        half = jnp.zeros((len(kpoints), n, n, 9, 9), complex)
        half = half.at[:, bonds.first, bonds.second].add(phase[:, :, None, None] * summed)
        half = half.transpose(0, 1, 3, 2, 4).reshape(len(kpoints), 9 * n, 9 * n)
        sums.append(half + half.conj().swapaxes(1, 2))
    overlap, hopping = sums
    factor = pair_factors(parameters, bonds, jnp).reshape(9 * n, 9 * n)
    shells = jnp.asarray(quantum_numbers())[bonds.atomic_numbers][:, SHELL_OF_ORBITAL].reshape(-1)
    level = atom_levels(parameters, bonds, jnp)[:, SHELL_OF_ORBITAL].reshape(-1)
    diagonal = jnp.diag(jnp.where(shells > 0, level, ABSENT))
    return hopping * factor + diagonal, overlap + jnp.eye(9 * n)


def band_levels(parameters: Parameters, bonds: Bonds, kpoints: jax.Array, *, spin_orbit: bool) -> jax.Array:
    """Levels in eV, ascending.

    Args:
      parameters: arrays that gradients may be taken with respect to.
      bonds: of a crystal, as found with parameters of about this reach, padded or not.
      kpoints: `[k, 3]` in the primitive reciprocal basis.
      spin_orbit: whether to add `xi L.S`; all of it, not within a window.

    Returns:
      `[k, 18 n]` with spin-orbit coupling, else `[k, 9 n]`; missing orbitals stand at `ABSENT`, at the end.
    """
    hamiltonian, overlap = bloch_matrices(parameters, bonds, kpoints)
    factor = jnp.linalg.cholesky(overlap)
    if spin_orbit:
        xi = jnp.asarray(parameters.spin_orbit)[bonds.atomic_numbers][:, SHELL_OF_ORBITAL]
        coupling = jnp.einsum("ist,iab->satb", PAULI, ANGULAR_MOMENTUM) / 2
        n = bonds.atomic_numbers.shape[0]
        # [spin, atom, orbital, spin, atom, orbital]
        on_site = jnp.einsum("na,satb,nm->snatmb", xi, coupling, jnp.eye(n)).reshape(18 * n, 18 * n)
        twice = jnp.eye(2)
        hamiltonian = jnp.einsum("st,kab->ksatb", twice, hamiltonian).reshape(len(kpoints), 18 * n, 18 * n) + on_site
        factor = jnp.einsum("st,kab->ksatb", twice, factor).reshape(len(kpoints), 18 * n, 18 * n)
    half = jax.scipy.linalg.solve_triangular(factor, hamiltonian, lower=True)
    whole = jax.scipy.linalg.solve_triangular(factor, half.conj().swapaxes(1, 2), lower=True)
    return jnp.linalg.eigvalsh(whole)
