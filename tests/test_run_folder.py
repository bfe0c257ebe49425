"""The folder of a run: its lock, its files, its log, its signals."""

import csv
import json
import os
import signal
import subprocess
import sys
import textwrap
import threading

import numpy as np
import pytest

from jaxboost import run_folder
from jaxboost.errors import InputError
from jaxboost.run_folder import (
    RunLock,
    StopFlag,
    TensorBoardLog,
    append_log,
    read_json,
    read_log,
    write_csv,
    write_json,
    write_text,
)


def test_a_second_run_is_refused_and_told_of_the_first(tmp_path):
    with RunLock(tmp_path / "new" / "run"):
        with (
            pytest.raises(InputError, match=rf"pid {os.getpid()} on .* since 20\d\d-"),
            RunLock(tmp_path / "new" / "run"),
        ):
            pass
        with RunLock(tmp_path / "other"):
            pass
    with RunLock(tmp_path / "new" / "run"):
        pass


def test_the_lock_is_let_go_by_an_error(tmp_path):
    with pytest.raises(KeyError), RunLock(tmp_path):
        raise KeyError
    with RunLock(tmp_path):
        pass


HOLDS_THE_LOCK = """
    import sys
    from jaxboost.run_folder import RunLock
    with RunLock(sys.argv[1]):
        print("held", flush=True)
        sys.stdin.read()
"""


def test_another_process_is_refused_and_a_killed_one_leaves_no_lock(tmp_path):
    command = [sys.executable, "-c", textwrap.dedent(HOLDS_THE_LOCK), str(tmp_path)]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as first:
        assert first.stdout.readline() == "held\n"
        with pytest.raises(InputError, match=f"pid {first.pid} on"), RunLock(tmp_path):
            pass
        first.kill()
        first.wait()
    assert (tmp_path / ".lock").read_text().startswith(f"pid {first.pid} ")
    with RunLock(tmp_path):
        assert (tmp_path / ".lock").read_text().startswith(f"pid {os.getpid()} ")


def test_a_file_is_no_workdir(tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(InputError, match="choose another --workdir"), RunLock(tmp_path / "file"):
        pass


def test_json_round_trip(tmp_path):
    path = tmp_path / "a" / "b.json"
    write_json(path, {"x": [1, 2.5, None, True], "name": "Bi₂Se₃", "numpy": np.float32(0.5), "array": np.arange(3)})
    assert read_json(path) == {"x": [1, 2.5, None, True], "name": "Bi₂Se₃", "numpy": 0.5, "array": [0, 1, 2]}
    assert os.listdir(path.parent) == ["b.json"]


def test_json_has_no_nan(tmp_path):
    write_json(
        tmp_path / "m.json",
        {"auc": float("nan"), "deep": [np.array([1.0, np.inf])], "t": (np.float64("-inf"),)},
    )
    text = (tmp_path / "m.json").read_text()
    assert json.loads(text, parse_constant=pytest.fail) == {"auc": None, "deep": [[1.0, None]], "t": [None]}


@pytest.mark.parametrize("content", [b"", b'{"a": ', b"\xff\xfe"])
def test_garbled_json_names_the_file(tmp_path, content):
    (tmp_path / "config.json").write_bytes(content)
    with pytest.raises(InputError, match="config.json is not readable"):
        read_json(tmp_path / "config.json")


def test_missing_json_names_the_file(tmp_path):
    with pytest.raises(InputError, match="config.json does not exist"):
        read_json(tmp_path / "config.json")


@pytest.mark.parametrize("failing", ["fsync", "replace"])
def test_a_failed_write_leaves_the_old_file(tmp_path, monkeypatch, failing):
    def full(*args):
        raise OSError(28, "No space left on device")

    write_text(tmp_path / "f", "old")
    monkeypatch.setattr(run_folder.os, failing, full)
    with pytest.raises(OSError, match="No space"):
        write_text(tmp_path / "f", "new")
    monkeypatch.undo()
    assert (tmp_path / "f").read_text() == "old" and os.listdir(tmp_path) == ["f"]


def test_what_cannot_be_json_leaves_the_old_file(tmp_path):
    write_json(tmp_path / "f", 1)
    with pytest.raises(TypeError):
        write_json(tmp_path / "f", object())
    assert read_json(tmp_path / "f") == 1


def test_the_log_grows_by_lines(tmp_path):
    log = tmp_path / "log.jsonl"
    assert read_log(log) == []
    append_log(log, [{"epoch": 0, "loss": np.float32(0.5)}, {"epoch": 1, "loss": float("nan")}])
    append_log(log, [])
    append_log(log, [{"epoch": 2, "note": "two\nlines"}])
    assert read_log(log) == [
        {"epoch": 0, "loss": 0.5},
        {"epoch": 1, "loss": None},
        {"epoch": 2, "note": "two\nlines"},
    ]


@pytest.mark.parametrize("cut", [1, 5, 12])
def test_a_half_written_last_line_is_dropped_and_the_next_append_is_clean(tmp_path, caplog, cut):
    log = tmp_path / "log.jsonl"
    append_log(log, [{"epoch": 0}, {"epoch": 1}])
    whole = log.read_bytes()
    log.write_bytes(whole[:-cut])
    assert read_log(log) == [{"epoch": 0}] and "half-written" in caplog.text
    append_log(log, [{"epoch": 7}])
    caplog.clear()
    assert read_log(log) == [{"epoch": 0}, {"epoch": 7}] and not caplog.text


@pytest.mark.parametrize("line", [b"{oops}", b"[1]", b"\xff"])
def test_a_garbled_line_inside_the_log_is_named(tmp_path, line):
    (tmp_path / "log.jsonl").write_bytes(b'{"epoch": 0}\n' + line + b'\n{"epoch": 2}\n')
    with pytest.raises(InputError, match="log.jsonl, line 2"):
        read_log(tmp_path / "log.jsonl")


def test_csv_quotes_and_reads_back(tmp_path):
    names = ["a,b", 'say "x"', "two\nlines", "<b>", ""]
    values = np.array([0.1, 1 / 3, 1e-30, 0.0, np.nan])
    write_csv(
        tmp_path / "p.csv",
        {"material_id": names, "p": values, "p32": values.astype(np.float32), "n": range(5)},
    )
    with open(tmp_path / "p.csv", newline="", encoding="utf-8") as file:
        rows = list(csv.DictReader(file))
    assert [row["material_id"] for row in rows] == names
    np.testing.assert_array_equal([float(row["p"]) for row in rows], values)
    assert rows[0]["p32"] == "0.1" and rows[4]["n"] == "4"


def test_csv_without_rows_has_its_header_and_uneven_columns_are_refused(tmp_path):
    write_csv(tmp_path / "r.csv", {"input": [], "reason": []})
    assert (tmp_path / "r.csv").read_text() == "input,reason\n"
    with pytest.raises(ValueError, match="'reason': 1"):
        write_csv(tmp_path / "r.csv", {"input": [], "reason": ["x"]})
    assert (tmp_path / "r.csv").read_text() == "input,reason\n"


def test_tensorboard_has_a_run_a_member(tmp_path):
    with TensorBoardLog(tmp_path) as board:
        board.add("kfold_0", 0, {"loss": 1.5, "accuracy": np.float32(0.25), "auc": float("nan")})
        board.add("kfold_0", 1, {"loss": 1.25})
        board.add("full", 0, {"loss": 2.0})
    files = {path.parent.name: path.read_bytes() for path in (tmp_path / "tensorboard").glob("*/events.*")}
    assert files.keys() == {"kfold_0", "full"}
    assert files["kfold_0"].count(b"loss") == 2 and b"accuracy" in files["kfold_0"] and b"auc" not in files["kfold_0"]


def test_the_first_signal_sets_the_flag_and_a_second_interrupt_raises():
    before = signal.getsignal(signal.SIGTERM), signal.getsignal(signal.SIGINT)
    with StopFlag() as stop:
        assert not stop.is_set and stop.exit_status == 0
        signal.raise_signal(signal.SIGTERM)
        assert stop.is_set and stop.exit_status == 143
        signal.raise_signal(signal.SIGTERM)
        assert stop.exit_status == 143
        with pytest.raises(KeyboardInterrupt):
            signal.raise_signal(signal.SIGINT)
        assert stop.exit_status == 143
    assert (signal.getsignal(signal.SIGTERM), signal.getsignal(signal.SIGINT)) == before


def test_the_first_interrupt_sets_the_flag():
    with StopFlag() as stop:
        signal.raise_signal(signal.SIGINT)
        assert stop.is_set and stop.exit_status == 130


def test_outside_the_main_thread_the_flag_stays_unset():
    seen = []

    def enter():
        with StopFlag() as stop:
            seen.append(stop.is_set)

    thread = threading.Thread(target=enter)
    thread.start()
    thread.join()
    assert seen == [False]
