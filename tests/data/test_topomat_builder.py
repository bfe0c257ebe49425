"""`python -m jaxboost.data.topomat`: labels and structures in, a table out that a run reads, or what is missing."""

import os
import re
import shlex
import subprocess
import sys
from pathlib import Path

import numpy as np
import pyarrow.parquet as pq
import pytest

from jaxboost.crystal.elements import SYMBOLS
from jaxboost.data import read_table, topomat_command
from jaxboost.data.parquet_rows import parquet_rows
from jaxboost.data.splits import make_splits
from jaxboost.data.topomat import ALIASES, CLASSES
from jaxboost.data.topomat_table import SCHEMA, TEST_SHARE, split_of
from tests.data.labelled_files import CRYSTALS, ROOT, process, rejected, sha256, sources, write_cifs, write_labels

DATA = Path(os.environ.get("JAXBOOST_DATA", ROOT.parent / "shared" / "data"))


def test_a_folder_of_cifs_becomes_a_table_that_a_run_reads(call, tmp_path):
    write_labels(tmp_path)
    write_cifs(tmp_path / "cifs")
    status, out, err = call("--labels=labels.csv", "--structures=cifs")
    assert (status, err) == (0, "") and "materials.parquet: 40 rows" in out
    assert pq.read_schema("materials.parquet").equals(SCHEMA)
    table = read_table("materials.parquet", label_column="topology", classes=CLASSES)
    assert table.rejected == () and list(table.ids) == list(CRYSTALS)  # by number: mp-2 before mp-10
    assert table.labels.tolist() == [n % len(CLASSES) for n in range(40)]
    for name, structure in zip(table.ids, table.structures, strict=True):
        expected = CRYSTALS[name].lattice
        np.testing.assert_allclose(structure.lattice @ structure.lattice.T, expected @ expected.T, atol=1e-5)
        np.testing.assert_allclose(structure.frac_coords, CRYSTALS[name].frac_coords, atol=1e-6)
        assert structure.atomic_numbers.tolist() == CRYSTALS[name].atomic_numbers.tolist()
    columns = pq.read_table("materials.parquet").to_pydict()
    assert columns["formula"][0] == "FLi" and columns["space_group_number"] == 20 * [225] + 20 * [221]
    assert columns["topology_without_soc"] == 40 * ["Triv_Ins"]
    assert len(list(parquet_rows("materials.parquet").read())) == 40
    splits = make_splits(columns["formula"], table.labels, split=table.split, folds=2, vote_fraction=0.2)
    assert (splits.test == (table.split == "test")).all() and splits.test.any()


def test_what_it_was_made_of_is_written_beside_it_and_the_same_makes_the_same(call, tmp_path):
    labels, cifs = write_labels(tmp_path), write_cifs(tmp_path / "cifs")
    assert call("--labels=labels.csv", "--structures=cifs", "--output=new/a.parquet")[0] == 0
    told = sources("new/a.parquet")
    assert told["table"]["sha256"] == sha256("new/a.parquet") and told["table"]["rows"] == 40
    assert sum(told["table"]["topology"].values()) == sum(told["table"]["split"].values()) == 40
    assert told["labels"] == {"file": "labels.csv", "sha256": sha256(labels), "rows": 40, "left_out": 0}
    assert told["structures"]["sha256"] == {path.name: sha256(path) for path in cifs.iterdir()}
    assert rejected("new/a.parquet") == {}
    assert sorted(path.name for path in Path("new").iterdir()) == [
        "a.parquet", "a.parquet.rejected.csv", "a.parquet.sources.json"
    ]  # fmt: skip
    lines = labels.read_text().splitlines(keepends=True)
    labels.write_text(lines[0] + "".join(reversed(lines[1:])))
    assert call("--labels=labels.csv", "--structures=cifs", "--output=b.parquet")[0] == 0
    assert sha256("b.parquet") == sha256("new/a.parquet")


def test_one_bad_file_or_row_never_stops_the_rest(call, tmp_path):
    write_labels(tmp_path, extra="mp-900,TI,\nmp-901,Weyl,\nmp-1,TI,\nmp-2,TI,\nsilicon,TI,\n")
    cifs = write_cifs(tmp_path / "cifs")
    (cifs / "mp-3.cif").write_text("data_x\n_cell_length_a 4.0\n")
    (cifs / "mp-4.cif").write_bytes(b"\x00\xff")
    (cifs / "mp-5.cif").unlink()
    (cifs / "mp-5.cif").mkdir()
    (cifs / "mp-6.cif").write_text((cifs / "mp-6.cif").read_text().replace("0.50000000", "0.00000000"))
    (cifs / "mp-7.cif").unlink()
    (cifs / "notes.txt").write_text("mp-7 is lost")
    status, out, err = call("--labels=labels.csv", "--structures=cifs")
    reasons = rejected()
    assert (status, err) == (0, "") and "materials.parquet: 34 rows" in out and len(reasons) == 10
    # mp-1 is 'trivial' where it stands first, mp-2 is TI there too.
    assert reasons["mp-1"] == "listed 2 times with different classes: TI, trivial"
    assert reasons["mp-2"] == "listed 2 times with one class: the first is kept"
    assert "no atom" in reasons["mp-3"] and "not a readable CIF" in reasons["mp-4"]
    assert "cannot be opened" in reasons["mp-5"] and "disorder/partial occupancy" in reasons["mp-6"]
    assert reasons["mp-7"] == reasons["mp-900"] == "no structure: no file of that name, and MP_API_KEY is not set"
    assert "unknown class 'Weyl'" in reasons["mp-901"] and "no id" in reasons["silicon"]
    assert "10 labels were left out or listed twice" in out
    kept = read_table("materials.parquet", label_column="topology", classes=CLASSES)
    assert set(kept.ids) == set(CRYSTALS) - {"mp-1", "mp-3", "mp-4", "mp-5", "mp-6", "mp-7"}


def test_no_formula_stands_on_both_sides_and_the_share_is_right():
    assert {split_of("NaCl") for _ in range(3)} == {split_of("NaCl")}
    formulas = [f"{a}{b}{n}" for a in SYMBOLS[1:90] for b in SYMBOLS[1:90] for n in (2, 3)]
    share = np.mean([split_of(formula) == "test" for formula in formulas])
    assert abs(share - TEST_SHARE) < 4 * (TEST_SHARE * (1 - TEST_SHARE) / len(formulas)) ** 0.5
    # Another Python, machine or version has to say the same; these are what sha256sum says.
    assert [split_of(formula) for formula in ("Bi2Se3", "ClNa", "FLi", "SnTe")] == 4 * ["train"]
    assert split_of("Si") == "test"


def test_without_labels_it_says_what_to_get_and_what_to_type(call):
    done, out, err = call()
    assert done == 2 and out == "" and err.startswith("error: no labels: give --labels=FILE. Nothing was fetched.")
    for told in ("materiae.iphy.ac.cn", "material_id or mp_id", "topology or soc_topo_class", "MP_API_KEY"):
        assert told in err
    typed = [line.strip() for line in err.splitlines() if line.startswith("  python -m")]
    assert len(typed) == 2 and all(parsed(line) for line in typed)


def test_without_structures_and_key_it_says_what_to_get_and_what_to_type(call, tmp_path):
    write_labels(tmp_path)
    done, out, err = call("--labels=labels.csv")
    assert done == 2 and out == "" and err.startswith("error: 40 structures are missing: the ids in materials.parquet.")
    assert Path("materials.parquet.missing.txt").read_text() == "".join(f"{name}\n" for name in CRYSTALS)
    assert "MP_API_KEY" in err and "https://next-gen.materialsproject.org/api" in err and "mp-1.cif" in err
    typed = [parsed(line.strip()) for line in err.splitlines() if line.startswith("  python -m")]
    assert [given.labels for given in typed] == 2 * [Path("labels.csv")]
    # The second of the two commands, word for word, when that was done.
    write_cifs(tmp_path / "cifs")
    command = [line.strip() for line in err.splitlines() if line.startswith("  python -m")][1]
    assert call(*shlex.split(command)[3:])[0] == 0 and sources()["table"]["rows"] == 40


@pytest.mark.parametrize(
    "arguments,reason",
    [
        (["--labels=absent.csv"], "absent.csv: cannot be opened"),
        (["--labels=labels.csv", "--expect-sha256=00"], "not 00: this is another file"),
        (["--labels=labels.csv", "--structures=absent"], "--structures=absent: no such folder"),
        (["--labels=labels.csv", "--structures=cifs", "--output=."], "give the name of a parquet file"),
        (["--labels=labels.csv", "--structures=cifs", "--output=a.csv"], "give the name of a parquet file"),
        (["--labels=wrong.csv", "--structures=cifs"], "none of its 1 rows can be used .mp-1: unknown class 'x'"),
        (["--labels=far.csv", "--structures=cifs"], "1 structures are missing"),
    ],
)
def test_a_mistake_is_one_message(call, tmp_path, arguments, reason):
    write_labels(tmp_path)
    write_cifs(tmp_path / "cifs", ["mp-1"])
    (tmp_path / "wrong.csv").write_text("mp_id,topology\nmp-1,x\n")
    (tmp_path / "far.csv").write_text("mp_id,topology\nmp-999,TI\n")
    done, out, err = call(*arguments)
    assert done == 2 and out == "" and err.startswith("error: ") and re.search(reason, err)
    assert not list(tmp_path.glob("*.parquet"))


def test_help_and_classes_come_without_jax(tmp_path):
    program = (
        "import sys; from jaxboost.data.topomat import ALIASES, CLASSES, GROUPINGS, RULES; "
        "assert not {'jax', 'http.client', 'urllib.request', 'jaxboost.data.topomat_command'} & set(sys.modules)"
    )
    subprocess.run([sys.executable, "-W", "error", "-c", program], cwd=ROOT, check=True)
    done = process(tmp_path, "--help")
    out, err = done.communicate(timeout=60)
    assert (done.returncode, err) == (0, "") and not list(tmp_path.iterdir())
    for flag in ("--labels", "--structures", "--output", "--cache", "--api", "--expect-sha256", "MP_API_KEY"):
        assert flag in out
    assert "Neither server has been tried" in out and max(map(len, out.splitlines())) <= 100


def parsed(command):
    """The flags of a command of a page or a message."""
    program, *words = shlex.split(command)
    assert (program, words[:2]) in [(name, ["-m", "jaxboost.data.topomat"]) for name in ("python", ".venv/bin/python")]
    return topomat_command.parser().parse_args(words[2:])


def test_the_commands_of_the_page_are_right_and_run(call, tmp_path):
    text = (ROOT / "docs" / "table.md").read_text(encoding="utf-8")
    blocks = re.findall(r"^```sh\n(.*?)^```", text, re.MULTILINE | re.DOTALL)
    lines = [line for block in blocks for line in block.splitlines()]
    own = [line for line in lines if "jaxboost.data.topomat" in line]
    assert len(own) >= 2 and all(parsed(line).labels for line in own)
    write_labels(tmp_path)
    write_cifs(tmp_path / "cifs")
    (offline,) = [line for line in own if "--structures" in line]
    assert call(*shlex.split(offline)[3:])[0] == 0 and sources()["table"]["rows"] == 40
    for path in re.findall(r"`((?:jaxboost|tests|configs|docs)/[\w/.]+)`", text):
        assert (ROOT / path).exists(), path
    for name in SCHEMA.names:
        assert f"`{name}`" in text, f"the page does not name the column {name}"
    for alias in ALIASES:
        assert f"`{alias}`" in text, f"the page does not name the class {alias}"


@pytest.mark.skipif(not (DATA / "cif").is_dir(), reason="no reference data: set JAXBOOST_DATA")
def test_real_files_become_the_rows_of_the_reference_table(call, tmp_path):
    listed = (DATA / "cif" / "id_prop.csv").read_text()
    (tmp_path / "labels.csv").write_text("material_id,topology\n" + listed)
    assert call("--labels=labels.csv", f"--structures={DATA / 'cif'}")[0] == 0
    built = pq.read_table("materials.parquet").to_pylist()
    columns = ["material_id", "topology", "space_group_number", "atomic_numbers", "lattice"]
    reference_table = pq.read_table(DATA / "topomat" / "materials.parquet", columns=columns).to_pylist()
    known = {row["material_id"]: row for row in reference_table}
    assert len(built) == len(listed.splitlines()) and rejected() == {}
    same = 0
    for row in built:
        reference = known[row["material_id"]]
        assert row["topology"] == reference["topology"]
        assert sorted(row["atomic_numbers"]) == sorted(reference["atomic_numbers"])
        same += row["space_group_number"] == reference["space_group_number"]
    assert same >= 0.98 * len(built)  # 99.7% of the whole table, at the tolerance of `make_crystal`
