"""One of several processes: how it finds the others, and that one alone is as before."""

import os
import signal
import sys

import jax
import numpy as np
import pytest

from jaxboost.errors import InputError
from jaxboost.run_folder import StopFlag
from jaxboost.training import processes


def test_a_process_alone_joins_nobody(monkeypatch):
    monkeypatch.delenv(processes.ADDRESS, raising=False)
    monkeypatch.setattr(jax.distributed, "initialize", lambda **_: pytest.fail("joined"))
    processes.join(distributed=False)


@pytest.mark.parametrize("name", [processes.COUNT, processes.NUMBER])
def test_a_number_that_is_none_is_refused_by_name(monkeypatch, name):
    monkeypatch.setenv(processes.ADDRESS, "localhost:1")
    monkeypatch.setenv(name, "two")
    with pytest.raises(InputError, match=f"{name}=two"):
        processes.join(distributed=False)


def test_what_the_environment_says_is_handed_on(monkeypatch):
    found = {}
    monkeypatch.setattr(jax.distributed, "initialize", lambda **arguments: found.update(arguments))
    for name, value in ((processes.ADDRESS, "localhost:1"), (processes.COUNT, "4"), (processes.NUMBER, "3")):
        monkeypatch.setenv(name, value)
    processes.join(distributed=False)
    assert (found["num_processes"], found["process_id"]) == (4, 3)


def test_where_there_are_no_others_it_says_what_to_give(monkeypatch):
    for name in (processes.ADDRESS, processes.COUNT, processes.NUMBER):
        monkeypatch.delenv(name, raising=False)

    def initialize(**_):
        raise ValueError("coordinator_address should be defined.")

    monkeypatch.setattr(jax.distributed, "initialize", initialize)
    with pytest.raises(InputError, match=f"(?s)coordinator_address.*{processes.ADDRESS}"):
        processes.join(distributed=True)


def test_one_process_keeps_its_folder_its_word_and_its_signals(tmp_path, capsys):
    tree = {"a": np.arange(3)}
    assert processes.is_first() and processes.from_first(tree) is tree
    processes.agree("00", "the table")
    processes.leave(ValueError("no"))  # else this test would end here
    with processes.own_folder(tmp_path) as folder:
        print("heard")
    assert folder == tmp_path and capsys.readouterr().out == "heard\n"
    with processes.stop_flag() as stop:
        told = processes.stop_between_steps(stop)
        assert not told()
        os.kill(os.getpid(), signal.SIGTERM)
        assert told() and stop.exit_status == 143


def several(monkeypatch, number: int) -> None:
    monkeypatch.setattr(jax, "process_count", lambda: 2)
    monkeypatch.setattr(jax, "process_index", lambda: number)


def test_the_second_of_two_writes_elsewhere_and_is_silent(monkeypatch, tmp_path, capsys):
    several(monkeypatch, 1)
    with processes.own_folder(tmp_path / "run") as folder:
        print("not heard")
        (folder / "config.json").write_text("{}")
    assert not folder.exists() and not (tmp_path / "run").exists()
    assert capsys.readouterr().out == ""


def test_another_table_is_refused_by_the_number_of_its_process(monkeypatch):
    several(monkeypatch, 0)
    digests = np.array([[1, 2], [1, 2], [1, 3]], np.uint8)
    monkeypatch.setattr(processes.multihost_utils, "process_allgather", lambda own: digests)
    with pytest.raises(InputError, match=r"the table x.parquet of the processes \[2\] is not that of process 0"):
        processes.agree("0102", "the table x.parquet")


@pytest.mark.parametrize(("error", "status"), [(InputError("no such table"), 2), (ValueError("oh"), 1)])
def test_one_of_two_leaves_at_once_and_says_why(monkeypatch, capsys, error, status):
    several(monkeypatch, 0)
    left = []
    monkeypatch.setattr(os, "_exit", left.append)
    processes.leave(error)
    assert left == [status] and str(error) in capsys.readouterr().err


def test_signals_of_several_are_left_to_jax(monkeypatch):
    several(monkeypatch, 0)
    before = signal.getsignal(signal.SIGTERM)
    points = iter([False, True])
    monkeypatch.setattr(processes.multihost_utils, "reached_preemption_sync_point", lambda step: next(points))
    with processes.stop_flag() as stop:
        assert signal.getsignal(signal.SIGTERM) is before
        told = processes.stop_between_steps(stop)
        assert not told() and told()
    assert stop.exit_status == 143 and isinstance(stop, StopFlag) and sys.exc_info()[0] is None
