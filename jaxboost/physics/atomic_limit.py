"""The atomic limit: valence shells in the order of their energy, filled with the electrons there are.

Closed inner shells are band representations that are filled in any case, so what decides is the outer electrons.
The order is crude and fixed: minus the electronegativity of Mulliken (J. Chem. Phys. 2, 782, 1934), (I + A) / 2,
with s below p by `_S_BELOW_P`, and the s shell of a metal with open d or f shells above them by `_S_ABOVE_D`.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache

import numpy as np

from jaxboost.crystal.elements import ELEMENT_PROPERTIES, VALENCE_ELECTRONS

SHELLS = "spdf"
CAPACITIES = (2, 6, 10, 14)
INNER_SHELLS = (0, 2, 6, 8, 10)
"""Electrons that the closed shells s2, p6, s2p6 and d10 below the outer ones can hold."""

# eV, set by hand, not fitted: so that lone pairs (Pb 6s) fill before the cation p and d shells, Ga 4s after As 4p.
_S_BELOW_P = 1.2
_S_ABOVE_D = 2.0
_F_BELOW_D = 0.5


@dataclass(frozen=True)
class Shell:
    """One shell of one element.

    Attributes:
        atomic_number: the element.
        l: angular momentum, 0 to 3.
        energy: estimate in eV below the vacuum; only the order and rough distances mean something.
    """

    atomic_number: int
    l: int  # noqa: E741
    energy: float


@lru_cache(maxsize=128)
def outer_electrons(atomic_number: int) -> int:
    """Electrons of an atom outside its closed shells; 0 where the element's valence is unknown.

    The group's number in the s and d blocks (2 for Zn, Cd, Hg), less 10 in the p block; in the f block what the
    convention of `VALENCE_ELECTRONS` has beyond 5p6 or 5s2 5p6.
    """
    valence = int(VALENCE_ELECTRONS[atomic_number])
    group = int(ELEMENT_PROPERTIES["group"][atomic_number])
    if not valence:
        return 0
    if atomic_number == 2 or group == 12:
        return 2
    if ELEMENT_PROPERTIES["block_f"][atomic_number]:
        return valence - 8 if valence > 10 else valence - 6
    return group - 10 if group > 12 else group


@lru_cache(maxsize=128)
def outer_shells(atomic_number: int) -> tuple[Shell, ...]:
    """The shells that hold the outer electrons of an element, lowest first."""
    ionisation = float(ELEMENT_PROPERTIES["ionization_energy"][atomic_number])
    affinity = float(np.nan_to_num(ELEMENT_PROPERTIES["electron_affinity"][atomic_number]))
    level = -(ionisation + affinity) / 2
    block = next(l for l, name in enumerate(SHELLS) if ELEMENT_PROPERTIES[f"block_{name}"][atomic_number])  # noqa: E741
    if block == 0 or ELEMENT_PROPERTIES["group"][atomic_number] == 12:
        return (Shell(atomic_number, 0, level),)
    if block == 1:
        return Shell(atomic_number, 0, level - _S_BELOW_P), Shell(atomic_number, 1, level)
    metal = (Shell(atomic_number, 2, level), Shell(atomic_number, 0, level + _S_ABOVE_D))
    # Three outer electrons or fewer: the f electrons are in the core.
    if block == 3 and outer_electrons(atomic_number) > 3:
        return (Shell(atomic_number, 3, level - _F_BELOW_D), *metal)
    return metal


def inner_electrons(atomic_number: int) -> int:
    """Electrons of an atom in closed shells below the outer ones: one of `INNER_SHELLS`."""
    return int(VALENCE_ELECTRONS[atomic_number]) - outer_electrons(atomic_number)


def closed_shell(atomic_number: int) -> int:
    """Electrons that close the outer shells as an anion does: s2p6, s2 of an s metal, d10 or f14 of the others."""
    shells = outer_shells(atomic_number)
    return CAPACITIES[0] + CAPACITIES[1] if shells[-1].l == 1 else CAPACITIES[shells[0].l]


@dataclass(frozen=True)
class Filling:
    """The shells of a crystal, filled from below.

    Attributes:
        shells: of all its elements, lowest first.
        capacities: `[shell]` electrons in all atoms of the primitive cell.
        electrons: `[shell]` how many are there.
    """

    shells: tuple[Shell, ...]
    capacities: np.ndarray
    electrons: np.ndarray

    @property
    def highest(self) -> int:
        """Index of the highest shell with electrons."""
        return int(np.flatnonzero(self.electrons)[-1])

    @property
    def in_open_shell(self) -> int:
        """Electrons in a shell that is not full; 0 in the closed-shell case."""
        top = self.highest
        return int(self.electrons[top]) if self.electrons[top] < self.capacities[top] else 0

    @property
    def gap(self) -> float:
        """eV from the highest shell with electrons to the lowest one with holes; 0 for an open shell."""
        top = self.highest
        if self.in_open_shell:
            return 0.0
        # With all shells full the next one lies beyond those that are counted: at the vacuum.
        above = self.shells[top + 1].energy if top + 1 < len(self.shells) else 0.0
        return above - self.shells[top].energy


def fill_shells(atomic_numbers: np.ndarray) -> Filling:
    """Fills the outer shells of the listed atoms `[n]`, whose valence electrons must all be known."""
    numbers, counts = np.unique(atomic_numbers, return_counts=True)
    atoms = dict(zip(numbers.tolist(), counts.tolist(), strict=True))
    shells = sorted((s for z in atoms for s in outer_shells(z)), key=lambda s: (s.energy, s.atomic_number, s.l))
    capacities = np.array([CAPACITIES[s.l] * atoms[s.atomic_number] for s in shells])
    total = sum(outer_electrons(z) * count for z, count in atoms.items())
    below = np.cumsum(capacities) - capacities
    return Filling(tuple(shells), capacities, np.clip(total - below, 0, capacities))
