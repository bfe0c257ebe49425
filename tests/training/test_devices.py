"""A population on one to eight devices and on two processes, laid out in every way: the same losses, also where a run
goes on elsewhere than it began.
"""

import json
import os
import signal
import socket
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

# MEMBERSxDATA.
MESHES = ["1x1", "2x1", "4x1", "8x1", "1x2", "2x2", "2x4", "4x2", "1x8"]
# Where a run begins, and where it goes on.
MOVES = ["4x1 1x1", "1x1 8x1", "2x4 4x2"]


def start(folder: Path, *arguments: str, devices: int, **environment: str) -> subprocess.Popen:
    # Devices of one CPU that wait for each other must not share a pool of threads, which may have none left for those
    # that are waited for; and on a busy machine they wait for longer than the 40 s that XLA would.
    flags = (
        f"{os.environ['XLA_FLAGS']} --xla_force_host_platform_device_count={devices} "
        "--xla_cpu_multi_thread_eigen=false "
        "--xla_cpu_collective_call_terminate_timeout_seconds=900 --xla_cpu_collective_timeout_seconds=900"
    )
    command = [sys.executable, "-m", "tests.training.small_population", str(folder), *arguments]
    whole = os.environ | {"JAX_PLATFORMS": "cpu", "XLA_FLAGS": flags} | environment
    return subprocess.Popen(command, cwd=Path(__file__).parents[2], env=whole, stdout=subprocess.PIPE, text=True)


def start_two(folders: list[Path], *arguments: str, devices: int) -> list[subprocess.Popen]:
    """The same in two processes that train together."""
    with socket.socket() as free:
        free.bind(("localhost", 0))
        address = f"localhost:{free.getsockname()[1]}"
    shared = {"JAX_COORDINATOR_ADDRESS": address, "JAX_NUM_PROCESSES": "2"}
    return [
        start(folder, *arguments, devices=devices, JAX_PROCESS_ID=str(number), **shared)
        for number, folder in enumerate(folders)
    ]


def last_line(process: subprocess.Popen) -> dict[str, Any]:
    out, _ = process.communicate()
    assert process.returncode == 0, out
    return json.loads(out.splitlines()[-1])


@pytest.fixture(scope="module")
def folders(tmp_path_factory) -> list[Path]:
    """One a process."""
    place = tmp_path_factory.mktemp("devices")
    return [place / "first", place / "second"]


@pytest.fixture(scope="module")
def two(folders) -> list[dict[str, Any]]:
    """What two processes of four devices print: two whole runs, and one that stops."""
    runs = ["members:8x1", "both:2x4", "moves:8x1:3"]
    return [last_line(process) for process in start_two(folders, *runs, devices=4)]


@pytest.fixture(scope="module")
def one(folders, two) -> dict[str, Any]:
    """What one process of eight devices prints."""
    runs = [f"{mesh}:{mesh}" for mesh in MESHES] + ["moves:2x1"]
    for move in MOVES:
        first, then = move.split()
        runs += [f"{move}:{first}:3", f"{move}:{then}"]
    return last_line(start(folders[0], *runs, devices=8))


@pytest.fixture(scope="module")
def expected(one) -> list[list[Any]]:
    """On one device, by member and epoch: losses of training and validation."""
    return one["losses"]["1x1:1x1"]


def are_close(rows: list[list[Any]], expected: list[list[Any]]) -> None:
    """The same members and epochs, and losses within 1e-5 of each other."""
    rows = sorted(rows)
    assert [row[:2] for row in rows] == [row[:2] for row in expected]
    for row, there in zip(rows, expected, strict=True):
        assert row[2:] == pytest.approx(there[2:], rel=1e-5), (row, there)


def test_members_differ(expected):
    """Else the tests below would not see that members changed places. Eight devices have nine to train."""
    assert len(expected) == 18 and len({row[2] for row in expected}) == 18


@pytest.mark.parametrize("mesh", MESHES)
def test_every_mesh_gives_the_same_losses(one, expected, mesh):
    are_close(one["losses"][f"{mesh}:{mesh}"], expected)


@pytest.mark.parametrize("move", MOVES)
def test_a_run_that_goes_on_with_other_devices_has_the_same_losses(one, expected, move):
    first, then = move.split()
    rows = one["losses"][f"{move}:{first}:3"], one["losses"][f"{move}:{then}"]
    assert all(len(own) == 9 for own in rows)
    are_close([*rows[0], *rows[1]], expected)


def test_two_processes_end_with_the_losses_of_one(two, expected):
    for run in ("members:8x1", "both:2x4"):
        for process in two:
            are_close(process["losses"][run], expected)


def test_one_process_goes_on_where_two_stopped(one, two, expected):
    assert len(one["losses"]["moves:2x1"]) == 9
    are_close([*two[1]["losses"]["moves:8x1:3"], *one["losses"]["moves:2x1"]], expected)


def test_the_first_of_two_processes_alone_writes(folders, two):
    assert {path.name for path in (folders[0] / "members").iterdir()} == {f"m{number}" for number in range(9)}
    assert not folders[1].exists()


def test_a_signal_to_one_of_two_processes_stops_both(folders):
    # One device each, and more epochs than there is time for.
    processes = start_two(folders, "stopped:2x1", "--epochs=1000000", devices=1)
    while "an epoch" not in processes[1].stdout.readline():
        assert processes[1].poll() is None
    processes[1].send_signal(signal.SIGTERM)
    outs = [process.communicate()[0] for process in processes]
    assert [process.returncode for process in processes] == [143, 143]
    rows = [json.loads(out.splitlines()[-1])["losses"]["stopped:2x1"] for out in outs]
    assert rows[0] == rows[1] and len(rows[0]) >= 9


def test_a_training_compiles_few_programs_each_of_them_once(one):
    """Nine members, two epochs, four calls, nine checkpoints: what is compiled does not grow with any of them."""
    compiled = one["compiled"]
    assert [compiled[f"jit({program})"] for program in ("init", "local")] == [1, 1]
    # The rest are of single operations, by shape: learning rates, and hyperparameters of one member out of all.
    assert sum(compiled.values()) <= 15, compiled
