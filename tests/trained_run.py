"""The whole recipe on a table that the tests write, in processes of its own: one such run, trained once."""

import subprocess
import sys
from pathlib import Path

from benchmarks.forked_main import ENVIRONMENT, ROOT
from tests.crystals import LABELS, small_table

TINY = """
from configs import quick
from ml_collections import ConfigDict
from tests.tiny_run import shrink


def get_config():
    config = quick.get_config()
    config.name = "tiny"
    data = config.data
    data.path = {table!r}
    data.label_column = "kind"
    data.classes = {labels!r}
    data.rules = ConfigDict({{name: name for name in data.classes}})
    binary = {{name: "trivial" if name == "trivial" else "topological" for name in data.classes}}
    data.groupings = ConfigDict({{"binary": binary, "3-class": {{name: name for name in data.classes}}}})
    data.cache_dir = {cache!r}
    config.optimizer.batch = 8
    config.vote.batch = 16
    config.views.count = 2
    shrink(config)
    config.population.checkpoint_every = 1
    config.population.checkpoint_seconds = 0.0
    for kind in (config.kfold, config.ensemble, config.full):
        kind.epochs = 3
        kind.cycle_epochs = 2
    return config
"""


def write_config(folder: Path) -> Path:
    """`folder/tiny.py`: a config of the small table, which is written beside it, as is what is cached."""
    table = small_table(folder / "table.parquet")
    (folder / "tiny.py").write_text(TINY.format(table=str(table), labels=LABELS, cache=str(folder / "cache")))
    return folder / "tiny.py"


# What Python prints goes to a file of its own, and not where the libraries below it print.
APART = """
import runpy, sys
path, *arguments = sys.argv[1:]
sys.stdout, sys.argv = open(path, "w", buffering=1), ["main.py", *arguments]
runpy.run_path("main.py", run_name="__main__")
"""


def start(*arguments: str, spoken: Path | None = None, **environment: str) -> subprocess.Popen:
    """A call under way; with `spoken` the program's own standard output is that file."""
    program = ["-c", APART, str(spoken)] if spoken else [str(ROOT / "main.py")]
    command = [sys.executable, *program, *map(str, arguments)]
    return subprocess.Popen(
        command, cwd=ROOT, env=ENVIRONMENT | environment, text=True, stdout=subprocess.PIPE, stderr=subprocess.PIPE
    )


def call(*arguments: str) -> str:
    """Standard output of a call that succeeds and says nothing on standard error."""
    process = start(*arguments)
    out, err = process.communicate()
    assert (process.returncode, err) == (0, ""), out + err
    # A path is one word, however long.
    assert all(len(line) <= 80 or "/" in line.split()[-1] for line in out.splitlines()), out
    return out
