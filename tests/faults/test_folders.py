"""Folders that cannot be written, disks without room, clocks that are set back."""

import ast
import errno
import os
import subprocess
import sys
import textwrap
import time
from pathlib import Path

import pytest

from benchmarks.forked_main import can_mount
from jaxboost import screening
from jaxboost.run_folder import TensorBoardLog, explained

ROOT = Path(__file__).parents[2]


@pytest.mark.parametrize("code", [errno.ENOSPC, errno.EDQUOT, errno.EFBIG, errno.EROFS, errno.EACCES])
def test_a_refused_write_is_explained_with_its_file(code):
    reason = str(explained(OSError(code, os.strerror(code), "runs/a/metrics.json")))
    assert reason.startswith("runs/a/metrics.json: ") and os.strerror(code) in reason
    room = code not in (errno.EROFS, errno.EACCES)
    assert ("start the same command again" in reason) == room and ("can be written" in reason) != room


def test_another_fault_is_not_explained_away():
    assert explained(OSError(errno.EIO, "Input/output error")) is None
    assert explained(FileNotFoundError(errno.ENOENT, "No such file")) is None


@pytest.mark.skipif(not can_mount(), reason="this user may make no file system of its own")
def test_a_read_only_workdir_is_one_message(tmp_path):
    """A file system that really is read-only, by `main.py` itself."""
    mount = 'mount -t tmpfs -o ro tmpfs "$0" && exec "$@"'
    call = [
        sys.executable, "main.py", "--config=configs/embedded.py", f"--workdir={tmp_path / 'run'}",
        "--config.data.embedded_crystals=1",
    ]  # fmt: skip
    command = ["unshare", "--map-root-user", "--mount", "sh", "-c", mount, str(tmp_path), *call]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, env=os.environ | {"JAX_PLATFORMS": "cpu"})
    said = " ".join(done.stderr.split())
    assert done.returncode == 2 and done.stdout == "" and "Traceback" not in said
    assert "cannot be the folder of a run" in said and "Read-only file system" in said and "another --workdir" in said


def test_tensorboard_on_a_full_disk_is_an_error_and_no_wait_for_ever(tmp_path):
    """A limit that the system enforces: no file beyond 2 kB."""
    program = textwrap.dedent("""
        import resource, sys
        from pathlib import Path
        from jaxboost.run_folder import TensorBoardLog
        resource.setrlimit(resource.RLIMIT_FSIZE, (2000, 2000))
        written = 0
        try:
            with TensorBoardLog(Path(sys.argv[1])) as board:
                for epoch in range(1000):
                    board.add("full", epoch, {"loss": 0.5, "accuracy": 0.5})
                    written += 1
        except OSError as error:
            print(error.errno, written)
    """)
    command = [sys.executable, "-c", program, str(tmp_path)]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=300)
    code, written = done.stdout.split()
    assert int(code) == errno.EFBIG and 5 < int(written) < 100, done.stderr


def test_scalars_of_a_second_start_in_a_second_that_was_before_are_kept(tmp_path, monkeypatch):
    for now in (2_000_000_000.0, 1_000_000_000.0, 2_000_000_000.0):
        monkeypatch.setattr(time, "time", lambda now=now: now)
        with TensorBoardLog(tmp_path) as board:
            board.add("full", 1, {"loss": 1.5})
    assert len(list(tmp_path.glob("tensorboard/full/events.*"))) == 3


def test_a_prediction_never_takes_the_name_of_another(tmp_path, monkeypatch):
    monkeypatch.setattr(time, "strftime", lambda text: "2026-01-01T00-00-00")
    taken = []
    for _ in range(3):
        path = screening._output(tmp_path, {})
        assert not path.exists()
        path.touch()
        taken.append(path.name)
    assert taken == ["2026-01-01T00-00-00.csv", "2026-01-01T00-00-00_2.csv", "2026-01-01T00-00-00_3.csv"]


def test_no_duration_is_measured_by_a_clock_that_may_be_set_back():
    """`time.time` dates what TensorBoard shows, and nothing else."""
    found = {
        path.relative_to(ROOT).as_posix()
        for path in ROOT.glob("jaxboost/**/*.py")
        for node in ast.walk(ast.parse(path.read_text()))
        if isinstance(node, ast.Attribute) and ast.unparse(node) in ("time.time", "datetime.now", "time.time_ns")
    }
    assert found == {"jaxboost/run_folder.py"}
