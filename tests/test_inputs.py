"""Everything that was named gets its place: a structure, or the reason why there is none."""

import pytest

from jaxboost.crystal import Structure
from jaxboost.errors import InputError
from jaxboost.inputs import read_inputs
from tests.crystals import prototype, write_cif, write_parquet

SALT = prototype("rocksalt", (11, 17), 5.6)


@pytest.fixture
def folder(tmp_path):
    write_cif(tmp_path / "b.cif", SALT, ["Na", "Cl"])
    (tmp_path / "a.cif").write_text("")
    (tmp_path / "notes.txt").write_text("no structure")
    write_parquet(tmp_path / "t.parquet", [("mine", SALT)], {})
    return tmp_path


def test_files_folders_and_tables_in_the_order_given(folder):
    found = read_inputs([str(folder / "t.parquet"), str(folder), str(folder / "notes.txt")])
    assert [name.rsplit("/", 1)[-1] for name, _ in found] == ["mine", "a.cif", "b.cif", "notes.txt"]
    assert [isinstance(structure, Structure) for _, structure in found] == [True, False, True, False]
    assert found[2][1].atomic_numbers.tolist() == [11, 17]
    assert "a.cif" in found[1][1] and "only .cif" in found[3][1]


def test_nothing_to_read_is_an_error(folder):
    with pytest.raises(InputError, match="nothing to predict"):
        read_inputs([])
    with pytest.raises(InputError, match="no such file"):
        read_inputs([str(folder / "nowhere.cif")])
    (folder / "empty").mkdir()
    with pytest.raises(InputError, match="no structure file"):
        read_inputs([str(folder / "empty")])
