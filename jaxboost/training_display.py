"""What a person sees while members train: a bar with the time left on a terminal, a line an epoch elsewhere."""

from __future__ import annotations

import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

import numpy as np

from jaxboost.console import bar, duration, say
from jaxboost.training.loop import Progress


@contextmanager
def training_display(epochs: int) -> Iterator[Callable[[Progress], None]]:
    """Yields what is told of every call of the training program.

    Args:
      epochs: the most that a member has.
    """
    so_far = _SoFar(epochs)
    # Nothing is reported before the first call, and compiling comes before that.
    with bar("compiling", None) as move:

        def show(progress: Progress) -> None:
            so_far.add(progress)
            move(so_far.done, total=so_far.total, title=so_far.state())
            if progress.rows and not sys.stderr.isatty():
                say(so_far.line())

        yield show


class _SoFar:
    """What was reported since the start of the program.

    Attributes:
      done: member steps; total: as far as is known, since members that stop early leave theirs.
    """

    def __init__(self, epochs: int) -> None:
        self.done, self.total = 0, 0
        self._epochs, self._epoch, self._members = epochs, 0, 0
        self._now: float | None = None
        self._best: float | None = None
        self._began, self._seconds = time.perf_counter(), 0.0

    def add(self, progress: Progress) -> None:
        self.total = self.done + progress.total
        self.done += progress.steps
        self._seconds += progress.seconds
        if progress.rows:
            self._epoch, self._members = max(row["epoch"] for row in progress.rows), len(progress.rows)
            found = [row["validation_accuracy"] for row in progress.rows if row["validation_accuracy"] is not None]
            self._now = float(np.mean(found)) if found else None
            self._best = max([*found, *([] if self._best is None else [self._best])], default=None)

    def state(self) -> str:
        """At most 45 columns."""
        return f"{self._where()}{self._best_said()}" if self._members else "first epoch"

    def line(self) -> str:
        """At most 80 columns: mean and best validation accuracy of a member, the time left if no member stops early."""
        more = self.total - self.done
        left = f"; < {duration(more * self._seconds / max(self.done, 1))} left" if more > 0 else ""
        accuracy = f", accuracy {self._now:.4f}" if self._now is not None else ""
        elapsed = duration(time.perf_counter() - self._began)
        return f"{elapsed:>7}  {self._where()}{accuracy}{self._best_said()}{left}"

    def _where(self) -> str:
        return f"epoch {self._epoch}/{self._epochs}, {self._members} member{'s' * (self._members != 1)}"

    def _best_said(self) -> str:
        return f", best {self._best:.4f}" if self._best is not None else ""
