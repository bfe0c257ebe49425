"""What a person sees while a run works: plain lines, and a bar where there is a terminal."""

from __future__ import annotations

import sys
import textwrap
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from typing import Protocol

from rich.console import Console
from rich.progress import (
    BarColumn,
    MofNCompleteColumn,
    Progress,
    ProgressColumn,
    Task,
    TextColumn,
    TimeElapsedColumn,
    TimeRemainingColumn,
)
from rich.text import Text

COLUMNS = 80
_SILENT: ContextVar[bool] = ContextVar("silent", default=False)


@contextmanager
def silence(wanted: bool = True) -> Iterator[None]:
    """While entered, and `wanted`, `say` and `bar` show nothing: a library is to be quiet unless it is asked."""
    token = _SILENT.set(wanted or _SILENT.get())
    try:
        yield
    finally:
        _SILENT.reset(token)


def wrapped(text: str) -> str:
    """`text` with its lines broken at 80 columns; a path or another long word stays whole."""
    lines = []
    for line in text.splitlines():
        indent = line[: len(line) - len(line.lstrip())]
        broken = textwrap.wrap(
            line, COLUMNS, subsequent_indent=indent + "  ", break_long_words=False, break_on_hyphens=False
        )
        lines += [line] if len(line) <= COLUMNS else broken
    return "\n".join(lines)


def say(text: str) -> None:
    """Prints at once, also when piped, in lines of at most 80 columns."""
    if not _SILENT.get():
        print(wrapped(text), flush=True)


def duration(seconds: float) -> str:
    """`95 s`, `12 min`, `3.4 h`, `2.1 days`."""
    if seconds < 120:
        return f"{seconds:.0f} s"
    if seconds < 7200:
        return f"{seconds / 60:.0f} min"
    if seconds < 48 * 3600:
        return f"{seconds / 3600:.1f} h"
    return f"{seconds / 86400:.1f} days"


class Bar(Protocol):
    """What moves a bar: `done` of `total`, and a title, where they are another than before."""

    def __call__(self, done: int, *, total: int | None = None, title: str | None = None) -> None: ...


@contextmanager
def bar(title: str, total: int | None) -> Iterator[Bar]:
    """A progress bar with the time left on a terminal, silence elsewhere; yields what moves it.

    Without a total, until one is told, it only shows that something happens and since when.
    """
    if _SILENT.get() or not sys.stderr.isatty():
        yield _still
        return
    columns = (TextColumn("{task.description}"), BarColumn(12), _CountColumn(), _TimeColumn())
    # What is printed meanwhile goes where it always goes: not onto the bar's terminal if that is a file.
    piped = not sys.stdout.isatty()
    with Progress(*columns, console=Console(stderr=True), transient=True, redirect_stdout=not piped) as progress:
        task = progress.add_task(title, total=total)

        def move(done: int, *, total: int | None = None, title: str | None = None) -> None:
            progress.update(task, completed=done, total=total, description=title)

        yield move


class _CountColumn(ProgressColumn):
    """How much of how much is done, where somebody knows."""

    def render(self, task: Task) -> Text:
        return Text() if task.total is None else MofNCompleteColumn().render(task)


class _TimeColumn(ProgressColumn):
    """The time left, or where nobody knows how much there is to do, the time since the start."""

    def render(self, task: Task) -> Text:
        column = TimeElapsedColumn() if task.total is None else TimeRemainingColumn()
        return column.render(task)


def _still(done: int, *, total: int | None = None, title: str | None = None) -> None:
    pass


class Stopwatch:
    """Seconds by name, for `metrics.json`; `clock` is of the wall or, as `time.process_time`, of the processor."""

    def __init__(self, clock: Callable[[], float] = time.perf_counter) -> None:
        self.seconds: dict[str, float] = {}
        self._clock = clock
        self._began = clock()

    @contextmanager
    def measure(self, name: str) -> Iterator[None]:
        """Adds the time of the block to `name`."""
        began = self._clock()
        try:
            yield
        finally:
            self.seconds[name] = self.seconds.get(name, 0.0) + self._clock() - began

    def total(self) -> float:
        """Seconds since the watch was made."""
        return self._clock() - self._began
