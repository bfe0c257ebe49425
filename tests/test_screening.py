"""Predictions chunk by chunk, by a run whose members know nothing: every input its row, and on where it was stopped."""

import csv
from types import SimpleNamespace

import numpy as np
import pyarrow.parquet as pq
import pytest

from configs import quick
from jaxboost import screening
from jaxboost.console import Stopwatch
from jaxboost.errors import InputError
from jaxboost.evaluation import Ballot, Forecast
from jaxboost.finished_run import Restored, RunVote
from jaxboost.inference import TrainedMember
from tests.crystals import prototype, write_cif, write_parquet

CLASSES = ("a", "b")
CLOSE = prototype("rocksalt", (11, 17), 0.5)
AMERICIUM = prototype("cscl", (95, 13), 3.4)
SALT = prototype("rocksalt", (12, 8), 4.21)


@pytest.fixture
def run(tmp_path, monkeypatch):
    """A finished run of one member, and inputs: three shards, of which one is none, and a folder of two files.

    `scored` grows by the formulas of each chunk.
    """
    config = quick.get_config()
    config.data.cache_dir = str(tmp_path / "cache")
    config.data.workers = 1
    config.tight_binding.enabled = False
    found = SimpleNamespace(config=config, workdir=tmp_path / "run", folder=tmp_path, scored=[], digest="weights")
    (tmp_path / "shards").mkdir()
    write_parquet(tmp_path / "shards" / "1.parquet", [("salt", SALT), ("close", CLOSE), ("americium", AMERICIUM)], {})
    (tmp_path / "shards" / "2.parquet").write_text("nothing")
    write_parquet(tmp_path / "shards" / "3.parquet", [(f"salt{i}", SALT) for i in range(3)], {})
    (tmp_path / "files").mkdir()
    (tmp_path / "files" / "bad.cif").write_text("data_x\n")
    write_cif(tmp_path / "files" / "salt.cif", SALT, ["Mg", "O"])
    found.inputs = [str(tmp_path / "shards"), str(tmp_path / "files")]

    def one_member(*_):
        return Restored([TrainedMember("full", None, None, np.ones(4, bool), None)], {"full": {}}, [])

    def no_idea(*_):
        def score(features):
            found.scored.append(features.formula.tolist())
            half, n = np.full((len(features), 2), 0.5, np.float32), len(features)
            attention, between = np.full((n, 4), 0.25, np.float32), np.full((n, 4, 4), 0.25, np.float32)
            return Forecast(half, half[:, 0], half[:, 0], np.ones(n), attention, between)

        return score

    ballot = Ballot("logits", "", {"full": ["full"]}, {"full": 1.0}, "full")
    monkeypatch.setattr(screening.of, "compilation_cache", lambda config: None)
    monkeypatch.setattr(screening, "config_of", lambda workdir: config)
    monkeypatch.setattr(screening, "vote_of", lambda workdir: RunVote(ballot, CLASSES, frozenset()))
    monkeypatch.setattr(screening, "restore_members", one_member)
    monkeypatch.setattr(screening, "reference_of", lambda workdir: None)
    monkeypatch.setattr(screening, "voters_digest", lambda *_: found.digest)
    monkeypatch.setattr(screening, "chunk_scorer", no_idea)
    return found


def predict(run, output=None, **arguments):
    return screening.predict(run.workdir, run.inputs, output, **{"chunk": 2} | arguments)


def _stop_after(chunks, run, output, monkeypatch):
    featurize = screening.featurize

    def fail(*arguments, **named):
        if len(run.scored) == chunks:
            raise MemoryError
        return featurize(*arguments, **named)

    with monkeypatch.context() as patch, pytest.raises(MemoryError):
        patch.setattr(screening, "featurize", fail)
        predict(run, output)


def rows_of(path) -> list[dict[str, str]]:
    with path.open(newline="") as file:
        return list(csv.DictReader(file))


def test_every_input_has_its_row_in_its_place(run, capsys):
    output = run.folder / "found.csv"
    predict(run, output)
    rows = rows_of(output)
    names = [row["input"].rsplit("/", 1)[-1] for row in rows]
    assert names == ["salt", "close", "americium", "2.parquet", "salt0", "salt1", "salt2", "bad.cif", "salt.cif"]
    bad = {"close": "absurd lattice", "2.parquet": "not a readable parquet file", "bad.cif": "no atom"}
    for name, row in zip(names, rows, strict=True):
        assert row["status"] == ("rejected" if name in bad else "ok")
        assert bad[name] in row["reason"] if name in bad else row["reason"] == ""
        assert (row["p_a"], row["prediction"]) == (("", "") if name in bad else ("0.5", "a"))
    assert rows[2]["rule"] == "" and rows[0]["rule"] != "" and rows[0]["formula"] == "MgO"
    assert capsys.readouterr().out.split() == ["9", "inputs,", "3", "rejected:", str(output)]
    assert run.scored == [["MgO"], ["AlAm"], ["MgO", "MgO"], ["MgO"], ["MgO"]]


def test_parquet_says_the_same_as_csv(run):
    predict(run, run.folder / "found.csv")
    predict(run, run.folder / "found.parquet", chunk=1000)
    table, rows = pq.read_table(run.folder / "found.parquet"), rows_of(run.folder / "found.csv")
    assert table.column_names == list(rows[0])
    for name in table.column_names:
        column = table[name].to_pylist()
        assert ["" if value is None else str(value) for value in column] == [row[name] for row in rows]
    assert table["reason"].null_count == 6 and table["p_a"].null_count == 3


@pytest.mark.parametrize("name", ["found.csv", "found.parquet", None])
def test_a_stopped_prediction_goes_on_to_the_same_bytes(run, monkeypatch, capsys, name):
    output = None if name is None else run.folder / name
    whole = run.folder / "whole.csv" if name is None else run.folder / f"whole{output.suffix}"
    predict(run, whole)
    run.scored.clear()
    _stop_after(2, run, output, monkeypatch)
    capsys.readouterr()
    predict(run, output)
    assert "2 of 5 chunks are done already" in capsys.readouterr().out
    assert run.scored == [["MgO"], ["AlAm"], ["MgO", "MgO"], ["MgO"], ["MgO"]]
    if output is None:
        (output,) = (run.workdir / "predicted").iterdir()
    assert output.read_bytes() == whole.read_bytes()


@pytest.fixture
def stopped(run, monkeypatch):
    """`run` with an output that was stopped after one chunk."""
    run.output = run.folder / "found.csv"
    _stop_after(1, run, run.output, monkeypatch)
    return run


def _other_weights(run):
    run.digest = "others"


def _other_views(run):
    run.config.views.count = 7


def _one_file_more(run):
    write_cif(run.folder / "files" / "more.cif", SALT, ["Mg", "O"])


@pytest.mark.parametrize(
    ("change", "arguments", "said"),
    [
        (_other_weights, {}, "run: weights -> others"),
        (_other_views, {}, "views.count: 5 -> 7"),
        (_one_file_more, {}, "files: 2 -> 3"),
        (lambda run: run.inputs.pop(), {}, "files: 2 -> absent"),
        (lambda run: None, {"chunk": 3}, "chunk: 2 -> 3"),
        (lambda run: None, {"strict": True}, "strict: False -> True"),
    ],
)
def test_another_prediction_does_not_go_on_there(stopped, change, arguments, said):
    change(stopped)
    with pytest.raises(InputError, match="1 finished chunks of another prediction") as refused:
        predict(stopped, stopped.output, **arguments)
    assert said in str(refused.value) and "remove that folder" in str(refused.value)
    assert not stopped.output.exists()


def test_strict_stops_at_the_first_bad_input(run):
    with pytest.raises(InputError, match=r"close: absurd lattice.*\(--strict\)"):
        predict(run, strict=True)
    assert not list((run.workdir / "predicted").iterdir())


def test_a_prediction_without_bands_says_why(run):
    run.config.tight_binding.enabled = True
    run.config.tight_binding.mesh = 0
    output = run.folder / "found.csv"
    predict(run, output)
    told = {row["input"].rsplit("/", 1)[-1]: row["without_bands"] for row in rows_of(output)}
    assert "atomic number 95" in told.pop("americium") and set(told.values()) == {""}
    run.config.tight_binding.enabled = False
    predict(run, output)
    assert "without_bands" not in rows_of(output)[0]


def test_only_what_fits_a_chunk_is_kept_in_the_cache(run):
    predict(run, run.folder / "found.csv")
    assert not list((run.folder / "cache").rglob("*.npz"))
    predict(run, run.folder / "found.csv", chunk=9)
    assert len(list((run.folder / "cache").rglob("*.npz"))) == 1


def test_the_time_of_each_part_is_taken(run):
    watch = Stopwatch()
    predict(run, run.folder / "found.csv", watch=watch)
    assert list(watch.seconds) == ["read", "featurize", "score", "write"]


def test_what_cannot_be_meant_is_refused(run):
    with pytest.raises(InputError, match="--chunk=0: give the number"):
        predict(run, chunk=0)
    with pytest.raises(InputError, match="is one of the inputs"):
        predict(run, run.folder / "files" / "salt.cif")
