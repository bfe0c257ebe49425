"""Every command of these pages: run on a small run, or, where a block is marked `flags`, its flags checked alone."""

import csv
import os
import re
import shlex
import subprocess
import sys
from pathlib import Path

import matplotlib.image
import pytest

from tests.crystals import prototype, write_cif

ROOT = Path(__file__).parents[1]
PAGES = ("tutorial", "modalities", "recipe")
ENVIRONMENT = os.environ | {"JAX_PLATFORMS": "cpu"}


def commands(page: str) -> list[tuple[str, bool]]:
    """(command, whether it is run) of each line of the page's blocks of shell."""
    text = (ROOT / "docs" / f"{page}.md").read_text(encoding="utf-8")
    blocks = re.findall(r"^```sh(| flags)\n(.*?)^```", text, re.MULTILINE | re.DOTALL)
    assert text.count("```") == 2 * len(blocks), f"{page}: a block of another language, or with another mark"
    return [(line, not mark) for mark, block in blocks for line in block.splitlines()]


COMMANDS = [(page, *command) for page in PAGES for command in commands(page)]


@pytest.fixture(scope="module")
def folder(tiny, tmp_path_factory) -> Path:
    """What a reader of the pages has: the program, a run, and structures."""
    place = tmp_path_factory.mktemp("reader")
    for name in ("main.py", "configs", "benchmarks", "jaxboost"):
        (place / name).symlink_to(ROOT / name)
    (place / "runs").mkdir()
    (place / "runs" / "quick").symlink_to(tiny / "run")
    (place / "structures").mkdir()
    write_cif(place / "structures" / "a.cif", prototype("rocksalt", (11, 17), 5.6), ["Na", "Cl"])
    (place / "structures" / "b.cif").write_text("data_x\n_cell_length_a 4.0\n")
    return place


def words(command: str) -> list[str]:
    program, *arguments = shlex.split(command)
    assert program == ".venv/bin/python", command
    return [sys.executable, *arguments]


@pytest.mark.parametrize("page,command", [(page, command) for page, command, is_run in COMMANDS if is_run])
def test_a_command_runs(folder, page, command):
    done = subprocess.run(words(command), cwd=folder, env=ENVIRONMENT, capture_output=True, text=True)
    assert done.returncode == 0, done.stdout + done.stderr
    if "--help" in command:
        assert "--config" in done.stdout and "--workdir" in done.stdout
    if output := re.search(r"--output=(\S+)", command):
        path = folder / output[1]
        if path.suffix == ".png":
            assert min(matplotlib.image.imread(path).shape[:2]) > 300
        else:
            with path.open(newline="") as file:
                told = list(csv.DictReader(file))
            assert [row["status"] for row in told] == ["ok", "rejected"]
            page = (ROOT / "docs" / "tutorial.md").read_text(encoding="utf-8")
            for column in told[0]:
                named = re.sub(r"^(p|weight)_.*", lambda match: f"{match[1]}_<", column)
                assert f"`{named}" in page, f"the tutorial does not explain the column {column}"


@pytest.mark.parametrize("page,command", [(page, command) for page, command, is_run in COMMANDS if not is_run])
def test_the_flags_of_a_command_are_right(folder, page, command):
    said = subprocess.run(
        [*words(command), "--only_check_args"], cwd=folder, env=ENVIRONMENT, capture_output=True, text=True
    )
    assert (said.returncode, said.stderr) == (0, "")


def test_a_wrong_flag_would_be_seen(folder):
    command = [sys.executable, "main.py", "--config=configs/quick.py", "--config.kfold.fold=3", "--only_check_args"]
    said = subprocess.run(command, cwd=folder, env=ENVIRONMENT, capture_output=True, text=True)
    assert said.returncode == 2 and "kfold.fold" in said.stderr


def test_what_the_pages_name_is_there():
    for page in PAGES:
        text = (ROOT / "docs" / f"{page}.md").read_text(encoding="utf-8")
        for path in re.findall(r"`((?:jaxboost|tests|configs|docs)/[\w/.]+)`", text):
            assert (ROOT / path).exists(), f"{page}: {path}"
        for path in re.findall(r"\]\(([\w.]+)\)", text):
            assert (ROOT / "docs" / path).exists(), f"{page}: {path}"
