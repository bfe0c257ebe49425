"""Electrons: how many there are to fill bands with, and what their number allows in the space group."""

from __future__ import annotations

import numpy as np

from jaxboost.crystal import Crystal
from jaxboost.crystal.elements import ELEMENT_PROPERTIES, VALENCE_ELECTRONS
from jaxboost.physics.filling import allowed_classes
from jaxboost.physics.space_groups import space_group

MODULI = (2, 4, 6, 8, 12, 16, 24)
STEPS = (2, 4, 6, 8, 12)
SHELLS = ("s", "p", "d", "f")
COLUMNS = (
    *(f"residue_{modulus}_{r}" for modulus in MODULI for r in range(0, modulus, 2)),
    *(f"step_{step}" for step in STEPS),
    "electrons_mod_step",
    "electrons_mod_two_steps",
    "odd",
    "forbidden",
    "log_electrons",
    "electrons_per_atom",
    "log_indicators",
    "indicator_generators",
    "band_structure_rank",
    "compatibility_freedom",
    "trivial_possible",
    "insulator_possible",
    "semimetal_possible",
    *(f"fraction_{shell}" for shell in SHELLS),
)


def valence_electrons(crystal: Crystal) -> int | None:
    """Valence electrons of the primitive cell (convention of `crystal.elements`); None if an element has no figure."""
    counts = VALENCE_ELECTRONS[crystal.atomic_numbers]
    return int(counts.sum()) if (counts > 0).all() else None


def electrons(crystal: Crystal) -> tuple[np.ndarray, np.ndarray, bool]:
    """The row of one crystal, what symmetry and filling still allow, and whether the electrons are known.

    Returns:
      [len(COLUMNS)] float32; [3] bool, whether trivial, insulator, semimetal remain possible; False where an
      element has no valence count, in which case the row is zero, nothing is excluded, and the modality is masked.
    """
    nu = valence_electrons(crystal)
    if nu is None:
        return np.zeros(len(COLUMNS), np.float32), np.ones(3, bool), False
    group = space_group(crystal.space_group_number)
    allowed = np.array(allowed_classes(nu, group))
    m = group.filling_step
    shells = np.array([ELEMENT_PROPERTIES[f"valence_{shell}"][crystal.atomic_numbers].sum() for shell in SHELLS])
    row = [
        *(float(nu % modulus == r) for modulus in MODULI for r in range(0, modulus, 2)),
        *(float(m == step) for step in STEPS),
        nu % m / m,
        nu % (2 * m) / (2 * m),
        nu % 2,
        nu % m != 0,
        np.log(nu),
        nu / crystal.n_atoms,
        np.log2(group.indicator_order),
        len(group.indicator_group),
        group.d_bs / 10,
        np.log1p(group.compatibility_freedom),
        *allowed,
        *(shells / shells.sum()),
    ]
    return np.array(row, np.float32), allowed, True
