"""Kills, SIGTERMs, flipped bytes and full disks over one small run, which then ends as if nothing had happened.

    python -m benchmarks.storm [--rounds=100] [--seed=0] [--folder=FOLDER]

In each round the run is started and one thing happens to it at a random moment: SIGKILL, SIGTERM, or SIGTERM twice and
SIGKILL; before some rounds a byte of its newest checkpoint is flipped, or its disk is filled up. After each round every
checkpoint must restore. A run that ends is compared with one that nothing happened to, weights, metrics and predictions
bit by bit, and the next one begins; so is the last, which is left alone. Anything else ends the program.
"""

import argparse
import json
import shutil
import signal
import tempfile
import time
from collections import Counter
from dataclasses import dataclass
from pathlib import Path

import jax
import numpy as np

from benchmarks.forked_main import Call, ForkedMain, can_mount
from jaxboost.console import duration
from jaxboost.training import has_checkpoint, restore_checkpoint
from tests.trained_run import write_config

MEMBERS = ("ensemble_0", "full", "kfold_0", "kfold_1")
FAULTS = ("SIGKILL", "SIGTERM", "SIGTERM twice, SIGKILL", "flipped byte", "full disk")


@dataclass(frozen=True)
class Scene:
    """Where the storm is.

    Attributes:
      forked: starts the calls.
      arguments: of each.
      workdir: of the run, as it is seen from here.
      undisturbed: folder of the run that nothing happened to.
      seconds: it took.
    """

    forked: ForkedMain
    arguments: tuple[str, ...]
    workdir: Path
    undisturbed: Path
    seconds: float


def whole(workdir: Path) -> dict[str, int]:
    """The step of each member's checkpoint; raises where one is there and does not restore."""
    folders = {name: workdir / "members" / name for name in MEMBERS}
    return {name: restore_checkpoint(folder).step for name, folder in folders.items() if has_checkpoint(folder)}


def differences(workdir: Path, other: Path) -> list[str]:
    """What differs between two finished runs, bit by bit."""
    found = []
    for name in MEMBERS:
        a, b = (restore_checkpoint(folder / "members" / name) for folder in (workdir, other))
        leaves = zip(jax.tree.leaves(a.tree), jax.tree.leaves(b.tree), strict=True)
        if a.fitted != b.fitted or any(x.tobytes() != y.tobytes() for x, y in leaves):
            found.append(f"the weights of {name}")
    if (workdir / "predictions.csv").read_bytes() != (other / "predictions.csv").read_bytes():
        found.append("the predictions")
    metrics = [json.loads((folder / "metrics.json").read_text()) | {"timing_s": None} for folder in (workdir, other)]
    return [*found, *(["the metrics"] if metrics[0] != metrics[1] else [])]


def flip(workdir: Path, rng: np.random.Generator) -> bool:
    """Flips a bit of the newest step of a member that has an older whole one to fall back on; whether there was one."""
    able = []
    for name in MEMBERS:
        steps = [path for path in (workdir / "members" / name).glob("[0-9]*") if path.is_dir()]
        if len(steps) == 2:
            able.append(max(steps, key=lambda path: int(path.name)))
    if not able:
        return False
    newest = able[rng.integers(len(able))]
    files = sorted(path for path in newest.rglob("*") if path.is_file() and path.stat().st_size)
    file = files[rng.integers(len(files))]
    content = bytearray(file.read_bytes())
    content[rng.integers(len(content))] ^= 1 << int(rng.integers(8))
    file.write_bytes(content)
    return True


def fill(scene: Scene, rng: np.random.Generator) -> Path:
    """Leaves 0 to 1.5 MB on the disk of the calls; returns what takes the room."""
    ballast = scene.workdir.parent / "ballast"
    with ballast.open("wb", buffering=0) as file:
        try:
            while True:
                file.write(bytes(1 << 16))
        except OSError:
            file.truncate(max(file.tell() - int(rng.integers(1_500_000)), 0))
    return ballast


def strike(fault: str, call: Call, scene: Scene, rng: np.random.Generator) -> tuple[int, ...]:
    """Lets a call be for a while and does to it what `fault` says; returns the exit statuses that may follow."""
    if fault == "full disk":
        return (0, 2)
    end = time.monotonic() + rng.uniform(0, 1.2) * scene.seconds
    while time.monotonic() < end and Path(f"/proc/{call.pid}").exists():
        time.sleep(0.02)
    if fault == "SIGTERM":
        call.signal(signal.SIGTERM)
        return (0, 143, -signal.SIGTERM)  # before it listens, a signal ends it
    for number in (signal.SIGTERM,) * 2 * fault.startswith("SIGTERM") + (signal.SIGKILL,):
        call.signal(number)
    return (0, 143, -signal.SIGTERM, -signal.SIGKILL)


def weather(scene: Scene, rounds: int, rng: np.random.Generator, logs: Path) -> None:
    """All rounds, and the run that is left alone after them."""
    happened: Counter[str] = Counter()
    ended: Counter[int] = Counter()
    finished = 0
    for number in range(rounds + 1):
        fault = "nothing" if number == rounds else FAULTS[rng.integers(len(FAULTS) - (not can_mount()))]
        if fault == "flipped byte" and not flip(scene.workdir, rng):
            fault = "SIGKILL"
        ballast = fill(scene, rng) if fault == "full disk" else None
        call = scene.forked.start(*scene.arguments, log=logs / f"{number}.log")
        allowed = (0,) if fault == "nothing" else strike(fault, call, scene, rng)
        status = call.wait()
        if ballast is not None:
            ballast.unlink()
        if status not in allowed:
            raise SystemExit(f"round {number}, {fault}: exit status {status}\n{call.said()}")
        steps = whole(scene.workdir)
        happened[fault] += 1
        ended[status] += 1
        print(f"round {number}: {fault}, exit status {status}, epochs {steps}", flush=True)
        if status == 0:
            if wrong := differences(scene.workdir, scene.undisturbed):
                raise SystemExit(f"round {number}, {fault}: {', '.join(wrong)} differ from an undisturbed run's")
            finished += 1
            shutil.rmtree(scene.workdir)
    faults = ", ".join(f"{count} {name}" for name, count in happened.most_common() if name != "nothing")
    print(f"{rounds} rounds: {faults}")
    print(f"exit statuses: {', '.join(f'{count} of {status}' for status, count in ended.most_common())}")
    print(f"{finished} runs came to their end, each with the weights, metrics and predictions of an undisturbed one")


def main() -> None:
    """Trains the undisturbed run, which also fills the cache of compiled programs; then the storm begins."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=100)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--folder", type=Path, help="of compiled programs and the undisturbed run, to be used again")
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory() as temporary:
        place = arguments.folder or Path(temporary)
        place.mkdir(exist_ok=True)
        disk = Path(temporary) / "disk"
        disk.mkdir()
        config = f"--config={write_config(place)}"
        with ForkedMain(disk if can_mount() else None) as forked:
            undisturbed = place / "undisturbed"
            call = forked.start(config, f"--workdir={undisturbed}", log=Path(temporary) / "undisturbed.log")
            if call.wait() != 0:
                raise SystemExit(call.said())
            taken = json.loads((undisturbed / "metrics.json").read_text())["timing_s"]
            seconds = taken["total"] - taken["compile"]
            print(
                f"the undisturbed run took {duration(seconds)}, {duration(taken['compile'])} of compiling beside",
                flush=True,
            )
            workdir = forked.seen(disk / "run") if can_mount() else disk / "run"
            scene = Scene(forked, (config, f"--workdir={disk / 'run'}"), workdir, undisturbed, seconds)
            weather(scene, arguments.rounds, np.random.default_rng(arguments.seed), Path(temporary))


if __name__ == "__main__":
    main()
