"""Rows 1, 5, 6 and 7: a run that is stopped, killed and left without room ends as if it had not been.

    python -m pytest tests/faults/interrupted.py

It takes minutes and its moments are random, so it is not among the tests that run by themselves.
"""

import json
import signal
import time
from pathlib import Path

import jax
import numpy as np
import pytest

from benchmarks.forked_main import Call, ForkedMain, can_mount
from jaxboost.training import has_checkpoint, restore_checkpoint

MEMBERS = ("ensemble_0", "full", "kfold_0", "kfold_1")
RNG = np.random.default_rng()  # other moments every time: none may matter


@pytest.fixture(scope="module")
def disk(tmp_path_factory):
    """A folder; where that is allowed the calls see a file system of 64 MiB there."""
    return tmp_path_factory.mktemp("disk")


@pytest.fixture(scope="module")
def forked(disk):
    with ForkedMain(disk if can_mount() else None) as forked:
        yield forked


def wait_for(call: Call, condition, seconds: float = 600.0) -> None:
    end = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < end and Path(f"/proc/{call.pid}").exists(), call.said()
        time.sleep(0.01)


def steps(workdir: Path) -> dict[str, int]:
    """Member -> the step of its newest checkpoint, each of which restores; 0 where there is none."""
    found = {}
    for name in MEMBERS:
        folder = workdir / "members" / name
        found[name] = restore_checkpoint(folder).step if has_checkpoint(folder) else 0
    return found


def finished(workdir: Path) -> bool:
    """Read from beside the weights: arrays that are replaced meanwhile cannot be restored without noise."""
    try:
        for folder in (workdir / "members" / name for name in MEMBERS):
            step = json.loads((folder / "LAST_GOOD").read_text())["step"]
            if not json.loads((folder / str(step) / "fitted.json").read_text())["finished"]:
                return False
        return True
    except FileNotFoundError:  # not there yet, or replaced this very moment
        return False


def without_timing(path: Path) -> dict:
    metrics = json.loads(path.read_text())
    del metrics["timing_s"]
    return metrics


def assert_ends_alike(workdir: Path, run: Path) -> None:
    """Bitwise the same weights, metrics and predictions."""
    for name in MEMBERS:
        here, there = (restore_checkpoint(folder / "members" / name) for folder in (workdir, run))
        assert here.step == there.step and here.fitted == there.fitted
        assert jax.tree.structure(here.tree) == jax.tree.structure(there.tree)
        for a, b in zip(jax.tree.leaves(here.tree), jax.tree.leaves(there.tree), strict=True):
            assert (a.dtype, a.shape, a.tobytes()) == (b.dtype, b.shape, b.tobytes())
    assert (workdir / "predictions.csv").read_bytes() == (run / "predictions.csv").read_bytes()
    assert without_timing(workdir / "metrics.json") == without_timing(run / "metrics.json")


def test_a_run_that_met_everything_ends_with_the_bytes_of_one_that_met_nothing(trained, forked, disk, tmp_path):
    mounted = can_mount()
    own = disk / "ein Lauf für Bi₂Te₃"  # blanks and letters beyond ASCII are no fault
    workdir = forked.seen(own) if mounted else own
    arguments = (f"--config={trained / 'tiny.py'}", f"--workdir={own}")
    began = "operations: about"  # the last that is said before compiling

    # SIGTERM while compiling: nothing is trained yet.
    call = forked.start(*arguments, log=tmp_path / "compiling")
    wait_for(call, lambda: began in call.said())
    call.signal(signal.SIGTERM)
    assert call.wait() == 143, call.said()
    assert "stopped by a signal" in call.said() and set(steps(workdir).values()) == {0}

    # SIGKILL while training and saving.
    call = forked.start(*arguments, log=tmp_path / "killed")
    wait_for(call, lambda: any(workdir.glob("members/*/LAST_GOOD")))
    time.sleep(RNG.uniform(0, 1))
    call.signal(signal.SIGKILL)
    assert call.wait() == -signal.SIGKILL, call.said()
    before = steps(workdir)

    # A disk that is full before the next epoch is saved. The checkpoint of a finished member may be a quarter as large
    # as this one: half of it must not fit either.
    step = max((path for path in (workdir / "members").glob("*/[0-9]*")), key=lambda path: path.stat().st_mtime)
    size = sum(path.stat().st_size for path in step.rglob("*"))
    if mounted:
        ballast = workdir.parent / "ballast"
        with ballast.open("wb", buffering=0) as file, pytest.raises(OSError, match="No space left"):
            while True:
                file.write(bytes(4096))
        with ballast.open("r+b") as file:
            file.truncate(ballast.stat().st_size - size // 8)
        call = forked.start(*arguments, log=tmp_path / "full")
    else:
        largest = max(path.stat().st_size for path in step.rglob("*"))
        call = forked.start(*arguments, log=tmp_path / "full", largest_file=largest // 8)
    assert call.wait() == 2, call.said()
    assert "ake room and start the same command again" in " ".join(call.said().split())
    assert "error: " in call.said()  # where a line begins, unless a thread of Orbax complains there of its loop
    after = steps(workdir)
    assert all(after[name] >= before[name] for name in MEMBERS) and not (workdir / "metrics.json").exists()
    if mounted:
        ballast.unlink()

    # SIGTERM while training, twice, and SIGKILL before it can save.
    call = forked.start(*arguments, log=tmp_path / "twice")
    wait_for(call, lambda: began in call.said())
    time.sleep(RNG.uniform(0, 2))
    for number in (signal.SIGTERM, signal.SIGTERM, signal.SIGKILL):
        call.signal(number)
    assert call.wait() == -signal.SIGKILL, call.said()
    assert all(step >= after[name] for name, step in steps(workdir).items())

    # SIGTERM while evaluating: all are trained, and nothing is written half.
    call = forked.start(*arguments, log=tmp_path / "evaluating")
    wait_for(call, lambda: began in call.said() and finished(workdir))  # before that nobody listens to signals
    call.signal(signal.SIGTERM)
    assert call.wait() == 143, call.said()
    assert not (workdir / "metrics.json").exists()

    call = forked.start(*arguments, log=tmp_path / "finished")
    assert call.wait() == 0, call.said()
    assert_ends_alike(workdir, trained / "run")
