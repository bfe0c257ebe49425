import os
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from jaxboost.data import read_table
from jaxboost.data.topomat import CLASSES
from jaxboost.errors import InputError

DATA = Path(os.environ.get("JAXBOOST_DATA", Path(__file__).parents[3] / "shared" / "data"))

CIF = """data_x
_cell_length_a 4
_cell_length_b 4
_cell_length_c 4
_cell_angle_alpha 90
_cell_angle_beta 90
_cell_angle_gamma 90
loop_
_atom_site_label
_atom_site_type_symbol
_atom_site_fract_x
_atom_site_fract_y
_atom_site_fract_z
Po1 Po 0 0 0
"""


def rows():
    """Three cubic cells of 1, 2 and 3 atoms."""
    return {
        "material_id": ["a", "b", "c"],
        "lattice": [[4.0 + n, 0, 0, 0, 4.0, 0, 0, 0, 4.0] for n in range(3)],
        "atomic_numbers": [list(range(1, n + 2)) for n in range(3)],
        "frac_coords": [[0.1 * k for k in range(3 * (n + 1))] for n in range(3)],
        "topology": ["TI", "trivial", "TI"],
    }


def write(folder, columns=None, **changes):
    path = folder / "table.parquet"
    pq.write_table(pa.table((columns or rows()) | changes), path)
    return path


def read(path, **options):
    return read_table(path, **{"label_column": "topology"} | options)


def write_folder(folder, listing, names=("a", "b")):
    (folder / "id_prop.csv").write_text(listing)
    for name in names:
        (folder / f"{name}.cif").write_text(CIF)
    return folder


def test_rows_of_different_length_come_back_as_they_were_written(tmp_path):
    table = read(write(tmp_path))
    assert table.ids.tolist() == ["a", "b", "c"]
    assert table.classes == ("TI", "trivial") and table.labels.tolist() == [0, 1, 0]
    assert table.split is None and table.rejected == () and len(table) == 3
    for number, structure in enumerate(table.structures):
        np.testing.assert_array_equal(structure.lattice, np.diag([4.0 + number, 4, 4]))
        np.testing.assert_array_equal(structure.atomic_numbers, np.arange(1, number + 2))
        np.testing.assert_array_equal(
            structure.frac_coords,
            [[0.1 * (3 * k), 0.1 * (3 * k + 1), 0.1 * (3 * k + 2)] for k in range(number + 1)],
        )


def test_classes_give_the_order_of_the_labels(tmp_path):
    assert read(write(tmp_path), classes=CLASSES).labels.tolist() == [1, 0, 1]


@pytest.mark.parametrize(
    "labels",
    [[1, 0, 1], [True, False, True], [1.0, 0.0, 1.0], pa.array(["1", "0", "1"]).dictionary_encode()],
    ids=["int", "bool", "float", "categories"],
)
def test_labels_may_be_numbers_or_categories(tmp_path, labels):
    assert read(write(tmp_path, topology=labels)).labels.tolist() == [1, 0, 1]


def test_fixed_size_and_large_lists_are_lists(tmp_path):
    lattice = pa.array(rows()["lattice"], pa.list_(pa.float32(), 9))
    coords = pa.array(rows()["frac_coords"], pa.large_list(pa.float64()))
    table = read(write(tmp_path, lattice=lattice, frac_coords=coords))
    assert table.structures[2].lattice[0, 0] == 6.0 and table.structures[2].frac_coords.shape == (3, 3)


def test_split_is_read_and_must_be_train_or_test(tmp_path):
    assert read(write(tmp_path, split=["train", "test", "train"])).split.tolist() == [
        "train",
        "test",
        "train",
    ]
    with pytest.raises(InputError, match="'val'.*must say 'train' or 'test'"):
        read(write(tmp_path, split=["train", "val", "test"]))
    with pytest.raises(InputError, match="None"):
        read(write(tmp_path, split=["train", None, "test"]))


def test_without_required_labels_neither_label_nor_split_is_read(tmp_path):
    columns = rows()
    del columns["topology"]
    table = read(write(tmp_path, columns, split=["?", "?", "?"]), require_labels=False, classes=CLASSES)
    assert table.labels.tolist() == [-1, -1, -1] and table.classes == CLASSES and table.split is None
    assert read(write(tmp_path), require_labels=False).labels.tolist() == [-1, -1, -1]


@pytest.mark.parametrize(
    "column, value, reason",
    [
        ("frac_coords", [0.0] * 5, "frac_coords has 5 numbers for 2 atoms, expected 6"),
        ("frac_coords", None, "null"),
        ("frac_coords", [0.0, 0.0, 0.0, None, 0.5, 0.5], "null"),
        ("atomic_numbers", [8, None], "null"),
        ("lattice", [4.0] * 6, "lattice has 6 numbers, expected 9"),
        ("lattice", None, "null"),
        ("topology", None, "no label"),
        ("topology", "", "no label"),
    ],
)
def test_a_bad_row_is_rejected_and_its_neighbours_stay(tmp_path, column, value, reason):
    columns = rows()
    columns[column][1] = value
    table = read(write(tmp_path, columns))
    assert table.ids.tolist() == ["a", "c"] and table.classes == ("TI",) and table.labels.tolist() == [0, 0]
    assert [structure.lattice[0, 0] for structure in table.structures] == [4.0, 6.0]
    assert [len(structure.atomic_numbers) for structure in table.structures] == [1, 3]
    ((name, why),) = table.rejected
    assert name == "b" and reason in why


def test_a_row_without_id_is_rejected_by_its_number(tmp_path):
    assert read(write(tmp_path, material_id=["a", None, "c"])).rejected == (("row 2", "no id"),)


def test_no_usable_row_is_an_error_with_the_first_reasons(tmp_path):
    with pytest.raises(InputError, match="none of its 3 rows.*a: lattice has 1 numbers"):
        read(write(tmp_path, lattice=[[1.0]] * 3))


def test_a_missing_column_names_the_columns_and_the_nearest(tmp_path):
    with pytest.raises(InputError, match=r"no column 'topolgy'.*atomic_numbers.*'topology'\?.*label_column"):
        read(write(tmp_path), label_column="topolgy")
    columns = rows()
    columns["frac_coord"] = columns.pop("frac_coords")
    with pytest.raises(InputError, match=r"no column 'frac_coords'.*'frac_coord'\? Rename"):
        read(write(tmp_path, columns))


def test_labels_that_are_not_classes_are_listed(tmp_path):
    with pytest.raises(InputError, match="1 unknown labels: 'TI'; known are 'trivial', 'metal'"):
        read(write(tmp_path), classes=("trivial", "metal"))


@pytest.mark.parametrize("labels", [pa.nulls(3), pa.nulls(3, pa.string()), [float("nan")] * 3])
def test_a_column_without_any_label_is_an_error(tmp_path, labels):
    with pytest.raises(InputError, match="column 'topology': no row has a label"):
        read(write(tmp_path, topology=labels))


def test_duplicate_ids_are_listed_ten_at_most(tmp_path):
    columns = {name: [values[0]] * 24 for name, values in rows().items()}
    path = write(tmp_path, columns, material_id=[f"m{n // 2:02}" for n in range(24)])
    with pytest.raises(InputError, match="12 ids stand more than once: m00, .*m09 and 2 more"):
        read(path)


def test_an_id_with_two_labels_is_told_apart_from_a_duplicate(tmp_path):
    with pytest.raises(InputError, match=r"1 ids have two labels: a \(TI, trivial\)"):
        read(write(tmp_path, material_id=["a", "a", "c"]))


def test_columns_of_another_type_are_refused(tmp_path):
    with pytest.raises(InputError, match="column 'lattice' is string: expected a flat list of numbers"):
        read(write(tmp_path, lattice=["x", "y", "z"]))
    with pytest.raises(InputError, match="column 'atomic_numbers'.*whole numbers"):
        read(write(tmp_path, atomic_numbers=[[1.5], [1.0, 2.0], [1.0, 2.0, 3.0]]))
    with pytest.raises(InputError, match="column 'topology' is list.*expected text"):
        read(write(tmp_path, topology=[["TI"], ["TI"], ["TI"]]))


def test_files_that_are_no_parquet_are_refused(tmp_path):
    with pytest.raises(InputError, match="no such file or folder"):
        read(tmp_path / "absent.parquet")
    (tmp_path / "table.csv").write_text("material_id,topology\na,TI\n")
    with pytest.raises(InputError, match="not a parquet file"):
        read(tmp_path / "table.csv")
    for suffix in (".pkl", ".npz", ".PICKLE"):
        (tmp_path / f"table{suffix}").write_bytes(b"")
        with pytest.raises(InputError, match="pickled"):
            read(tmp_path / f"table{suffix}")


def test_a_table_without_rows_is_refused(tmp_path):
    path = tmp_path / "empty.parquet"
    pq.write_table(pa.table(rows()).slice(0, 0), path)
    with pytest.raises(InputError, match="no row"):
        read(path)


def test_a_damaged_parquet_is_an_input_error(tmp_path):
    path = write(tmp_path)
    intact = path.read_bytes()
    path.write_bytes(b"PAR1" + b"\xff" * 200 + intact[204:])
    with pytest.raises(InputError, match="damaged parquet|not a parquet"):
        read(path)
    path.write_bytes(intact[: len(intact) // 2])
    with pytest.raises(InputError, match="not a parquet"):
        read(path)


def test_folder_with_id_prop(tmp_path):
    table = read(write_folder(tmp_path, "\ufeffa,TI\n b , trivial \n\n"))
    assert table.ids.tolist() == ["a", "b"] and table.classes == ("TI", "trivial")
    assert table.structures[0].atomic_numbers.tolist() == [84] and table.split is None


def test_a_cif_that_cannot_be_read_is_rejected(tmp_path):
    folder = write_folder(tmp_path, "a,TI\nb,TI\nlost,TI\n")
    (folder / "b.cif").write_text("")
    table = read(folder)
    assert table.ids.tolist() == ["a"]
    assert [name for name, _ in table.rejected] == ["b", "lost"]
    assert all(".cif" in reason for _, reason in table.rejected)


def test_an_id_finds_any_kind_of_structure_file(tmp_path):
    folder = write_folder(tmp_path, "a,TI\nPOSCAR-7,TI\nc.vasp,TI\nd.e,TI\n", names=("a",))
    for name, element in (("a.vasp", "Bi"), ("POSCAR-7", "Sb"), ("c.vasp", "As"), ("d.e.POSCAR", "P")):
        (folder / name).write_text(f"x\n4\n1 0 0\n0 1 0\n0 0 1\n{element}\n1\nDirect\n0 0 0\n")
    table = read(folder)
    assert [s.atomic_numbers[0] for s in table.structures] == [84, 51, 33, 15]


@pytest.mark.parametrize("name", ["../a", "/etc/a", "sub/a", "..\\a"])
def test_an_id_cannot_reach_outside_its_folder(tmp_path, name):
    (tmp_path / "a.cif").write_text(CIF)
    inside = tmp_path / "inside"
    inside.mkdir()
    table = read(write_folder(inside, f"{name},TI\nb,TI\n"))
    assert table.ids.tolist() == ["b"] and "no file name" in table.rejected[0][1]


def test_labels_of_a_folder_are_checked_before_any_cif_is_read(tmp_path):
    folder = write_folder(tmp_path, "a,TI\nb,odd\n", names=())
    with pytest.raises(InputError, match="id_prop.csv: 1 unknown labels: 'odd'"):
        read(folder, classes=CLASSES)
    (folder / "id_prop.csv").write_text("a\nb\n")
    with pytest.raises(InputError, match="no row has a label"):
        read(folder)
    (folder / "id_prop.csv").write_bytes(b"\xff\xfe\x00a")
    with pytest.raises(InputError, match="UTF-8"):
        read(folder)
    (folder / "id_prop.csv").unlink()
    with pytest.raises(InputError, match="no id_prop.csv there"):
        read(folder)


def test_a_folder_to_predict_needs_ids_only(tmp_path):
    assert read(write_folder(tmp_path, "a\nb\n"), require_labels=False).labels.tolist() == [-1, -1]


def test_the_sum_follows_the_contents(tmp_path):
    folder = write_folder(tmp_path, "a,TI\nb,trivial\n")
    before = read(folder).sha256
    (folder / "notes.txt").write_text("not part of the table")
    assert read(folder).sha256 == before
    (folder / "b.cif").write_text(CIF.replace("length_a 4", "length_a 5"))
    assert read(folder).sha256 != before
    path = write(tmp_path)
    assert read(path).sha256 == read(path).sha256 != before


@pytest.mark.skipif(not (DATA / "topomat").is_dir(), reason="no reference data: set JAXBOOST_DATA")
def test_reference_table():
    table = read(DATA / "topomat" / "materials.parquet", classes=CLASSES)
    assert len(table) == 22957 and table.rejected == ()
    assert np.bincount(table.labels).tolist() == [15744, 1621, 1093, 2431, 2068]
    assert np.count_nonzero(table.split == "test") == 3432
    assert np.median([len(structure.atomic_numbers) for structure in table.structures]) == 20


@pytest.mark.skipif(not (DATA / "cif").is_dir(), reason="no reference data: set JAXBOOST_DATA")
def test_reference_cifs_agree_with_the_table():
    folder = read(DATA / "cif", classes=CLASSES)
    table = read(DATA / "topomat" / "materials.parquet", classes=CLASSES)
    row = {name: place for place, name in enumerate(table.ids.tolist())}
    places = [row[name] for name in folder.ids.tolist()]
    assert len(folder) == 120 and (table.split[places] == "test").all()
    np.testing.assert_array_equal(folder.labels, table.labels[places])
    for structure, place in zip(folder.structures, places, strict=True):
        assert sorted(structure.atomic_numbers) == sorted(table.structures[place].atomic_numbers)
