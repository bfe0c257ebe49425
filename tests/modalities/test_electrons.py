"""Electron counts and what they exclude, on crystals whose answer is known."""

import os
from pathlib import Path

import numpy as np
import pytest

from jaxboost.crystal import Structure, make_crystal
from jaxboost.data.materials import read_table
from jaxboost.data.topomat import CLASSES
from jaxboost.modalities.electrons import COLUMNS, electrons, valence_electrons
from jaxboost.physics.filling import is_forbidden
from jaxboost.physics.space_groups import space_group

DATA = Path(os.environ.get("JAXBOOST_DATA", Path(__file__).parents[2] / ".." / "shared" / "data"))
FCC = np.array([[0, 0.5, 0.5], [0.5, 0, 0.5], [0.5, 0.5, 0]])


def _crystal(lattice, coords, numbers):
    return make_crystal(Structure(np.array(lattice, float), np.array(coords, float), np.array(numbers)))


def test_silicon_has_eight_electrons_and_may_be_an_insulator():
    silicon = _crystal(5.43 * FCC, [[0, 0, 0], [0.25, 0.25, 0.25]], [14, 14])
    assert valence_electrons(silicon) == 8
    row, allowed, known = electrons(silicon)
    assert known and allowed[0] and row[COLUMNS.index("forbidden")] == 0


def test_a_supercell_has_the_count_of_the_primitive_cell():
    double = _crystal(
        np.diag([1, 1, 2]) @ (3.9 * np.eye(3)),
        [[0, 0, 0], [0, 0, 0.5], [0.5, 0.5, 0.25], [0.5, 0.5, 0.75]],
        [55, 55, 17, 17],
    )
    assert valence_electrons(double) == 9 + 7


def test_an_element_without_a_count_masks_the_electrons():
    row, allowed, known = electrons(_crystal(3.5 * np.eye(3), [[0, 0, 0]], [96]))
    assert not known and allowed.all() and not row.any()


def test_forbidden_fillings_of_the_reference_table_are_found_from_the_structures():
    path = DATA / "topomat" / "materials.parquet"
    if not path.exists():
        pytest.skip("the reference table is not here")
    import pyarrow.parquet as pq

    table = read_table(str(path), label_column="topology", classes=CLASSES)
    columns = pq.read_table(path, columns=["valence_electrons", "space_group_number"]).to_pydict()
    pairs = zip(columns["valence_electrons"], columns["space_group_number"], strict=True)
    by_column = np.array([is_forbidden(nu, space_group(sg)) for nu, sg in pairs])
    assert by_column.sum() == 2076
    some = np.flatnonzero(by_column)[::12]
    for row in some:
        crystal = make_crystal(table.structures[row])
        nu = valence_electrons(crystal)
        assert nu is not None and is_forbidden(nu, space_group(crystal.space_group_number)), table.ids[row]
        assert CLASSES[table.labels[row]] in ("HSPSM", "HSLSM")
