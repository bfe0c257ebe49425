import csv
import os
from pathlib import Path

import numpy as np
import pytest

from jaxboost.crystal import StructureError, make_crystal, read_structure
from jaxboost.crystal.checks import check_structure

REPOSITORY = Path(__file__).parents[2]
CIF_FOLDER = Path(os.environ.get("JAXBOOST_DATA", REPOSITORY.parent / "shared" / "data")) / "cif"

CELL = """data_test
_cell_length_a 5.64(2)
_cell_length_b 5.64(2)
_cell_length_c 5.64(2)
_cell_angle_alpha 90
_cell_angle_beta 90.
_cell_angle_gamma 90.00(1)
"""
SITES = """loop_
_atom_site_label
_atom_site_type_symbol
_atom_site_fract_x
_atom_site_fract_y
_atom_site_fract_z
_atom_site_occupancy
"""
P1 = "_symmetry_space_group_name_H-M 'P 1'\nloop_\n_symmetry_equiv_pos_as_xyz\n'x, y, z'\n"
FM3M = "_space_group_name_H-M_alt 'F m -3 m'\n_space_group_IT_number 225\n"
ROCKSALT_SITES = "Na1 Na+ 0 0 0 1\nCl1 Cl- 0.5 0.5 0.5 1.0\n"


@pytest.fixture
def cif(tmp_path):
    def write(text: str | bytes, name: str = "test.cif") -> Path:
        path = tmp_path / name
        path.write_bytes(text.encode() if isinstance(text, str) else text)
        return path

    return write


def refused(path: Path) -> str:
    with pytest.raises(StructureError) as caught:
        make_crystal(read_structure(path))
    return str(caught.value)


def test_rocksalt_from_a_named_group(cif):
    structure = read_structure(cif(CELL + FM3M + SITES + ROCKSALT_SITES))
    assert sorted(structure.atomic_numbers) == [11] * 4 + [17] * 4
    np.testing.assert_allclose(structure.lattice, 5.64 * np.eye(3), atol=1e-9)
    crystal = make_crystal(structure)
    assert (crystal.space_group_number, crystal.formula, crystal.n_atoms) == (225, "ClNa", 2)


def test_listed_operations_are_used_also_in_a_setting_no_table_has(cif):
    centring = "loop_\n_space_group_symop_operation_xyz\nx,y,z\nx,y+1/2,z+1/2\nx+1/2,y,z+1/2\n'x+1/2, y+1/2, z'\n"
    structure = read_structure(cif(CELL + centring + SITES + ROCKSALT_SITES))
    assert len(structure.atomic_numbers) == 8
    thirds = "loop_\n_symmetry_equiv_pos_as_xyz\nx,y,z\nx+1/3,y,z\nx+2/3,y,z\n"
    assert len(read_structure(cif(CELL + thirds + SITES + ROCKSALT_SITES)).atomic_numbers) == 6


@pytest.mark.parametrize("operation", ["x+1/5,y,z", "x+y+z", "nonsense", "-y,x,z"])
def test_operations_that_the_parser_would_drop_are_refused(cif, operation):
    listed = f"loop_\n_symmetry_equiv_pos_as_xyz\nx,y,z\n{operation}\n"
    assert "symmetry operations" in refused(cif(CELL + listed + SITES + ROCKSALT_SITES))
    without_identity = "loop_\n_symmetry_equiv_pos_as_xyz\n-x,-y,-z\n"
    assert "symmetry operations" in refused(cif(CELL + without_identity + SITES + ROCKSALT_SITES))


def test_brackets_bonds_after_the_atoms_and_isotopes(cif):
    bonds = "loop_\n_geom_bond_atom_site_label_1\n_geom_bond_atom_site_label_2\nD1 O1\n"
    sites = "D1 D 0.10(3) 0.2 0.3 1\nT1 T -0.4 0.2 0.3 ?\nO1 O2- 0.3512(12) 0.7 1.9 .\n"
    structure = read_structure(cif(CELL + P1 + SITES + sites + bonds))
    assert structure.atomic_numbers.tolist() == [1, 1, 8]
    np.testing.assert_allclose(structure.frac_coords[2] % 1, [0.3512, 0.7, 0.9], atol=1e-12)
    assert make_crystal(structure).formula == "H2O"


def test_images_listed_beside_the_operations_count_once(cif):
    images = "Na2 Na 0.0 0.5 0.5 1\nNa3 Na 0.5001 0 0.5 1\n"
    structure = read_structure(cif(CELL + FM3M + SITES + ROCKSALT_SITES + images))
    assert sorted(structure.atomic_numbers) == [11] * 4 + [17] * 4


def test_special_positions_printed_as_decimals(cif):
    hexagonal = CELL.replace("90.00(1)", "120").replace("_b 5.64(2)", "_b 5.640")
    group = "_symmetry_Int_Tables_number 194\n_symmetry_space_group_name_H-M 'P 63/m m c'\n"
    structure = read_structure(cif(hexagonal + group + SITES + "Mg1 Mg 0.3333 0.6667 0.25 1\n"))
    assert len(structure.atomic_numbers) == 2
    assert make_crystal(structure).space_group_number == 194


def test_no_symmetry_at_all_means_the_whole_cell(cif):
    assert len(read_structure(cif(CELL + SITES + ROCKSALT_SITES)).atomic_numbers) == 2


def test_the_only_block_with_atoms_is_found(cif):
    text = "data_global\n_journal_year 2019\n" + CELL + P1 + SITES + ROCKSALT_SITES
    assert len(read_structure(cif(text)).atomic_numbers) == 2
    both = CELL + P1 + SITES + ROCKSALT_SITES
    assert "(test, second)" in refused(cif(both + both.replace("data_test", "data_second")))


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("", "no atom"),
        (CELL, "no atom"),
        (CELL + P1 + SITES, "no atom"),
        ("not a cif at all", "not a readable CIF"),
        (b"data_\xff\xfe\x00\x01\n_x \xff", "not a readable CIF"),
        ((CELL + P1 + SITES + ROCKSALT_SITES)[:-12], "not a readable CIF"),
        (P1.join(["data_x\n", SITES]) + ROCKSALT_SITES, "no cell: _cell_length_a is missing"),
        (CELL.replace("_b 5.64(2)", "_b ?") + P1 + SITES + ROCKSALT_SITES, "no cell: _cell_length_b is ?"),
        (CELL.replace("_b 5.64(2)", "_b 0") + P1 + SITES + ROCKSALT_SITES, "no volume"),
        (CELL.replace("_b 5.64(2)", "_b -5") + P1 + SITES + ROCKSALT_SITES, "left-handed"),
        (CELL.replace("90.00(1)", "180") + P1 + SITES + ROCKSALT_SITES, "no volume"),
        (CELL + P1 + SITES + "Na1 Na 0 0 nan 1\n", "'Na1' has no finite coordinates"),
        (CELL + P1 + SITES + "Na1 Na 0 ? 0 1\n", "'Na1' has no finite coordinates"),
        (CELL + P1 + SITES + "Q1 Qq 0 0 0 1\n", "unknown element 'Qq' at site 'Q1'"),
        (CELL + P1 + SITES + "Og1 Og 0 0 0 1\n", "unknown element 'Og'"),
        (CELL + P1 + SITES + "Na1 Na 0 0 0 0.5\n", "partial occupancy"),
        (CELL + P1 + SITES + "Na1 Na 0 0 0 0.95(2)\n", "partial occupancy"),
        (CELL + P1 + SITES + "Na1 Na 0 0 0 1.5\n", "partial occupancy"),
        (CELL + P1 + SITES + "Na1 Na 0 0 0 full\n", "partial occupancy"),
        (CELL + P1 + SITES + "Na1 Na 0 0 0 1\nK1 K 0 0 0.99 1\n", "Na and K share a site"),
        (CELL + FM3M + SITES + "Na1 Na 0 0 0 1\nK1 K 0 .5 0.5 1\n", "share a site"),
        (CELL + P1 + SITES + "Na1 Na 0 0 0 1\nNa2 Na 0 0 0 1\n", "two atoms on one place"),
        (CELL + FM3M + SITES + "Na1 Na 0 0 0 1\nNa2 Na 0 0 0 1\n", "two atoms on one place"),
        (CELL + "_symmetry_space_group_name_H-M 'Q 7 x'\n" + SITES + ROCKSALT_SITES,
         "unknown space group 'Q 7 x'"),
    ],
)  # fmt: skip
def test_what_is_no_ordered_crystal_is_refused_with_a_reason(cif, text, reason):
    assert reason in refused(cif(text))


def test_reasons_name_the_file(cif, tmp_path):
    path = cif("", "empty one.cif")
    with pytest.raises(StructureError, match="empty one.cif: "):
        read_structure(path)
    with pytest.raises(StructureError, match="absent.cif: cannot be opened"):
        read_structure(tmp_path / "absent.cif")


@pytest.mark.skipif(not CIF_FOLDER.is_dir(), reason=f"no reference data at {CIF_FOLDER}")
def test_the_reference_files_are_all_read():
    files = sorted(CIF_FOLDER.glob("*.cif"))
    with (CIF_FOLDER / "id_prop.csv").open() as table:
        listed = {row[0].removesuffix(".cif") for row in csv.reader(table) if row}
    assert len(files) == 120 and {file.stem for file in files} <= listed
    for file in files:
        structure = read_structure(file)
        check_structure(structure, 400)
        assert make_crystal(structure).n_atoms <= len(structure.atomic_numbers)
