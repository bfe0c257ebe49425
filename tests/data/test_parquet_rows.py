"""A table is read row by row: where it is begun changes nothing, and a bad row is the only one that suffers."""

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from jaxboost.crystal import Structure
from jaxboost.data import parquet_rows as module
from jaxboost.data.parquet_rows import parquet_rows
from jaxboost.errors import InputError
from tests.crystals import prototype, write_parquet

ROWS = [(f"row{i}", prototype("rocksalt", (11, 17), 5 + 0.1 * i)) for i in range(10)]


@pytest.fixture
def table(tmp_path, monkeypatch):
    """Ten rows in groups of four, three decoded at a time."""
    monkeypatch.setattr(module, "_BATCH", 3)
    path = write_parquet(tmp_path / "t.parquet", ROWS, {})
    pq.write_table(pq.read_table(path), path, row_group_size=4)
    return path


def _write(path, **columns):
    whole = pq.read_table(path).to_pydict() | columns
    pq.write_table(pa.table(whole), path, row_group_size=4)


def test_every_row_comes_from_wherever_it_is_begun(table):
    rows = parquet_rows(str(table))
    assert len(rows) == 10
    for first in range(11):
        found = list(rows.read(first))
        assert [name for name, _ in found] == [name for name, _ in ROWS[first:]]
        for (_, structure), (_, expected) in zip(found, ROWS[first:], strict=True):
            np.testing.assert_array_equal(structure.lattice, expected.lattice)


def test_a_bad_row_has_its_reason_and_no_other_suffers(table):
    numbers = [[11.0, 17.0] for _ in ROWS]
    numbers[5] = [11.5, 17.0]
    numbers[8] = [11.0, None]
    _write(table, atomic_numbers=numbers, material_id=[None, *(name for name, _ in ROWS[1:])])
    found = list(parquet_rows(str(table)).read())
    bad = {i: structure for i, (_, structure) in enumerate(found) if not isinstance(structure, Structure)}
    assert sorted(bad) == [0, 5, 8]
    assert found[0] == (f"{table}, row 1", "no id")
    assert "whole numbers" in bad[5] and "null" in bad[8] and found[8][0] == "row8"
    assert [structure for _, structure in parquet_rows(str(table)).read(5)][::3] == [bad[5], bad[8]]


def test_damage_takes_the_rest_of_its_row_group(table):
    metadata = pq.read_metadata(table)
    column = metadata.row_group(1).column(1)
    damaged = bytearray(table.read_bytes())
    start = column.dictionary_page_offset or column.data_page_offset
    damaged[start : start + column.total_compressed_size] = b"\xff" * column.total_compressed_size
    table.write_bytes(damaged)
    rows = parquet_rows(str(table))
    found = list(rows.read())
    assert [isinstance(structure, Structure) for _, structure in found] == [True] * 4 + [False] * 4 + [True] * 2
    assert found[4][0] == f"{table}, row 5" and "damaged parquet file" in found[4][1]
    assert [name for name, _ in rows.read(6)] == [name for name, _ in found[6:]]


def test_what_is_no_table_is_said(tmp_path, table):
    (tmp_path / "no.parquet").write_text("no table")
    with pytest.raises(InputError, match="not a readable parquet file"):
        parquet_rows(str(tmp_path / "no.parquet"))
    pq.write_table(pq.read_table(table).rename_columns(["id", "lattice", "atomic_number", "frac_coords"]), table)
    with pytest.raises(InputError, match="no column 'material_id'; there are: id, lattice"):
        parquet_rows(str(table))


def test_a_table_that_changes_is_refused(table):
    rows = parquet_rows(str(table))
    write_parquet(table, ROWS[:3], {})
    with pytest.raises(InputError, match="changed while it was read"):
        list(rows.read())
    table.unlink()
    with pytest.raises(InputError, match="can no longer be opened"):
        list(rows.read())
