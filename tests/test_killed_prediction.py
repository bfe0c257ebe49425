"""A prediction in a process of its own that is killed without warning goes on to the bytes of one that was not."""

import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from tests.crystals import prototype, write_cif

ROOT = Path(__file__).parents[1]


@pytest.fixture(scope="module")
def inputs(tiny, tmp_path_factory):
    """A table of 79 rows and a folder of two files, of which one is none: 41 chunks of at most two."""
    folder = tmp_path_factory.mktemp("files")
    (folder / "a.cif").write_text("nothing")
    write_cif(folder / "b.cif", prototype("rocksalt", (11, 17), 5.6), ["Na", "Cl"])
    return f"{tiny / 'table.parquet'},{folder}"


def start(run: Path, inputs: str, output: Path) -> subprocess.Popen:
    command = [
        sys.executable, str(ROOT / "main.py"), "--mode=predict", f"--workdir={run}", "--chunk=2",
        f"--inputs={inputs}", f"--output={output}",
    ]  # fmt: skip
    return subprocess.Popen(command, cwd=ROOT, text=True, stdout=subprocess.PIPE, stderr=subprocess.PIPE)


def finish(process: subprocess.Popen) -> str:
    out, err = process.communicate()
    assert (process.returncode, err) == (0, ""), out + err
    return out


@pytest.mark.parametrize("suffix", [".csv", ".parquet"])
def test_what_was_killed_ends_with_the_same_bytes(tiny, inputs, tmp_path, suffix):
    whole, killed = tmp_path / f"whole{suffix}", tmp_path / f"killed{suffix}"
    finish(start(tiny / "run", inputs, whole))
    parts = tmp_path / f"killed{suffix}.parts"
    process = start(tiny / "run", inputs, killed)
    while process.poll() is None and not list(parts.glob("*.parquet")):
        time.sleep(0.005)
    process.send_signal(signal.SIGKILL)
    process.communicate()
    assert process.returncode == -signal.SIGKILL
    done = len(list(parts.glob("*.parquet")))
    assert 0 < done < 41 and not killed.exists()
    out = finish(start(tiny / "run", inputs, killed))
    assert f"{done} of 41 chunks are done already" in out and "81 inputs, 2 rejected" in out
    assert killed.read_bytes() == whole.read_bytes()
    assert sorted(path.name for path in tmp_path.iterdir()) == sorted([killed.name, whole.name])
