"""What this machine lacks for a run, line by line: what was looked at, the verdict, what to do."""

from __future__ import annotations

import os
import platform
import shutil
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from importlib import metadata
from pathlib import Path

import numpy as np
from ml_collections import ConfigDict
from packaging.requirements import Requirement

from jaxboost import settings as of
from jaxboost.console import say
from jaxboost.crystal import Structure
from jaxboost.data.materials import read_table
from jaxboost.environment import found_devices
from jaxboost.errors import InputError
from jaxboost.finished_run import config_of, restore_members, vote_of
from jaxboost.limits import check_classes, check_config
from jaxboost.modalities.featurize import FeaturizerSettings, featurize_one

OLDEST_PYTHON = (3, 11)
GIB = 1 << 30
LEAST_MEMORY = 1 * GIB  # a prediction takes three quarters of it (README, 'Any number of them')
LEAST_SPACE = 1 * GIB  # a margin for features, checkpoints and compiled programs, not a measurement
_SHOWN = ("jax", "jaxlib", "flax", "optax", "orbax-checkpoint", "numpy")

Versions = Callable[[str], str]
"""Package -> its version; raises `metadata.PackageNotFoundError`."""


@dataclass(frozen=True)
class Finding:
    """What is said of one thing that was looked at.

    Attributes:
      text: what was found; where it is not well, also what to do.
      verdict: 'ok', 'note' (a run is possible, and something is odd) or 'WRONG'.
    """

    text: str
    verdict: str = "ok"


def examine(config: ConfigDict | None, workdir: Path | None) -> int:
    """Prints a line a finding, the quick ones first. Returns the exit status: 0, or 1 where something is wrong.

    Args:
      config: whose table and folders are looked at; None where there is none.
      workdir: of a run, finished or not; None looks at `runs`.
    """
    wrong = sum(_told(*look) for look in _host_looks(config, workdir))
    if _told("devices", devices):
        wrong += 1  # and what follows needs them
    else:
        wrong += sum(_told(*look) for look in _device_looks(workdir))
    say(f"{wrong} of these lines {'is' if wrong == 1 else 'are'} WRONG" if wrong else "all is well")
    return 1 if wrong else 0


Look = tuple[str, Callable[[], Finding]]


def _host_looks(config: ConfigDict | None, workdir: Path | None) -> Iterator[Look]:
    yield "python", lambda: python_version(sys.version_info[:2])
    yield "packages", lambda: packages(requirements(), metadata.version)
    yield "machine", lambda: machine(available_memory())
    yield "runs", lambda: space(workdir or Path("runs"))
    yield "cache", lambda: space(Path("~/.cache/jaxboost" if config is None else config.data.cache_dir))
    if config is not None:
        yield "recipe", lambda: recipe(config)
        yield "table", lambda: table(config)
    yield "structures", structures


def _device_looks(workdir: Path | None) -> Iterator[Look]:
    yield "accelerator", lambda: accelerator(found_devices()[0].platform)
    yield "jax", jax_settings
    yield "program", program
    if workdir is not None and (workdir / "config.json").exists():
        yield "members", lambda: members(workdir)


def _told(what: str, look: Callable[[], Finding]) -> bool:
    """Prints what is found; returns whether it is wrong.

    A part that is broken so that it raises anything is a finding too: the lines after it are still printed.
    """
    try:
        finding = look()
    except InputError as error:
        finding = Finding(str(error), "WRONG")
    except Exception as error:
        finding = Finding(f"{type(error).__name__}: {error}", "WRONG")
    say(f"{finding.verdict:<6}{what}: {finding.text}")
    return finding.verdict == "WRONG"


def python_version(version: tuple[int, ...]) -> Finding:
    """Of the interpreter."""
    text = ".".join(map(str, version))
    if version < OLDEST_PYTHON:
        return Finding(f"{text}; install {'.'.join(map(str, OLDEST_PYTHON))} or later", "WRONG")
    return Finding(f"{text} on {platform.system()} {platform.machine()}")


def requirements() -> list[Requirement]:
    """What jaxboost needs, with the versions it was tested with: of a checkout its file, else the installed package's.

    Raises:
      InputError: neither is there.
    """
    file = Path(__file__).parents[1] / "requirements.txt"
    if file.is_file():
        lines = [line.split("#")[0].strip() for line in file.read_text().splitlines()]
    else:
        try:
            lines = metadata.requires("jaxboost") or []
        except metadata.PackageNotFoundError as error:
            raise InputError("no list of what is needed: install jaxboost by pip, or run it in its folder") from error
    found = [Requirement(line) for line in lines if line]
    return [one for one in found if one.marker is None or one.marker.evaluate({"extra": ""})]


def packages(needed: list[Requirement], version_of: Versions) -> Finding:
    """Whether each is there, in its range."""
    wrong, found = [], {}
    for one in needed:
        try:
            found[one.name] = version_of(one.name)
        except metadata.PackageNotFoundError:
            wrong.append(f"{one.name} is not installed")
            continue
        if not one.specifier.contains(found[one.name], prereleases=True):
            wrong.append(f"{one.name} {found[one.name]} is outside {one.specifier}")
    try:
        found["jaxlib"] = version_of("jaxlib")
    except metadata.PackageNotFoundError:
        wrong.append("jaxlib is not installed")
    if wrong:
        return Finding(f"{'; '.join(wrong)}; pip install -r requirements.txt", "WRONG")
    shown = ", ".join(f"{name} {found[name]}" for name in _SHOWN if name in found)
    return Finding(f"{shown}; all {len(needed)} within the tested ranges")


def available_memory(root: Path = Path("/")) -> int | None:
    """Bytes that this process may still take, None where the system does not say."""
    limits = []
    information = root / "proc" / "meminfo"
    if information.is_file():
        rows = dict(line.split(":", 1) for line in information.read_text().splitlines() if ":" in line)
        if "MemAvailable" in rows:
            limits.append(int(rows["MemAvailable"].split()[0]) * 1024)
    group = root / "sys" / "fs" / "cgroup"  # of a container
    if (group / "memory.max").is_file() and (limit := (group / "memory.max").read_text().strip()) != "max":
        limits.append(int(limit) - int((group / "memory.current").read_text()))
    return min(limits, default=None)


def machine(available: int | None) -> Finding:
    """Cores and memory."""
    cores = f"{of.cores()} cores"
    if available is None:
        return Finding(f"{cores}; how much memory is free is not known here", "note")
    text = f"{cores}, {available / GIB:.1f} GiB of memory free"
    if available < LEAST_MEMORY:
        return Finding(f"{text}, at least {LEAST_MEMORY / GIB:.0f} is needed; end other programs", "WRONG")
    return Finding(text)


def space(folder: Path, free: Callable[[Path], int] = lambda path: shutil.disk_usage(path).free) -> Finding:
    """Whether `folder` can be written, or made, and how much fits there; nothing is left behind."""
    folder = folder.expanduser().absolute()
    there = next(path for path in (folder, *folder.parents) if path.exists())
    try:
        with tempfile.TemporaryFile(dir=there):
            pass
    except OSError as error:
        return Finding(f"{folder} cannot be written ({error.strerror}); choose another folder", "WRONG")
    left = free(there)
    text = f"{folder}, {left / GIB:.1f} GiB free"
    if left < LEAST_SPACE:
        return Finding(f"{text}, at least {LEAST_SPACE / GIB:.0f} is needed; make room", "WRONG")
    return Finding(text)


def recipe(config: ConfigDict) -> Finding:
    """Whether every field of the config can be used."""
    check_config(config)
    return Finding(f"{config.name!r}, every field as it may be")


def table(config: ConfigDict) -> Finding:
    """Whether the labelled table can be read."""
    path = config.data.path
    if not path:
        return Finding(f"config.data.path is empty: {config.data.embedded_crystals} crystals will be made")
    found = read_table(path, label_column=config.data.label_column, classes=tuple(config.data.classes))
    check_classes(config, found.classes)
    counts = zip(found.classes, np.bincount(found.labels, minlength=len(found.classes)), strict=True)
    text = f"{path}: {len(found)} rows, {', '.join(f'{name} {count}' for name, count in counts)}"
    if found.rejected:
        name, reason = found.rejected[0]
        return Finding(f"{text}; {len(found.rejected)} cannot be used, the first: {name}: {reason}", "note")
    return Finding(text)


def structures() -> Finding:
    """Whether the libraries that read and analyse a crystal work here: rock salt, whose group is known."""
    cell = 2.82 * np.array([[0, 1, 1], [1, 0, 1], [1, 1, 0]])
    salt = Structure(cell, np.array([[0, 0, 0], [0.5, 0.5, 0.5]]), np.array([11, 17]))
    features = featurize_one(salt, FeaturizerSettings())
    found = f"{features.formula[0]}, space group {features.space_group[0]}"
    if found != "ClNa, space group 225":
        return Finding(f"rock salt was taken for {found}; install the requirements anew", "WRONG")
    return Finding("rock salt was read and analysed")


def devices() -> Finding:
    """What jax runs on."""
    of.start_jax()
    found = found_devices()
    kinds = sorted({device.device_kind for device in found})
    return Finding(f"jax runs on {len(found)} x {', '.join(kinds)} ({found[0].platform})")


def accelerator(backend: str, environment: Mapping[str, str] = os.environ, root: Path = Path("/")) -> Finding:
    """Whether there is an accelerator that jax does not use: without its plugin jax takes the CPU in silence."""
    seen = None
    if nvidia := sorted((root / "dev").glob("nvidia[0-9]*")):
        seen, package = f"{len(nvidia)} NVIDIA GPU ({nvidia[0]})", "jax[cuda13]"
    elif marks := [*sorted((root / "dev").glob("accel[0-9]*")), *(n for n in _TPU_VARIABLES if n in environment)]:
        seen, package = f"a TPU ({marks[0]})", "jax[tpu]"
    if backend != "cpu":
        return Finding("in use")
    if seen is None:
        return Finding("none is there; configs/quick.py is the recipe for CPUs")
    if environment.get("JAX_PLATFORMS", "") != "":
        named = environment["JAX_PLATFORMS"]
        return Finding(f"{seen} is there and JAX_PLATFORMS={named} keeps jax from it; unset it", "note")
    return Finding(f"{seen} is there and jax runs on the CPU; pip install '{package}'", "WRONG")


_TPU_VARIABLES = ("TPU_NAME", "TPU_ACCELERATOR_TYPE", "TPU_WORKER_ID")


def jax_settings() -> Finding:
    """Settings of jax under which a run computes something else, or takes much longer."""
    import jax

    odd = {  # what it would do
        "jax_enable_x64": "weights would have 64 bits, and checkpoints be refused elsewhere",
        "jax_disable_jit": "nothing is compiled, and training takes days",
        "jax_debug_nans": "a gradient that is not finite ends the run, instead of one member",
    }
    found = [f"{name.upper()}: {effect}" for name, effect in odd.items() if getattr(jax.config, name)]
    if found:
        return Finding(f"{'; '.join(found)}; unset it", "WRONG")
    return Finding("as a run expects them (32 bits, compiled)")


def program() -> Finding:
    """Whether a small program can be compiled and computes what it should."""
    import jax
    import jax.numpy as jnp

    began = time.perf_counter()
    found = jax.jit(lambda x: jnp.tanh(x @ x.T).sum())(jnp.eye(4))
    seconds = time.perf_counter() - began
    if not np.isclose(float(found), 4 * np.tanh(1), rtol=0.02):  # matrix work may be bfloat16
        return Finding(f"tanh of a unit matrix sums to {float(found):.4f}, not {4 * np.tanh(1):.4f}", "WRONG")
    return Finding(f"compiled and right after {seconds:.1f} s")


def members(workdir: Path) -> Finding:
    """Whether the members of a run can be restored."""
    config = config_of(workdir)
    vote = vote_of(workdir)
    restored = restore_members(config, workdir, vote.classes)
    return Finding(f"{workdir}: {len(restored.members)} members can vote on {', '.join(vote.classes)}")
