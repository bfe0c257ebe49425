"""Everything that was named gets its place: a structure, or the reason why there is none."""

import os

import pytest

from jaxboost import inputs as module
from jaxboost.crystal import Structure
from jaxboost.errors import InputError
from jaxboost.inputs import find_inputs
from tests.crystals import prototype, write_cif, write_parquet

SALT = prototype("rocksalt", (11, 17), 5.6)


@pytest.fixture
def folder(tmp_path):
    write_cif(tmp_path / "b.cif", SALT, ["Na", "Cl"])
    (tmp_path / "a.CIF").write_text("")
    (tmp_path / "notes.txt").write_text("no structure")
    write_parquet(tmp_path / "t.parquet", [("mine", SALT), ("yours", SALT)], {})
    return tmp_path


def _names(inputs, first=0):
    return [name.rsplit("/", 1)[-1] for name, _ in inputs.read(first)]


def test_files_folders_and_tables_in_the_order_given(folder):
    inputs = find_inputs([str(folder / "t.parquet"), str(folder), str(folder / "notes.txt")])
    found = list(inputs.read())
    assert _names(inputs) == ["mine", "yours", "a.CIF", "b.cif", "notes.txt"] and len(inputs) == 5
    assert [isinstance(structure, Structure) for _, structure in found] == [True, True, False, True, False]
    assert found[3][1].atomic_numbers.tolist() == [11, 17]
    assert "a.CIF" in found[2][1] and "only *.cif, POSCAR*" in found[4][1]


def test_reading_begins_anywhere(folder):
    inputs = find_inputs([str(folder / "notes.txt"), str(folder / "t.parquet"), str(folder)])
    names = _names(inputs)
    for first in range(len(inputs) + 1):
        assert _names(inputs, first) == names[first:]


def test_processes_read_the_same(folder, monkeypatch):
    monkeypatch.setattr(module, "_BLOCK", 2)
    for i in range(5):
        write_cif(folder / f"c{i}.cif", prototype("rocksalt", (11, 17), 5 + i), ["Na", "Cl"])
    one, two = (find_inputs([str(folder)], workers) for workers in (1, 2))
    assert _names(two, 1) == _names(one, 1) == ["b.cif", *(f"c{i}.cif" for i in range(5))]
    for (_, here), (_, there) in zip(one.read(1), two.read(1), strict=True):
        assert here.lattice.tolist() == there.lattice.tolist()
    assert list(one.read())[0] == list(two.read())[0]


def test_globs_and_folders_of_tables(folder):
    shards = folder / "shards"
    shards.mkdir()
    for name in ("2.pq", "1.parquet"):
        write_parquet(shards / name, [(f"row of {name}", SALT)], {})
    for path in (shards, shards / "*", folder / "sh*"):
        assert _names(find_inputs([str(path)])) == ["row of 1.parquet", "row of 2.pq"]
    assert _names(find_inputs([str(folder / "[ab].*")])) == ["a.CIF", "b.cif"]


def test_a_folder_of_several_kinds(folder):
    for name in ("POSCAR", "CONTCAR_2", "x.vasp", "y.json", "POSCAR_t.parquet", "z.cif.gz"):
        (folder / name).write_text("")
    assert _names(find_inputs([str(folder)])) == [
        "CONTCAR_2", "POSCAR", "a.CIF", "b.cif", "x.vasp", "y.json", "z.cif.gz",
    ]  # fmt: skip


def test_json_beside_tables_is_about_the_tables(tmp_path):
    (tmp_path / "about.json").write_text("{}")
    assert _names(find_inputs([str(tmp_path)])) == ["about.json"]
    write_parquet(tmp_path / "t.parquet", [("mine", SALT)], {})
    assert _names(find_inputs([str(tmp_path)])) == ["mine"]
    write_cif(tmp_path / "b.cif", SALT, ["Na", "Cl"])
    assert _names(find_inputs([str(tmp_path)])) == ["about.json", "b.cif"]


def test_a_table_that_cannot_be_opened_is_one_row_among_others(folder):
    (folder / "s.parquet").write_text("nothing")
    write_parquet(folder / "u.parquet", [], {})
    inputs = find_inputs([str(folder / "*.parquet")])
    assert [name.rsplit("/", 1)[-1] for name, _ in inputs.read()] == ["s.parquet", "mine", "yours"]
    assert "not a readable parquet file" in next(inputs.read())[1]
    with pytest.raises(InputError, match="not a readable parquet file"):
        find_inputs([str(folder / "s.parquet")])


def test_nothing_to_read_is_an_error(folder):
    with pytest.raises(InputError, match="nothing to predict"):
        find_inputs([])
    (folder / "empty").mkdir()
    for missing in ("nowhere.cif", "empty", "*.xyz"):
        with pytest.raises(InputError, match="no such file|no structure file"):
            find_inputs([str(folder / missing)])
    with pytest.raises(InputError, match="no row"):
        find_inputs([str(write_parquet(folder / "u.parquet", [], {"kind": []}))])


def test_the_identity_is_that_of_names_sizes_and_times(folder):
    paths = [str(folder), str(folder / "t.parquet")]
    before = find_inputs(paths).identity()
    assert before == find_inputs(paths).identity() and list(before) == paths
    assert [(found["structures"], found["files"]) for found in before.values()] == [(2, 2), (2, 1)]
    os.utime(folder / "b.cif", (1, 1))
    after = find_inputs(paths).identity()
    assert before[paths[0]] != after[paths[0]] and before[paths[1]] == after[paths[1]]
    (folder / "gone.cif").symlink_to(folder / "nowhere.cif")
    found = find_inputs([str(folder / "*.cif")])
    assert found.identity() and _names(found) == ["b.cif", "gone.cif"]
