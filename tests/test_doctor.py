"""Every ailment is found on a machine that has it, most of them made up, and each line says what to do."""

import os
import re
import subprocess
import sys
from collections import namedtuple
from importlib import metadata
from pathlib import Path

import jax
import pytest
from packaging.requirements import Requirement

from configs import quick
from jaxboost import doctor, environment
from jaxboost.errors import InputError
from tests.crystals import LABELS, small_table

ROOT = Path(__file__).parents[1]
Device = namedtuple("Device", "platform device_kind")


@pytest.fixture
def config(tmp_path):
    config = quick.get_config()
    config.data.path = str(small_table(tmp_path / "table.parquet"))
    config.data.label_column = "kind"
    config.data.classes = LABELS
    config.data.rules = config.data.groupings = {}
    config.data.cache_dir = str(tmp_path / "cache")
    return config


def test_a_sound_machine(config, tmp_path, capsys):
    assert doctor.examine(config, tmp_path / "run") == 0
    lines = capsys.readouterr().out.splitlines()
    told = {line[6:].split(":")[0] for line in lines if line.startswith(("ok", "note"))}
    assert told == {
        "python", "packages", "machine", "runs", "cache", "recipe", "table", "structures", "devices", "accelerator",
        "jax", "program",
    }  # fmt: skip
    assert lines[-1] == "all is well" and not any(line.startswith("WRONG") for line in lines)
    assert not (tmp_path / "run").exists() and not (tmp_path / "cache").exists()


def test_what_is_wrong_is_counted_and_told_to_the_end(config, tmp_path, capsys, monkeypatch):
    config.data.path = "nowhere.parquet"
    config.vote.members = "foo"
    (tmp_path / "run").mkdir()
    (tmp_path / "run" / "config.json").write_text("{}")

    def broken():
        raise OSError("library lost")

    monkeypatch.setattr(doctor, "structures", broken)
    assert doctor.examine(config, tmp_path / "run") == 1
    out = " ".join(capsys.readouterr().out.split())
    assert "WRONG recipe: config.vote.members = 'foo'" in out and "WRONG table: nowhere.parquet: no such file" in out
    assert (
        "WRONG structures: OSError: library lost ok devices" in out and "WRONG members: config.name is missing" in out
    )
    assert out.endswith("4 of these lines are WRONG")


def test_a_named_device_that_is_absent_is_said_in_a_line():
    command = [sys.executable, str(ROOT / "main.py"), "--mode=doctor"]
    done = subprocess.run(command, env=os.environ | {"JAX_PLATFORMS": "cuda"}, capture_output=True, text=True)
    assert done.returncode == 1 and done.stderr == ""
    assert "WRONG devices: JAX_PLATFORMS=cuda: jax finds no such device" in done.stdout
    assert done.stdout.endswith("1 of these lines is WRONG\n")


@pytest.mark.parametrize(
    ("error", "said"), [(AssertionError(), "no such device; "), (RuntimeError("no\nx"), r"\(no\)")]
)
def test_an_absent_device_is_an_input_error(monkeypatch, error, said):
    def devices():
        raise error

    monkeypatch.setattr(jax, "devices", devices)
    before = jax.config.jax_platforms
    try:
        jax.config.update("jax_platforms", "cuda")
        with pytest.raises(InputError, match=said):
            environment.found_devices()
        jax.config.update("jax_platforms", "")
        with pytest.raises(type(error)):  # nobody named a device: whatever this is, it is no mistake of the user
            environment.found_devices()
    finally:
        jax.config.update("jax_platforms", before)


def test_versions_are_compared_with_their_ranges():
    needed = [Requirement("jax>=0.10,<0.13"), Requirement("numpy>=2.4"), Requirement("rich")]
    versions = {"jax": "0.12.1", "jaxlib": "0.12.1", "numpy": "2.4.0", "rich": "15.0"}

    def of(name):
        if name not in versions:
            raise metadata.PackageNotFoundError(name)
        return versions[name]

    found = doctor.packages(needed, of)
    assert found.verdict == "ok" and found.text.startswith("jax 0.12.1, jaxlib 0.12.1, numpy 2.4.0; all 3")
    versions |= {"jax": "0.13.0", "numpy": "2.3.9"}
    del versions["rich"], versions["jaxlib"]
    found = doctor.packages(needed, of)
    assert found.verdict == "WRONG" and found.text == (
        "jax 0.13.0 is outside <0.13,>=0.10; numpy 2.3.9 is outside >=2.4; rich is not installed; jaxlib is not "
        "installed; pip install -r requirements.txt"
    )


def test_the_requirements_are_those_of_the_file():
    names = {one.name for one in doctor.requirements()}
    assert {"jax", "flax", "optax", "orbax-checkpoint", "gemmi", "moyopy", "packaging"} <= names


@pytest.mark.parametrize(("version", "verdict"), [((3, 10), "WRONG"), ((3, 11), "ok"), ((3, 14), "ok"), ((4, 0), "ok")])
def test_an_old_python(version, verdict):
    assert doctor.python_version(version).verdict == verdict


def test_memory_is_that_of_the_container(tmp_path):
    assert doctor.available_memory(tmp_path) is None and doctor.machine(None).verdict == "note"
    (tmp_path / "proc").mkdir()
    (tmp_path / "proc" / "meminfo").write_text("MemTotal: 9000000 kB\nMemAvailable:    4194304 kB\n")
    assert doctor.available_memory(tmp_path) == 4 * doctor.GIB
    group = tmp_path / "sys" / "fs" / "cgroup"
    group.mkdir(parents=True)
    (group / "memory.current").write_text("1073741824\n")
    for limit, left in (("max", 4.0), (str(1536 << 20), 0.5)):
        (group / "memory.max").write_text(f"{limit}\n")
        assert doctor.available_memory(tmp_path) == left * doctor.GIB
    assert doctor.machine(4 * doctor.GIB).verdict == "ok"
    assert doctor.machine(doctor.GIB // 2).verdict == "WRONG"


def test_folders_are_tried_and_left_as_they_were(tmp_path):
    assert doctor.space(tmp_path / "a" / "b").verdict == "ok" and list(tmp_path.iterdir()) == []
    full = doctor.space(tmp_path, free=lambda path: doctor.GIB // 2)
    assert full.verdict == "WRONG" and "0.5 GiB free" in full.text
    (tmp_path / "file").write_text("")
    assert doctor.space(tmp_path / "file" / "run").verdict == "WRONG"


@pytest.mark.parametrize(
    ("file", "environment", "backend", "verdict", "said"),
    [
        (None, {}, "cpu", "ok", "none is there"),
        ("nvidia0", {}, "cpu", "WRONG", "1 NVIDIA GPU .*nvidia0.* pip install 'jax.cuda13.'"),
        ("nvidia0", {}, "gpu", "ok", "in use"),
        ("nvidia0", {"JAX_PLATFORMS": "cpu"}, "cpu", "note", "JAX_PLATFORMS=cpu keeps jax from it; unset it"),
        ("nvidiactl", {}, "cpu", "ok", "none is there"),
        ("accel0", {}, "cpu", "WRONG", "a TPU .*accel0.* pip install 'jax.tpu.'"),
        (None, {"TPU_NAME": "local"}, "cpu", "WRONG", "a TPU .TPU_NAME."),
    ],
)
def test_an_accelerator_that_lies_idle(tmp_path, file, environment, backend, verdict, said):
    (tmp_path / "dev").mkdir()
    if file:
        (tmp_path / "dev" / file).write_text("")
    found = doctor.accelerator(backend, environment, tmp_path)
    assert found.verdict == verdict
    assert re.search(said, found.text)


def test_settings_that_change_what_is_computed():
    assert doctor.jax_settings().verdict == "ok"
    with jax.enable_x64(True):
        found = doctor.jax_settings()
    assert found.verdict == "WRONG" and found.text.startswith("JAX_ENABLE_X64: ")


def test_a_table_with_rows_that_cannot_be_used(config, tmp_path):
    found = doctor.table(config)
    assert found.verdict == "ok" and found.text.endswith("79 rows, trivial 27, insulator 26, semimetal 26")
    folder = tmp_path / "folder"
    folder.mkdir()
    (folder / "id_prop.csv").write_text("a,trivial\nb,insulator\n")
    (folder / "a.vasp").write_text("x\n4\n1 0 0\n0 1 0\n0 0 1\nPo\n1\nDirect\n0 0 0\n")
    config.data.path = str(folder)
    found = doctor.table(config)
    assert found.verdict == "note" and "1 cannot be used, the first: b: " in found.text


def test_the_members_of_a_run(tiny):
    found = doctor.members(tiny / "run")
    assert found.verdict == "ok" and found.text.endswith("4 members can vote on trivial, insulator, semimetal")
