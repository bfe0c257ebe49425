"""Several processes of one run: all hold the same table and train as one; the first alone keeps the run's folder."""

from __future__ import annotations

import contextlib
import os
import signal
import sys
import tempfile
import traceback
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import jax
import numpy as np
from jax.experimental import multihost_utils

from jaxboost.errors import InputError
from jaxboost.run_folder import StopFlag

ADDRESS, COUNT, NUMBER = "JAX_COORDINATOR_ADDRESS", "JAX_NUM_PROCESSES", "JAX_PROCESS_ID"
_DAY = 86_400  # s that processes wait for the first one at the end, which scores alone


def join(distributed: bool) -> None:
    """Finds the other processes of the run, if there are any; to be called before anything asks for a device.

    There are if `distributed` is said or the environment names a coordinator. How many they are and which one this is
    JAX finds out on Cloud TPU, Slurm and Open MPI; elsewhere the environment says that too.

    Raises:
      InputError: the environment names a number that is none, or no run can be joined.
    """
    if not distributed and ADDRESS not in os.environ:
        return
    numbers = {}
    for name in (COUNT, NUMBER):
        text = os.environ.get(name)
        if text is not None and not text.isdecimal():
            raise InputError(f"{name}={text}: give a whole number, as {COUNT}=2 {NUMBER}=0")
        numbers[name] = None if text is None else int(text)
    try:
        jax.distributed.initialize(
            num_processes=numbers[COUNT], process_id=numbers[NUMBER], shutdown_timeout_seconds=_DAY
        )
    except (ValueError, RuntimeError) as error:
        raise InputError(
            f"the other processes of the run are not found ({str(error).splitlines()[0]}): give each process "
            f"{ADDRESS}=HOST:PORT of the first, {COUNT} and its own {NUMBER}, from 0 on (docs/tpu_vm.md)"
        ) from error


def several() -> bool:
    """Whether this process is one of several."""
    return jax.process_count() > 1


def is_first() -> bool:
    """Whether this is the process that keeps the run's folder, or the only one."""
    return jax.process_index() == 0


def from_first(tree: Any) -> Any:
    """The first process's numbers and arrays on every process; all call it with the same shapes and types."""
    if not several():
        return tree
    # JAX sends 64 bits as 32.
    same = lambda own, sent: np.asarray(sent).astype(np.asarray(own).dtype)  # noqa: E731
    return jax.tree.map(same, tree, multihost_utils.broadcast_one_to_all(tree))


def agree(digest: str, what: str) -> None:
    """Returns where every process has the same `digest`, hexadecimal. Raises `InputError` that names `what` if not."""
    if several():
        own = np.frombuffer(bytes.fromhex(digest), np.uint8)
        everywhere = np.asarray(multihost_utils.process_allgather(own))
        if others := np.flatnonzero((everywhere != everywhere[0]).any(1)).tolist():
            raise InputError(f"{what} of the processes {others} is not that of process 0: give all of them the same")


@contextlib.contextmanager
def own_folder(workdir: Path) -> Iterator[Path]:
    """The run's folder on the first process. The others get an empty one that goes with them, and say nothing."""
    if is_first():
        yield workdir
        return
    with (
        tempfile.TemporaryDirectory() as folder,
        open(os.devnull, "w") as nowhere,
        contextlib.redirect_stdout(nowhere),
    ):
        yield Path(folder)


def stop_flag() -> StopFlag:
    """Signals to stop by. JAX alone hears them where there are several processes (`stop_between_steps`)."""
    return StopFlag(()) if several() else StopFlag()


def stop_between_steps(stop: StopFlag) -> Callable[[], bool]:
    """Whether to stop, to be asked by every process after the same steps: all of them hear the same answer.

    SIGTERM to any one of several processes stops them all, a second or two later.
    """
    asked = 0

    def should_stop() -> bool:
        nonlocal asked
        asked += 1
        if several() and multihost_utils.reached_preemption_sync_point(asked):
            stop.notice(signal.SIGTERM)
        return stop.is_set

    return should_stop


def leave(error: BaseException) -> None:
    """Ends one of several processes that met an error, after saying it; does nothing in the only one.

    At a regular exit it would wait for the others, which wait for it; so they are told at once that it is gone.
    """
    if not several():
        return
    if isinstance(error, InputError):
        print(f"error: {error}", file=sys.stderr)
    else:
        traceback.print_exception(error)
    sys.stdout.flush()
    sys.stderr.flush()
    os._exit(2 if isinstance(error, InputError) else 1)
