"""Calls of `main.py`, each a process of its own, forked from one that has imported everything: a start costs no import.

For what starts it, kills it and starts it again: `tests/faults` and `benchmarks/storm.py`. With `disk` the processes
have a small file system to themselves, which really is full when it is full.
"""

from __future__ import annotations

import json
import os
import resource
import runpy
import subprocess
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from importlib import import_module
from pathlib import Path
from types import TracebackType
from typing import IO, Self

ROOT = Path(__file__).parents[1]
# The compiler's own optimisation takes longer than small runs; that it is slow on a busy machine is no fault of theirs.
ENVIRONMENT: Mapping[str, str] = os.environ | {
    "XLA_FLAGS": "--xla_backend_optimization_level=0 --xla_llvm_disable_expensive_passes=true",
    "JAX_PLATFORMS": "cpu",
    "TF_CPP_MIN_LOG_LEVEL": "3",
}

PRELOADED = (
    "jaxboost.recipe", "jaxboost.scoring", "jaxboost.screening", "matplotlib.backends.backend_agg",
    "tensorboardX.event_file_writer", "tensorboardX.summary",
)  # fmt: skip


@dataclass(frozen=True)
class Call:
    """A call under way.

    Attributes:
      pid: of its process.
      log: what it prints, on both channels.
    """

    pid: int
    log: Path
    _answers: IO[str]

    def signal(self, number: int) -> None:
        """Sends a signal; it may have ended by then."""
        try:
            os.kill(self.pid, number)
        except ProcessLookupError:
            return

    def said(self) -> str:
        """What it has printed so far."""
        return self.log.read_text() if self.log.exists() else ""

    def wait(self) -> int:
        """Its exit status, of a signal the negative number; to be asked once."""
        return int(self._answers.readline())


class ForkedMain:
    """Where calls are forked from; one at a time.

    Args:
      disk: a folder, empty for those who do not belong here, on which the calls see a file system of their own.
      megabytes: its size.
    """

    def __init__(self, disk: Path | None = None, megabytes: int = 64) -> None:
        self._disk, self._megabytes = disk, megabytes

    def __enter__(self) -> Self:
        command = [sys.executable, "-m", "benchmarks.forked_main"]
        if self._disk is not None:
            mount = f'mount -t tmpfs -o size={self._megabytes}m tmpfs "$0" && exec "$@"'
            command = ["unshare", "--map-root-user", "--mount", "sh", "-c", mount, str(self._disk), *command]
        self._process = subprocess.Popen(
            command, cwd=ROOT, env=ENVIRONMENT, text=True, stdin=subprocess.PIPE, stdout=subprocess.PIPE
        )
        assert self._process.stdin is not None and self._process.stdout is not None
        self._requests, self._answers = self._process.stdin, self._process.stdout
        if self._answers.readline() != "ready\n":
            raise OSError("no process to fork calls from")
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._requests.close()
        self._process.wait()
        self._answers.close()

    def seen(self, path: Path) -> Path:
        """Where a path on the calls' own disk is seen from here."""
        return Path(f"/proc/{self._process.pid}/root{path}")

    def start(self, *arguments: str, log: Path, largest_file: int | None = None) -> Call:
        """Starts `main.py` with arguments; `largest_file` in bytes is a limit that the system enforces."""
        self._requests.write(json.dumps([list(arguments), str(log), largest_file]) + "\n")
        self._requests.flush()
        return Call(int(self._answers.readline()), log, self._answers)


def can_mount() -> bool:
    """Whether this user may make a file system of its own."""
    command = ["unshare", "--map-root-user", "--mount", "sh", "-c", "mount -t tmpfs -o size=1m tmpfs /tmp"]
    try:
        return subprocess.run(command, capture_output=True).returncode == 0
    except OSError:
        return False


def main() -> None:
    """Forks a call for each line on the standard input; prints its pid, then its exit status."""
    for name in PRELOADED:
        import_module(name)

    answers = os.fdopen(os.dup(1), "w")
    print("ready", file=answers, flush=True)
    for line in sys.stdin:
        arguments, log, largest_file = json.loads(line)
        pid = os.fork()
        if pid == 0:
            answers.close()
            _become(arguments, log, largest_file)
        print(pid, file=answers, flush=True)
        status = os.waitpid(pid, 0)[1]
        print(os.waitstatus_to_exitcode(status), file=answers, flush=True)


def _become(arguments: list[str], log: str, largest_file: int | None) -> None:
    file = os.open(log, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o644)
    for channel in (1, 2):
        os.dup2(file, channel)
    os.dup2(os.open(os.devnull, os.O_RDONLY), 0)
    if largest_file is not None:
        resource.setrlimit(resource.RLIMIT_FSIZE, (largest_file, resource.RLIM_INFINITY))
    sys.argv = ["main.py", *arguments]
    runpy.run_path(str(ROOT / "main.py"), run_name="__main__")
    sys.exit(0)


if __name__ == "__main__":
    main()
