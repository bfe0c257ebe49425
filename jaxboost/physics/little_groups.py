"""Representations of little groups and site-symmetry groups, with time reversal, as characters.

The unitary irreducible representations come from `spgrep`; how time reversal pairs them is decided by the
Herring (Frobenius-Schur) sum over the operations that take k to -k: C. Herring, Phys. Rev. 52, 361 (1937);
Bradley and Cracknell, The Mathematical Theory of Symmetry in Solids, eq. 7.3.51.
"""

from dataclasses import dataclass
from functools import lru_cache

import numpy as np
from moyopy import operations_from_number
from spgrep.core import (
    get_spacegroup_irreps_from_primitive_symmetry,
    get_spacegroup_spinor_irreps_from_primitive_symmetry,
)

from jaxboost.physics.lattices import generic_lattice

TRANSLATION_GRID = 24
"""Translations of every space group, in its standard primitive basis, are multiples of 1/24."""


@dataclass(frozen=True)
class Operations:
    """The operations of a space group modulo translations, in the standard primitive basis of moyopy.

    Attributes:
        rotations: integers `[operation, 3, 3]`, on column coordinates.
        translations: integers `[operation, 3]` in units of 1/24.
        lattice: rows are lattice vectors of a generic crystal with this symmetry.
        table: `[i, j]` is the index of the product of operations i and j, modulo translations.
        inverse: `[i]` is the index of the inverse of operation i.
        spin_sign: `[i, j]` is the sign in `U_i U_j = sign * U_table[i, j]`, U being the spin-1/2 matrices.
    """

    rotations: np.ndarray
    translations: np.ndarray
    lattice: np.ndarray
    table: np.ndarray
    inverse: np.ndarray
    spin_sign: np.ndarray

    @property
    def order(self) -> int:
        """Number of operations modulo translations: the order of the point group."""
        return len(self.rotations)

    def excess(self, i: int, j: int) -> np.ndarray:
        """Lattice vector `[3]` (units of 1/24) by which the product of i and j exceeds the listed one."""
        listed = self.translations[self.table[i, j]]
        return self.rotations[i] @ self.translations[j] + self.translations[i] - listed


@lru_cache(maxsize=230)
def operations(number: int) -> Operations:
    """The operations of space group `number` (1..230) in moyopy's default setting."""
    listed = operations_from_number(number, primitive=True)
    rotations = np.array(listed.rotations, dtype=int)
    exact = np.array(listed.translations, dtype=float) * TRANSLATION_GRID
    translations = np.rint(exact).astype(int)
    if not np.allclose(exact, translations, atol=1e-6):
        raise ArithmeticError(f"space group {number}: a translation is no multiple of 1/{TRANSLATION_GRID}")
    lattice = generic_lattice(rotations)
    products = np.einsum("aij,bjk->abik", rotations, rotations)
    table = np.argmax(np.all(products[:, :, None] == rotations[None, None], axis=(3, 4)), axis=2)
    identity = int(np.argmax(np.all(rotations == np.eye(3, dtype=int), axis=(1, 2))))
    _, spin_sign, _, _ = get_spacegroup_spinor_irreps_from_primitive_symmetry(
        lattice, rotations, np.zeros((len(rotations), 3)), kpoint=np.zeros(3)
    )
    inverse = np.argmax(table == identity, axis=1)
    return Operations(rotations, translations, lattice, table, inverse, np.rint(spin_sign.real).astype(int))


@dataclass(frozen=True)
class Representations:
    """The irreducible representations of one little group (or site-symmetry group), grouped by time reversal.

    Attributes:
        members: indices `[element]` of the unitary operations.
        characters: complex `[irrep, element]`, of the operations as listed (translation phases included).
        groups: for each co-representation the irreps it is made of: `(i,)`, `(i, i)` or `(i, j)`.
    """

    members: np.ndarray
    characters: np.ndarray
    groups: tuple[tuple[int, ...], ...]

    @property
    def irrep_dims(self) -> np.ndarray:
        """Dimensions `[irrep]` without time reversal: the largest absolute character is the identity's."""
        return np.rint(np.abs(self.characters).max(axis=1)).astype(int)

    @property
    def dims(self) -> tuple[int, ...]:
        """Dimensions with time reversal, in the order of `groups`."""
        return tuple(int(sum(self.irrep_dims[list(group)])) for group in self.groups)

    def corep_characters(self) -> np.ndarray:
        """Characters `[corep, element]` of the co-representations on the unitary operations."""
        return np.array([self.characters[list(group)].sum(axis=0) for group in self.groups])

    def multiplicities(self, characters: np.ndarray) -> np.ndarray:
        """How often each co-representation is in a representation: `[..., element]` -> `[..., corep]`.

        Raises:
            ArithmeticError: where a multiplicity is no non-negative integer, that is, the characters are not
                those of a representation of this group that time reversal leaves alone.
        """
        counts = characters @ self.characters.conj().T / len(self.members)
        first = np.array([group[0] for group in self.groups])
        doubled = np.array([len(group) == 2 and group[0] == group[1] for group in self.groups])
        exact = counts[..., first] / np.where(doubled, 2, 1)
        rounded = np.rint(exact.real).astype(int)
        if np.abs(exact - rounded).max(initial=0.0) > 1e-6 or rounded.min(initial=0) < 0:
            raise ArithmeticError("multiplicities of co-representations have to be non-negative integers")
        if not np.allclose(rounded @ self.corep_characters(), characters, atol=1e-6):
            raise ArithmeticError("the co-representations do not add up to the representation")
        return rounded


def phases(kpoint: np.ndarray, shifts: np.ndarray) -> np.ndarray:
    """`exp(-2 pi i k . t)`: what translations `shifts` `[..., 3]` (units of 1/24) do at `kpoint` `[3]`."""
    return np.exp(-2j * np.pi * (shifts @ kpoint) / TRANSLATION_GRID)


def representations(
    ops: Operations, members: np.ndarray, reversing: np.ndarray, kpoint: np.ndarray, *, spin: bool
) -> Representations:
    """The irreducible representations of a little group and their pairing by time reversal.

    Args:
        ops: the space group.
        members: indices of the operations that keep `kpoint`.
        reversing: indices of those that take it to its negative, modulo the reciprocal lattice; may be empty.
        kpoint: `[3]`, reciprocal primitive basis, without 2 pi. Zero, with the operations that fix a site as
            both `members` and `reversing`, gives the site-symmetry group.
        spin: double-valued representations (time reversal squares to -1), else single-valued.
    """
    rotations, shifts = ops.rotations[members], ops.translations[members] / TRANSLATION_GRID
    if spin:
        matrices, _, _, kept = get_spacegroup_spinor_irreps_from_primitive_symmetry(
            ops.lattice, rotations, shifts, kpoint=kpoint
        )
    else:
        matrices, kept = get_spacegroup_irreps_from_primitive_symmetry(rotations, shifts, kpoint)
    if len(kept) != len(members):
        raise ArithmeticError("spgrep disagrees about the little group")
    characters = _ordered(np.array([np.trace(matrix, axis1=1, axis2=2) for matrix in matrices]))
    if len(reversing) == 0:
        return Representations(members, characters, tuple((i,) for i in range(len(characters))))

    sign = ops.spin_sign if spin else np.ones_like(ops.spin_sign)
    place = np.full(ops.order, -1)
    place[members] = np.arange(len(members))
    squares = ops.table[reversing, reversing]
    weights = sign[reversing, reversing] * phases(kpoint, np.array([ops.excess(a, a) for a in reversing]))
    time_squared = -1 if spin else 1
    exact = time_squared * (characters[:, place[squares]] @ weights) / len(members)
    indicators = np.rint(exact.real).astype(int)
    if np.abs(exact - indicators).max() > 1e-6:
        raise ArithmeticError("a Herring sum has to be -1, 0 or 1")

    overlaps = _conjugated(ops, members, reversing[0], kpoint, characters, place, sign) @ characters.conj().T
    partner = np.argmax(overlaps.real, axis=1)
    groups: list[tuple[int, ...]] = []
    for i, indicator in enumerate(indicators):
        if indicator == 1:
            groups.append((i,))
        elif indicator == -1:
            groups.append((i, i))
        elif i < partner[i]:
            groups.append((i, int(partner[i])))
    return Representations(members, characters, tuple(groups))


def _ordered(characters: np.ndarray) -> np.ndarray:
    """The rows in an order of their own: in which one `spgrep` finds them depends on the machine's rounding."""
    key = np.round(np.concatenate([characters.real, characters.imag], axis=1), 6) + 0.0
    return characters[np.lexsort(key.T[::-1])]


def _conjugated(
    ops: Operations,
    members: np.ndarray,
    reverser: int,
    kpoint: np.ndarray,
    characters: np.ndarray,
    place: np.ndarray,
    sign: np.ndarray,
) -> np.ndarray:
    """Characters `[irrep, element]` of what time reversal times `reverser` makes of each irrep."""
    inner = ops.table[ops.inverse[reverser], ops.table[members, reverser]]
    # g a = a h shifted by a lattice vector, which is pulled back through a.
    pairs = zip(members, inner, strict=True)
    excess = np.array([ops.excess(g, reverser) - ops.excess(reverser, h) for g, h in pairs])
    shift = excess @ ops.rotations[ops.inverse[reverser]].T
    signs = sign[members, reverser] * sign[reverser, inner]
    return (signs * phases(kpoint, shift) * characters[:, place[inner]]).conj()
