"""POSCAR in its dialects, read to what they say in closed form."""

import numpy as np
import pytest

from jaxboost.crystal import StructureError, make_crystal, read_structure
from jaxboost.crystal.poscar_file import parse_poscar

CELL = "0.0 0.5 0.5\n0.5 0.0 0.5\n0.5 0.5 0.0\n"
PLACES = "Direct\n0 0 0\n0.5 0.5 0.5\n"
SALT = f"salt\n5.64\n{CELL}Na Cl\n1 1\n{PLACES}"
LATTICE = 5.64 * np.array([[0, 0.5, 0.5], [0.5, 0, 0.5], [0.5, 0.5, 0]])


@pytest.mark.parametrize(
    "text",
    [
        SALT,
        SALT.replace("5.64", f"-{5.64**3 / 4:.12f}"),
        SALT.replace("5.64", "5.64 5.64 5.64"),
        SALT.replace("5.64", "5.64d0 ! Angstrom"),
        SALT.replace("Direct", "Selective dynamics\nDirect").replace("0.5 0.5 0.5\n", "0.5 0.5 0.5 T T F\n"),
        SALT.replace("Direct", "Cartesian").replace("0.5 0.5 0.5\n", "0.5 0 0 F F F\n"),
        SALT.replace("Direct", "selective\n kartesisch").replace("0.5 0.5 0.5\n", "0 0.5 0\n"),
        SALT.replace("Na Cl", "Na_pv Cl/1a2b # potentials").replace("1 1", " 1 1 ! two"),
        SALT.replace("Na Cl\n", "").replace("salt", "Na Cl"),
        SALT.replace("0.5 0.5 0.5\n", "0.5 0.5 0.5 Cl\n") + "\n 0 0 0\n 0 0 0\n",
        SALT.replace("salt", ""),
        SALT.replace("\n", "\r\n"),
    ],
)
def test_one_crystal_in_every_dialect(text):
    structure = parse_poscar(text)
    assert structure.atomic_numbers.tolist() == [11, 17]
    np.testing.assert_allclose(structure.lattice, LATTICE, atol=1e-9)
    np.testing.assert_allclose(structure.frac_coords % 1, [[0, 0, 0], [0.5, 0.5, 0.5]], atol=1e-9)


def test_cartesian_places_are_scaled_along_each_axis():
    text = "x\n2 3 4\n1 1 0\n0 1 0\n0 0 1\nFe O Fe\n1 2 1\nC\n0 0 0\n0.5 0.75 0\n0 0.5 0\n0.25 0 0.25\n"
    structure = parse_poscar(text)
    np.testing.assert_allclose(structure.lattice, [[2, 3, 0], [0, 3, 0], [0, 0, 4]])
    expected = [[0, 0, 0], [0.5, 0.25, 0], [0, 0.5, 0], [0.25, -0.25, 0.25]]
    np.testing.assert_allclose(structure.frac_coords, expected, atol=1e-12)
    assert structure.atomic_numbers.tolist() == [26, 8, 8, 26]


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("", "cut short: line 2 should be the scale, and there are 0"),
        ("\n".join(SALT.splitlines()[:4]), "cut short: line 5 should be a lattice vector"),
        ("\n".join(SALT.splitlines()[:5]), "cut short: line 6"),
        ("\n".join(SALT.splitlines()[:7]), "cut short: line 8"),
        (SALT.replace("5.64", "0"), "line 2 is '0', expected the scale"),
        (SALT.replace("5.64", "big"), "line 2 is 'big', expected the scale"),
        (SALT.replace("5.64", "1 -2 3"), "line 2 is '1 -2 3'"),
        (SALT.replace("5.64", "-40").replace(CELL, "0 0 0\n" * 3), "span no volume"),
        (SALT.replace("Direct", "Cart").replace(CELL, "0 0 0\n" * 3), "span no volume"),
        (SALT.replace("0.0 0.5 0.5", "0.0 0.5", 1), "line 3 is '0.0 0.5', expected three numbers"),
        (SALT.replace("Na Cl\n", ""), r"no elements are named \(VASP 4\)"),
        (SALT.replace("Na Cl\n", "").replace("salt", "Na Cl O"), r"no elements are named \(VASP 4\)"),
        (SALT.replace("Na Cl", ""), "line 6 is empty"),
        (SALT.replace("Na Cl", "Na Qq"), "unknown element 'Qq'"),
        (SALT.replace("Na Cl", "Na Cl O"), r"names 3 elements \('Na Cl O'\) and line 7 has 2"),
        (SALT.replace("1 1", "1 many"), "line 7 has 1 whole numbers"),
        (SALT.replace("1 1", "1 2"), "cut short: 3 atoms are announced and 2 lines follow"),
        (SALT.replace("1 1", f"1 {10**8}"), "cut short: 100000001 atoms are announced"),
        (SALT.replace("Direct", "fractional"), "line 8 is 'fractional', expected 'Direct' or 'Cartesian'"),
        (SALT.replace("0.5 0.5 0.5\n", "0.5 here 0.5\n"), "line 10 is '0.5 here 0.5', expected three numbers"),
        (SALT.replace("0.5 0.5 0.5\n", "0.5 nan 0.5\n"), "frac_coords is NaN"),
        (SALT.replace("5.64", "-40").replace("0.0 0.5 0.5", "0.0 -0.5 -0.5"), "left-handed"),
    ],
)
def test_what_is_no_crystal_is_refused_with_a_reason(text, reason):
    with pytest.raises(StructureError, match=reason):
        make_crystal(parse_poscar(text))


def test_reasons_name_the_file(tmp_path):
    file = tmp_path / "POSCAR_7"
    file.write_bytes(SALT.replace("Na Cl", "Na Qq").encode().replace(b"salt", b"\xff\xfe"))
    with pytest.raises(StructureError, match="POSCAR_7: unknown element"):
        read_structure(file)
    with pytest.raises(StructureError, match="CONTCAR: cannot be opened"):
        read_structure(tmp_path / "CONTCAR")
