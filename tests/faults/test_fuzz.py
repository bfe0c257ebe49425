"""A few of the inputs of `benchmarks/fuzz.py`, the same every time: used or refused, each with a reason."""

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings

from benchmarks import fuzz
from jaxboost.crystal import read_structure

few = settings(max_examples=40, deadline=None, derandomize=True, database=None, suppress_health_check=list(HealthCheck))


@few
@given(fuzz.STRUCTURES)
def test_crystals(structure):
    assert fuzz.try_structure(structure)


@few
@given(fuzz.TABLES)
def test_tables(tmp_path_factory, table):
    assert fuzz.try_table(table, tmp_path_factory.getbasetemp() / "fuzzed.parquet")


@settings(few, max_examples=200)
@given(fuzz.CIF_BYTES)
def test_cif_files(tmp_path_factory, content):
    assert fuzz.try_cif(content, tmp_path_factory.getbasetemp() / "fuzzed.cif")


@pytest.mark.parametrize("content", fuzz.CIFS)
def test_what_is_changed_was_valid(tmp_path, content):
    assert fuzz.try_cif(content, tmp_path / "a.cif") == fuzz.ACCEPTED


def test_sound_crystals_and_tables_are_accepted():
    assert fuzz.try_structure(fuzz.draw_structure(1, 4, "box", "anywhere")) == fuzz.ACCEPTED
    refused = {
        cell: fuzz.kind_of(fuzz.try_structure(fuzz.draw_structure(1, 2, cell, "anywhere")))
        for cell in ("flat", "tiny", "huge")
    }
    assert fuzz.ACCEPTED not in refused.values()


def test_reasons_are_counted_by_their_kind():
    assert fuzz.kind_of("file: unknown element 'Qq' at site 'Q1'") == fuzz.kind_of(
        "file: unknown element 'X' at site 'b'"
    )
    assert fuzz.kind_of("8 atoms are listed") != fuzz.kind_of("no atom: give one")


def cif(cell: str, sites: np.ndarray, group: str = "") -> bytes:
    """Sodium on `sites` in a cell of lengths and angles `cell`."""
    names = ("length_a", "length_b", "length_c", "angle_alpha", "angle_beta", "angle_gamma")
    lines = [
        "data_x",
        *(f"_cell_{name} {value}" for name, value in zip(names, cell.split(), strict=True)),
        group,
        "loop_",
    ]
    lines += ["_atom_site_label", "_atom_site_type_symbol", *(f"_atom_site_fract_{axis}" for axis in "xyz")]
    lines += [f"Na{i} Na {x:.9f} {y:.9f} {z:.9f}" for i, (x, y, z) in enumerate(sites)]
    return "\n".join([*lines, ""]).encode()


@pytest.mark.parametrize(
    ("cell", "reason"),
    [
        ("40 40 40 1e-3 1e-3 1e-3", "no volume"),
        ("0.6 0.6 0.6 90 90 90", "400 atoms in 0.216 Angstrom^3 cannot be 0.3 Angstrom apart"),
        ("4000 0.01 0.01 90 90 90", "absurd lattice"),
        ("4e9 4e9 4e9 90 90 90", "absurd lattice"),
    ],
)
def test_a_cell_in_which_atoms_have_endlessly_many_images_is_refused(tmp_path, cell, reason):
    sites = np.random.default_rng(0).random((400, 3))
    assert reason in fuzz.try_cif(cif(cell, sites), tmp_path / "a.cif")


def test_a_whole_cell_beside_its_operations_counts_each_atom_once(tmp_path):
    """Each of the 512 is made 192 times over."""
    grid = np.stack(np.meshgrid(*[np.arange(8) / 8] * 3), -1).reshape(-1, 3)
    path = tmp_path / "a.cif"
    path.write_bytes(cif("32 32 32 90 90 90", grid, "_space_group_name_H-M_alt 'F m -3 m'"))
    assert len(read_structure(path).atomic_numbers) == 512


def test_thousands_on_one_place_are_found_without_all_their_pairs(tmp_path):
    rng = np.random.default_rng(0)
    crowd = cif("40 40 40 90 90 90", 0.5 + 1e-4 * rng.random((7000, 3)))
    assert "two atoms on one place" in fuzz.try_cif(crowd, tmp_path / "a.cif")
    listed = cif("40 40 40 90 90 90", rng.random((100_001, 3)))
    assert "more than 100,000 atoms" in fuzz.try_cif(listed, tmp_path / "a.cif")
