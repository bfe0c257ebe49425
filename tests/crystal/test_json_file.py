"""Structures as pymatgen and ASE write them, in dictionaries that a test writes out by hand."""

import copy
import json

import numpy as np
import pytest

from jaxboost.crystal import Structure, StructureError, make_crystal, read_structure
from jaxboost.crystal.json_file import parse_json, structure_from_dict

A = 5.64
CELL = [[0.0, A / 2, A / 2], [A / 2, 0.0, A / 2], [A / 2, A / 2, 0.0]]
PYMATGEN = {
    "@module": "pymatgen.core.structure",
    "@class": "Structure",
    "charge": 0,
    "lattice": {"matrix": CELL, "pbc": [True, True, True], "a": 3.98, "volume": 44.8},
    "properties": {},
    "sites": [
        {"species": [{"element": "Na", "oxidation_state": 1, "occu": 1}], "abc": [0, 0, 0], "label": "Na+"},
        {"species": [{"element": "Cl", "occu": 0.998}], "abc": [0.5, 0.5, -0.5], "xyz": [0, 0, 0], "label": "Cl"},
    ],
}


def array(values, dtype):
    """As ASE's JSON has an array."""
    return {"__ndarray__": [list(np.shape(values)), dtype, np.ravel(values).tolist()]}


ROW = {
    "cell": {"array": array(CELL, "float64"), "__ase_objtype__": "cell"},
    "ctime": 26.9,
    "numbers": array([11, 17], "int64"),
    "pbc": array([True, True, True], "bool"),
    "positions": array([[0, 0, 0], [A / 2, A / 2, -A / 2]], "float64"),
}
DATABASE = {"1": ROW, "ids": [1], "nextid": 2}
ATOMS = {"cell": CELL, "numbers": [11, 17], "positions": [[0, 0, 0], [A / 2, A / 2, -A / 2]], "pbc": [True] * 3}


@pytest.mark.parametrize("held", [PYMATGEN, DATABASE, ROW, ATOMS, [ATOMS]])
def test_one_crystal_in_every_form(held, tmp_path):
    structure = parse_json(json.dumps(held))
    assert structure.atomic_numbers.tolist() == [11, 17]
    np.testing.assert_allclose(structure.lattice, CELL)
    crystal = make_crystal(structure)
    assert (crystal.formula, crystal.space_group_number) == ("ClNa", 225)
    expected = Structure(np.array(CELL), [[0, 0, 0], [0.5, 0.5, 0.5]], np.array([11, 17]))
    assert crystal == make_crystal(expected)
    file = tmp_path / "a.JSON"
    file.write_text("\ufeff" + json.dumps(held))
    assert make_crystal(read_structure(file)) == crystal


def test_arrays_are_taken_as_they_are():
    held = {name: np.array(value) for name, value in ATOMS.items()}
    assert make_crystal(structure_from_dict(held)).space_group_number == 225


def changed(held, path, value):
    """A copy in which one entry is another; `...` takes it out."""
    found = copy.deepcopy(held)
    *parents, last = path
    inner = found
    for name in parents:
        inner = inner[name]
    if value is ...:
        del inner[last]
    else:
        inner[last] = value
    return found


FIRST = ("sites", 0, "species")


@pytest.mark.parametrize(
    ("held", "reason"),
    [
        (changed(PYMATGEN, FIRST, [{"element": "Na", "occu": 0.5}]), "partial occupancy: site 0 has Na 0.5;"),
        (
            changed(PYMATGEN, FIRST, [{"element": "Na", "occu": 0.5}, {"element": "K", "occu": 0.5}]),
            "partial occupancy: site 0 has Na 0.5 and K 0.5",
        ),
        (changed(PYMATGEN, FIRST, [{"element": "Na", "occu": None}]), "damaged"),
        (changed(PYMATGEN, FIRST, [{"element": "X", "occu": 1}]), "unknown element 'X'"),
        (changed(PYMATGEN, FIRST, "Na"), "site 0 has no list of species"),
        (changed(PYMATGEN, ("lattice",), ...), "a molecule is no crystal"),
        (changed(PYMATGEN, ("lattice", "pbc"), [True, True, False]), "does not repeat in all three directions"),
        (changed(PYMATGEN, ("lattice", "matrix"), [1, 2, 3]), r"lattice.matrix: .* it has \(3,\)"),
        (changed(PYMATGEN, ("sites", 1, "abc"), ...), "damaged"),
        (changed(PYMATGEN, ("sites", 1, "abc"), [0, 1]), "damaged"),
        (changed(PYMATGEN, ("sites", 1, "abc"), [0, 1, float("nan")]), "frac_coords is NaN"),
        (changed(PYMATGEN, ("sites",), "Na Cl"), "no list of dictionaries"),
        (changed(PYMATGEN, ("sites",), []), "no atom"),
        (changed(ROW, ("pbc",), array([True, True, False], "bool")), "does not repeat in all three directions"),
        (changed(ROW, ("numbers",), array([11.5, 17], "float64")), "no list of atomic numbers"),
        (changed(ROW, ("numbers",), array([0, 17], "int64")), "unknown element: atomic number 0"),
        (changed(ROW, ("numbers",), {"__ndarray__": [[3], "int64", [1, 2]]}), "damaged"),
        (changed(ATOMS, ("cell",), [[0, 0, 0]] * 3), "a molecule is no crystal"),
        (changed(ATOMS, ("positions",), [[0, 0, 0]]), r"positions: expected numbers of shape \(2, 3\)"),
        (changed(ATOMS, ("positions",), [["here"] * 3] * 2), "damaged"),
        (ATOMS | {"info": {"occupancy": {"0": {"Na": 0.5}}}}, "partial occupancy: a site has Na 0.5"),
        (ATOMS | {"info": {"occupancy": {"0": {"Na": "half"}}}}, "damaged"),
        ({"1": ROW, "2": ROW, "ids": [1, 2], "nextid": 3}, "an ASE database of 2 structures: put each"),
        ({"ids": [1], "nextid": 2}, "it lists row 1 and does not hold it"),
        ([ATOMS, ATOMS], "a list of 2: put each structure in a file of its own"),
        ({"formula": "NaCl"}, "it holds formula"),
        ({}, "it holds nothing"),
        ("NaCl", "no structure"),
    ],
)
def test_what_is_no_ordered_crystal_is_refused_with_a_reason(held, reason):
    with pytest.raises(StructureError, match=reason):
        make_crystal(parse_json(json.dumps(held)))


@pytest.mark.parametrize("text", ["", "{", "[" * 100_000, "1" * 5000])
def test_text_that_is_no_json_is_refused(text):
    with pytest.raises(StructureError, match="not readable as JSON"):
        parse_json(text)
