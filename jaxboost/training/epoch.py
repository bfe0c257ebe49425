"""One epoch on the devices: call after call of the program, and nothing between host and devices meanwhile."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import jax

from jaxboost.training.member_state import MemberState
from jaxboost.training.population import CallLog


def train_epoch(
    program: Callable[..., tuple[MemberState, CallLog]],
    state: MemberState,
    own: Sequence[Any],
    batches: Sequence[jax.Array],
    plans: Sequence[jax.Array],
    offsets: Sequence[jax.Array],
    resident: Sequence[Any],
    *,
    ended: Callable[[int], None],
    should_stop: Callable[[], bool],
) -> tuple[MemberState, list[CallLog]] | None:
    """The state after an epoch and the log of each call, still on the devices; None where it was stopped.

    A call is handed over before the one ahead of it has ended, so devices wait for the host at the ends of epochs only.

    Args:
      program: compiled, of `population_program`.
      own: hyperparameters, normalizers and what teachers say; plans: of validation and memory; resident: materials and
        tables.
      batches, offsets: of each call, on the devices.
      ended: is told the number of each call that has ended, but of the last.
      should_stop: asked before each call is handed over.
    """
    logs: list[CallLog] = []
    for rows, offset in zip(batches, offsets, strict=True):
        if should_stop():
            return None
        state, log = program(state, *own, rows, *plans, offset, *resident)
        logs.append(log)
        if len(logs) > 1:
            jax.block_until_ready(logs[-2])
            ended(len(logs) - 2)
    return state, logs
