"""The folder of a run: one writer at a time, files that are whole or absent, a log that survives a kill."""

import csv
import errno
import fcntl
import io
import json
import logging
import math
import os
import signal
import socket
import threading
import time
import uuid
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from types import FrameType, TracebackType
from typing import Any, Self

from jaxboost.errors import InputError

logger = logging.getLogger(__name__)

LOCK = ".lock"


_NO_ROOM = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG)
_NO_PERMISSION = (errno.EROFS, errno.EACCES, errno.EPERM)


def explained(error: OSError) -> InputError | None:
    """What a person can do about a write that the system refused; None for any other fault.

    Files are written whole or not at all, so the same command goes on once there is room.
    """
    where = f"{error.filename}: " if error.filename else ""
    if error.errno in _NO_ROOM:
        return InputError(
            f"{where}{error.strerror}; what was written before is whole: make room and start the same command again"
        )
    if error.errno in _NO_PERMISSION:
        return InputError(f"{where}{error.strerror}; give a folder that can be written")
    return None


class RunLock:
    """Holds `workdir/.lock` so that no second run writes there; the folder is made where it is missing.

    The lock is the kernel's (`flock`): it goes with the process however that ends, so a `.lock` file left by
    a killed run hinders nobody. Its text (pid, host, start time) only serves the message to the second run, as does
    `flag`, which names the folder on the command line.

    Raises (on entering):
        InputError: another run holds it, or the folder cannot be made or written.
    """

    def __init__(self, workdir: Path, flag: str = "--workdir") -> None:
        self._path = Path(workdir) / LOCK
        self._flag = flag
        self._descriptor: int | None = None

    def __enter__(self) -> Self:
        try:
            self._path.parent.mkdir(parents=True, exist_ok=True)
            descriptor = os.open(self._path, os.O_RDWR | os.O_CREAT, 0o644)
        except OSError as error:
            raise InputError(
                f"{self._path.parent} cannot be the folder of a run ({error}); choose another {self._flag}"
            ) from error
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as error:
            holder = os.pread(descriptor, 1000, 0).decode(errors="replace").strip() or "a process that just started"
            os.close(descriptor)
            raise InputError(
                f"{self._path.parent} is in use by another run ({holder}); "
                f"wait for it, stop it, or choose another {self._flag}"
            ) from error
        os.ftruncate(descriptor, 0)
        started = time.strftime("%Y-%m-%d %H:%M:%S %z")
        os.pwrite(descriptor, f"pid {os.getpid()} on {socket.gethostname()} since {started}\n".encode(), 0)
        self._descriptor = descriptor
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        # The file stays: were it removed, a third run could lock a new file while a second holds the old one.
        if self._descriptor is not None:
            os.close(self._descriptor)
            self._descriptor = None


class StopFlag:
    """While entered, `signals` set a flag instead of ending the process: the run can save first.

    A SIGINT that arrives when the flag is set already raises KeyboardInterrupt. Outside the main thread,
    where Python takes no signals, it does nothing.
    """

    def __init__(self, signals: Sequence[int] = (signal.SIGTERM, signal.SIGINT)) -> None:
        self._signals = signals
        self._signal: int | None = None
        self._before: dict[int, Any] = {}

    @property
    def is_set(self) -> bool:
        """Whether a signal has come."""
        return self._signal is not None

    @property
    def exit_status(self) -> int:
        """What a shell expects of a process so ended: 143 by SIGTERM, 130 by SIGINT, 0 without a signal."""
        return 0 if self._signal is None else 128 + self._signal

    def notice(self, number: int) -> None:
        """Sets the flag as if the signal had come here: another process had it."""
        self._signal = int(number)

    def __enter__(self) -> Self:
        if threading.current_thread() is threading.main_thread():
            for number in self._signals:
                self._before[number] = signal.signal(number, self._on_signal)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        for number, handler in self._before.items():
            # None: a handler that was not set from Python, which cannot be put back.
            signal.signal(number, signal.SIG_DFL if handler is None else handler)
        self._before = {}

    def _on_signal(self, number: int, frame: FrameType | None) -> None:
        if self._signal is None:
            self._signal = int(number)
        elif number == signal.SIGINT:
            raise KeyboardInterrupt


def write_text(path: Path, text: str) -> None:
    """Write a file so that a kill or a power cut leaves the old file or the new one whole.

    Raises:
        OSError: no space, no permission; the old file is untouched.
    """
    write_bytes(path, text.encode())


def write_bytes(path: Path, data: bytes) -> None:
    """Write a file as `write_text` does.

    Raises:
        OSError: no space, no permission; the old file is untouched.
    """
    path = Path(path)
    path.parent.mkdir(parents=True, exist_ok=True)
    temporary = path.with_name(f".{path.name}.{os.getpid()}.tmp")
    try:
        with open(temporary, "wb") as file:
            file.write(data)
            file.flush()
            os.fsync(file.fileno())
        os.replace(temporary, path)
    finally:
        temporary.unlink(missing_ok=True)
    sync_folder(path.parent)


def sync_folder(folder: Path) -> None:
    """Make the names in a folder durable: a rename is on disk only after this."""
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def write_json(path: Path, obj: Any) -> None:
    """Write `obj` as indented JSON, atomically.

    NaN and infinities become null, numpy scalars and arrays numbers and lists, paths strings.
    """
    write_text(path, json.dumps(_plain(obj), indent=1, allow_nan=False) + "\n")


def read_json(path: Path) -> Any:
    """What `write_json` wrote.

    Raises:
        InputError: the file is missing or is not JSON.
    """
    try:
        return json.loads(Path(path).read_text(encoding="utf-8"))
    except FileNotFoundError as error:
        raise InputError(f"{path} does not exist; is this the folder of a run?") from error
    except ValueError as error:
        raise InputError(
            f"{path} is not readable as JSON ({error}); restore the file or run again in a new folder"
        ) from error


def append_log(path: Path, rows: Iterable[Mapping[str, Any]]) -> None:
    """Append one JSON object a line. A half-written last line that a kill left behind is cut off first."""
    lines = "".join(json.dumps(_plain(row), allow_nan=False) + "\n" for row in rows)
    path = Path(path)
    path.parent.mkdir(parents=True, exist_ok=True)
    with open(path, "a+b") as file:
        if file.tell() > 0:
            file.seek(-1, os.SEEK_END)
            if file.read(1) != b"\n":
                file.seek(0)
                file.truncate(file.read().rfind(b"\n") + 1)
        file.write(lines.encode())
        file.flush()


def read_log(path: Path) -> list[dict[str, Any]]:
    """The rows of a log, none where there is no file. A half-written last line is dropped with a warning.

    Raises:
        InputError: another line is not a JSON object.
    """
    path = Path(path)
    if not path.exists():
        return []
    *lines, tail = path.read_bytes().split(b"\n")
    if tail:
        logger.warning("%s: the last line is half-written and is left out", path)
    rows = []
    for number, line in enumerate(lines, start=1):
        try:
            row = json.loads(line)
        except ValueError as error:
            raise InputError(f"{path}, line {number}: not readable as JSON ({error}); remove the line") from error
        if not isinstance(row, dict):
            raise InputError(f"{path}, line {number}: not a JSON object; remove the line")
        rows.append(row)
    return rows


def write_csv(path: Path, columns: Mapping[str, Sequence[Any]]) -> None:
    """Write named columns of one length as CSV (RFC 4180 quoting, a header, LF line ends), atomically.

    Raises:
        ValueError: the columns differ in length.
    """
    lengths = {name: len(column) for name, column in columns.items()}
    if len(set(lengths.values())) > 1:
        raise ValueError(f"the columns of {path} differ in length: {lengths}")
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(columns)
    writer.writerows(zip(*columns.values(), strict=True))
    write_text(path, text.getvalue())


class TensorBoardLog:
    """Scalars for TensorBoard in `workdir/tensorboard/`; a member is a run there: members share a plot."""

    def __init__(self, workdir: Path) -> None:
        self._folder = Path(workdir) / "tensorboard"
        self._writers: dict[str, Any] = {}

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        for writer in self._writers.values():
            writer.close()
        self._writers = {}

    def add(self, member: str, step: int, scalars: Mapping[str, float]) -> None:
        """Write scalars of one member at one step (or epoch); those that are not finite are left out.

        They are on disk on return. tensorboardX's own `SummaryWriter` writes from a thread, which a full disk ends, and
        the caller then waits for it for ever.

        Raises:
            OSError: no space, no permission.
        """
        # Here, because it loads protobuf and few calls need it.
        from tensorboardX.event_file_writer import EventsWriter
        from tensorboardX.proto.event_pb2 import Event
        from tensorboardX.summary import scalar

        if member not in self._writers:
            (self._folder / member).mkdir(parents=True, exist_ok=True)
            # A name that no earlier start has, also where the clock was set back.
            suffix = f".{os.getpid()}.{uuid.uuid4().hex[:8]}"
            self._writers[member] = EventsWriter(str(self._folder / member / "events"), suffix)
        writer = self._writers[member]
        for name, value in scalars.items():
            if math.isfinite(value):
                writer.write_event(Event(wall_time=time.time(), step=step, summary=scalar(name, float(value))))
        writer.flush()


def _plain(obj: Any) -> Any:
    """`obj` in the types of JSON."""
    if hasattr(obj, "tolist"):  # numpy and JAX scalars and arrays
        obj = obj.tolist()
    if isinstance(obj, float) and not math.isfinite(obj):
        return None
    if isinstance(obj, Mapping):
        return {key: _plain(value) for key, value in obj.items()}
    if isinstance(obj, list | tuple):
        return [_plain(value) for value in obj]
    return str(obj) if isinstance(obj, Path) else obj
