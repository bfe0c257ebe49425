"""Computes `corepresentations.npz`, after `band_representations` has written the points and the lines.

    python -m jaxboost.physics.corepresentation_table

Seconds on one core.
"""

from pathlib import Path

import numpy as np
from spgrep.core import get_spacegroup_spinor_irreps_from_primitive_symmetry

from jaxboost.physics.corepresentations import Corepresentations
from jaxboost.physics.high_symmetry import GENERAL_STEP, stabiliser
from jaxboost.physics.little_groups import Operations, operations, phases, representations
from jaxboost.physics.shell_characters import orbital_characters
from jaxboost.physics.space_groups import K_GRID, space_group


def compute_corepresentations(number: int) -> Corepresentations:
    """Those of space group `number`, 1..230, from its operations."""
    ops, group = operations(number), space_group(number)
    kpoints = np.rint(np.array([k.frac for k in group.kpoints]) * K_GRID).astype(int)
    # A point is a line of no length.
    ways = [(k, k) for k in kpoints]
    ways += [(kpoints[line.i], np.rint(np.array(line.end) * K_GRID).astype(int)) for line in group.lines]
    blocks = [_projectors(ops, begin, end) for begin, end in ways]
    place = np.repeat(np.arange(len(ways)), [len(dims) for dims, _ in blocks])
    _, _, spinors, _ = get_spacegroup_spinor_irreps_from_primitive_symmetry(
        ops.lattice, ops.rotations, np.zeros((ops.order, 3)), kpoint=np.zeros(3)
    )
    return Corepresentations(
        kpoints=kpoints,
        place=place,
        start=np.array([*range(len(kpoints)), *(line.i for line in group.lines)])[place],
        dims=np.concatenate([dims for dims, _ in blocks]),
        projectors=np.concatenate([projectors for _, projectors in blocks]),
        shells=orbital_characters(ops.rotations) * np.trace(spinors, axis1=1, axis2=2).real,
    )


def _projectors(ops: Operations, begin: np.ndarray, end: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Dimensions and projectors between two points (units of 1/12), on representations at the first of them."""
    scaled = begin * GENERAL_STEP.denominator + (end - begin) * GENERAL_STEP.numerator
    denominator = K_GRID * GENERAL_STEP.denominator
    members, reversing = stabiliser(ops, scaled, denominator)
    here = representations(ops, members, reversing, scaled / denominator, spin=True)
    # The little group's factors do not change along the way; only the phases of the translations do.
    carried = phases((scaled / denominator) - begin / K_GRID, ops.translations[members])
    first = np.array([group[0] for group in here.groups])
    copies = np.array([1 + (group == (group[0], group[0])) for group in here.groups])
    projectors = np.zeros((len(first), ops.order), complex)
    projectors[:, members] = here.characters[first].conj() * carried / len(members) / copies[:, None]
    return np.array(here.dims), projectors


def main() -> None:
    """Computes all 230 groups and writes the table beside this module."""
    groups = [compute_corepresentations(number) for number in range(1, 231)]
    entries = np.concatenate([group.projectors.ravel() for group in groups])
    # Rounded, so that the same number is written once; adding 0.0 removes the sign of zero.
    values, index = np.unique(np.round(entries, 9) + 0.0, return_inverse=True)
    np.savez_compressed(
        Path(__file__).with_name("corepresentations.npz"),
        first_row=np.cumsum([0, *(len(group.dims) for group in groups)]),
        first_entry=np.cumsum([0, *(group.projectors.size for group in groups)]),
        first_operation=np.cumsum([0, *(group.shells.shape[1] for group in groups)]),
        place=np.concatenate([group.place for group in groups]).astype(np.uint8),
        dims=np.concatenate([group.dims for group in groups]).astype(np.uint8),
        entries=index.astype(np.uint16),
        values=values,
        shells=np.concatenate([group.shells for group in groups], axis=1),
    )


if __name__ == "__main__":
    main()
