"""The symmetry of a listed structure, found by moyo in a process of its own, since its search may be without end.

Where a cell is almost of a higher symmetry, the operations within the tolerance can generate an infinite group, and
moyo (0.21) lists all of it: one of 300 strained slabs did that at 0.1 Angstrom. Nothing inside a process stops a search
that does not come back to Python, so the system ends the process that searches, by its processor time.
"""

from __future__ import annotations

import atexit
import json
import os
import signal
import subprocess
import sys
import threading
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from jaxboost.crystal.checks import StructureError
from jaxboost.crystal.structure import Structure

_PROGRAM = Path(__file__).with_name("moyo_process.py")
_SECONDS = 1.5  # of processor time for a search among few atoms, which takes milliseconds,
_SECONDS_PER_PAIR = 5e-7  # and for each pair of atoms: of 8,000 it takes 6 s, and may take 33
_TRIES = 3  # at half the tolerance each time, as moyo does itself where it sees that a tolerance is too large


@dataclass(frozen=True, eq=False)
class Symmetry:
    """What is found, in moyo's default setting of the space group.

    Attributes:
      number: of the space group, 1 to 230.
      hall_number: of its setting.
      lattice: `[3, 3]`, Angstrom, of the symmetrised primitive cell; rows are the vectors.
      frac_coords: `[n, 3]` and
      atomic_numbers: `[n]` of its atoms.
      wyckoff_letters: `[n]` of its atoms.
    """

    number: int
    hall_number: int
    lattice: np.ndarray
    frac_coords: np.ndarray
    atomic_numbers: np.ndarray
    wyckoff_letters: np.ndarray


def find_symmetry(structure: Structure, symprec: float) -> Symmetry:
    """The space group and the symmetrised primitive cell of a structure that `checks.check_structure` accepts.

    Args:
      structure: as listed.
      symprec: Angstrom, how far an atom may lie from its symmetric place; a half or a quarter of that where a search
        has no end.

    Raises:
      StructureError: none is found, or not in time.
    """
    cell = [array.tolist() for array in (structure.lattice, structure.frac_coords, structure.atomic_numbers)]
    seconds = _SECONDS + _SECONDS_PER_PAIR * len(structure.atomic_numbers) ** 2
    for attempt in range(_TRIES):
        status, found = _process().ask({"cell": cell, "symprec": symprec / 2**attempt, "seconds": seconds})
        if found is not None or status != -signal.SIGPROF:
            break
    if found is None:
        ended = f"came to no end in {seconds:.1f} s" if status == -signal.SIGPROF else f"broke off (status {status})"
        raise StructureError(
            f"the search for symmetries at {symprec} Angstrom {ended}, which happens where a cell is almost of a "
            "higher symmetry: try another config.crystal.symprec"
        )
    if "error" in found:
        raise StructureError(
            f"no symmetry found at {symprec} Angstrom ({found['error']}): try another config.crystal.symprec"
        )
    letters = np.empty(len(found["atomic_numbers"]), dtype="<U1")
    letters[found["mapping"]] = found["wyckoffs"]
    return Symmetry(
        number=found["number"],
        hall_number=found["hall_number"],
        lattice=np.array(found["lattice"]),
        frac_coords=np.array(found["frac_coords"]),
        atomic_numbers=np.array(found["atomic_numbers"]),
        wyckoff_letters=letters,
    )


class _Process:
    """`moyo_process` as this process's own; started when it is first asked, and anew after it was ended."""

    def __init__(self) -> None:
        self.owner = os.getpid()
        self._lock = threading.Lock()
        self._running: subprocess.Popen[str] | None = None

    def ask(self, request: dict[str, Any]) -> tuple[int, dict[str, Any] | None]:
        """(0, the answer), or (exit status, None) where it ended over the request."""
        line = json.dumps(request) + "\n"
        with self._lock:
            if self._running is not None and self._running.poll() is not None:  # ended meanwhile by someone else
                self._end()
            running = self._running = self._running or subprocess.Popen(
                [sys.executable, "-P", str(_PROGRAM)], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
            )
            assert running.stdin is not None and running.stdout is not None
            try:
                running.stdin.write(line)
                running.stdin.flush()
                answer = running.stdout.readline()
            except BrokenPipeError:
                answer = ""
            except BaseException:  # Ctrl-C: the answer would be taken for that to the next request
                running.kill()
                self._end()
                raise
            if not answer.endswith("\n"):
                return self._end(), None
            return 0, json.loads(answer)

    def close(self) -> None:
        """Ends it, unless a fork of its owner asks."""
        if self._running is not None and self.owner == os.getpid():
            self._running.terminate()  # not by the end of its input: a fork may still hold that open
            self._end()

    def _end(self) -> int:
        """Waits for its end; its exit status."""
        running, self._running = self._running, None
        assert running is not None
        try:
            running.communicate()
        except BrokenPipeError:
            running.wait()
        return running.returncode


_of_this: _Process | None = None


def _process() -> _Process:
    """That of this process: one that was forked shares no pipe with the one it was forked from."""
    global _of_this
    if _of_this is None or _of_this.owner != os.getpid():
        _of_this = _Process()
        atexit.register(_of_this.close)
    return _of_this
