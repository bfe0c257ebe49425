"""Chunks are whole or absent, belong to one prediction, and become one file whatever its format."""

import csv
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from jaxboost import part_folder as module
from jaxboost.errors import InputError
from jaxboost.part_folder import PartFolder, parts_of

IDENTITY = {"inputs": {"a.cif": {"structures": 5}}, "chunk": 2}


def chunk(*names: str) -> pa.Table:
    rows = range(len(names))
    values = np.array([0.1, 1 / 3], np.float32)[[row % 2 for row in rows]]
    return pa.table(
        {
            "input": list(names),
            "status": ["rejected" if name == "bad" else "ok" for name in names],
            "figure": pa.array(values, mask=np.array([name == "bad" for name in names])),
        }
    )


PARTS = [chunk("a", "bad"), chunk("b", 'c, "d"'), chunk("e")]


@pytest.mark.parametrize("name", ["found.csv", "found.parquet", "found.pq", "found"])
def test_chunks_become_one_file_and_nothing_is_left(tmp_path, name):
    output = tmp_path / name
    output.write_text("of an earlier prediction")
    with PartFolder(output, IDENTITY) as parts:
        for number, part in enumerate(PARTS):
            parts.add(number, part)
        assert parts.finished() == [0, 1, 2] and output.read_text() == "of an earlier prediction"
        assert parts.merge(3) == 1
    assert list(tmp_path.iterdir()) == [output]
    if name in ("found.csv", "found"):
        text = 'input,status,figure\na,ok,0.1\nbad,rejected,\nb,ok,0.1\n"c, ""d""",ok,0.33333334\ne,ok,0.1\n'
        assert output.read_text() == text
        with output.open(newline="") as file:
            assert [row["input"] for row in csv.DictReader(file)][3] == 'c, "d"'
    else:
        assert pq.read_table(output).equals(pa.concat_tables(PARTS))


def test_chunks_are_gathered_in_larger_row_groups(tmp_path, monkeypatch):
    monkeypatch.setattr(module, "_ROW_GROUP", 3)
    output = tmp_path / "found.parquet"
    with PartFolder(output, IDENTITY) as parts:
        for number, part in enumerate(PARTS):
            parts.add(number, part)
        parts.merge(3)
    metadata = pq.read_metadata(output)
    assert [metadata.row_group(i).num_rows for i in range(metadata.num_row_groups)] == [4, 1]


def test_what_was_finished_is_there_again_for_the_same_prediction_only(tmp_path):
    output = tmp_path / "found.csv"
    with PartFolder(output, IDENTITY) as parts:
        parts.add(0, PARTS[0])
    (parts_of(output) / "unfinished").write_text("half a chunk")
    changed = {"inputs": {"a.cif": {"structures": 6}}, "chunk": 2}
    said = r"1 finished chunks of another prediction.*\n  inputs\.a\.cif\.structures: 5 -> 6\n.*another --output"
    with pytest.raises(InputError, match=said), PartFolder(output, changed):
        pass
    with PartFolder(output, IDENTITY) as parts:
        assert parts.finished() == [0]
        with pytest.raises(InputError, match="in use by another run.*another --output"), PartFolder(output, IDENTITY):
            pass
        parts.add(1, PARTS[1])
        parts.merge(2)
    assert output.read_text().count("\n") == 5


def test_what_was_killed_before_its_first_chunk_hinders_nobody(tmp_path):
    output = tmp_path / "found.csv"
    parts_of(output).mkdir()
    (parts_of(output) / "manifest.json").write_text('{"chunk": 3}')
    with PartFolder(output, IDENTITY) as parts:
        parts.add(0, PARTS[0])
    with PartFolder(output, IDENTITY) as parts:
        assert parts.finished() == [0]


def test_a_mistake_leaves_nothing_behind(tmp_path):
    with pytest.raises(KeyError), PartFolder(tmp_path / "found.csv", IDENTITY):
        raise KeyError
    assert not list(tmp_path.iterdir())


def test_what_cannot_be_written_or_read_is_said(tmp_path):
    for folder in (tmp_path, Path(".")):
        with pytest.raises(InputError, match="is a folder"):
            PartFolder(folder, IDENTITY)
    output = tmp_path / "found.csv"
    said = "000001.parquet: a finished chunk cannot be read.*remove this file"
    with pytest.raises(InputError, match=said), PartFolder(output, IDENTITY) as parts:
        parts.add(0, PARTS[0])
        parts.add(1, PARTS[1])
        (parts_of(output) / "000001.parquet").write_bytes(b"PAR1")
        parts.merge(2)
    assert not output.exists()
    (parts_of(output) / "manifest.json").unlink()
    with pytest.raises(InputError, match="no manifest.json"), PartFolder(output, IDENTITY):
        pass
