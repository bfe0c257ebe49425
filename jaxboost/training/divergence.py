"""Where a member met a gradient that is not finite."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

_LISTED = 64  # rows of a batch that a message names


@dataclass(frozen=True)
class Divergence:
    """The first step of a member whose gradient was not finite.

    Attributes:
      member: its name.
      epoch, step: counted from 1, the step within the epoch.
      rows: names of the crystals in that batch.
    """

    member: str
    epoch: int
    step: int
    rows: Sequence[str]

    def __str__(self) -> str:
        more = f" and {len(self.rows) - _LISTED} more" if len(self.rows) > _LISTED else ""
        return f"step {self.step} of epoch {self.epoch}, on the rows {', '.join(self.rows[:_LISTED])}{more}"


def divergences(
    names: list[str],
    epochs: np.ndarray,
    plan: np.ndarray,
    diverged: Sequence[np.ndarray],
    ids: np.ndarray | None,
) -> dict[str, Divergence]:
    """By name, the members whose gradient was not finite for the first time in an epoch.

    Args:
      names: of the members.
      epochs: [member] done before it.
      plan: [member, step, b] rows of its batches.
      diverged: of each call of the program, [member] the step of that call at which it happened, -1 where it did not;
        all calls have as many steps.
      ids: [n] names of the rows; None: their numbers.
    """
    per_call = plan.shape[1] // len(diverged)
    found: dict[str, Divergence] = {}
    for number, steps in enumerate(diverged):
        for place in np.flatnonzero(steps >= 0).tolist():
            if names[place] not in found:
                step = number * per_call + int(steps[place])
                rows = plan[place, step]
                listed = tuple(map(str, rows if ids is None else ids[rows]))
                found[names[place]] = Divergence(names[place], int(epochs[place]) + 1, step + 1, listed)
    return found
