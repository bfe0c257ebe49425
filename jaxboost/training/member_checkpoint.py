"""The checkpoint of one member: what is kept while it trains and when it is done, and of what it must be."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import numpy as np

from jaxboost.errors import InputError
from jaxboost.training.checkpoints import has_checkpoint, restore_checkpoint, save_checkpoint
from jaxboost.training.divergence import Divergence
from jaxboost.training.joined_weights import all_joined, all_named
from jaxboost.training.member import Member
from jaxboost.training.member_state import MemberState


def save_member(
    folder: Path,
    state: MemberState,
    member: Member,
    labels: np.ndarray,
    identity: dict[str, Any],
    *,
    finished: bool,
    divergence: Divergence | None = None,
) -> None:
    """A finished member keeps its best weights and memory; one that goes on keeps everything it needs for that.

    Args:
      folder: its own.
      state: on the host.
      member: whose state it is.
      labels: [n] of the table.
      identity: what a checkpoint must agree with to be used, JSON.
      finished: it trains no further.
      divergence: where a gradient of it was not finite, if one was.
    """
    label = labels[member.train]
    memory = {"embedding": state.best_memory[member.train], "label": label, "there": np.ones(len(label), bool)}
    weights = {"params": state.best_params.named(), "memory": memory} if finished else {"state": all_named(state)}
    fitted = {
        "identity": identity,
        "finished": finished,
        "failed": bool(state.failed),
        "diverged": None if divergence is None else str(divergence),
        "epoch": int(state.epoch),
        "best_epoch": int(state.best_epoch),
        "best_accuracy": float(state.best_accuracy),
        "modalities": np.asarray(member.hyperparameters.modalities).tolist(),
    }
    save_checkpoint(folder, int(state.epoch), {**weights, "normalizer": member.normalizer}, fitted)


def restored_state(folder: Path, state: MemberState, member: Member) -> MemberState:
    """The state that a member goes on from: that of its checkpoint, or `state` where it has none."""
    if not has_checkpoint(folder):
        return state
    template = {"state": all_named(state), "normalizer": member.normalizer}
    return all_joined(restore_checkpoint(folder, template).tree["state"], state)


def is_finished(folder: Path, identity: dict[str, Any]) -> bool:
    """Whether the member's training is over. Refuses a checkpoint of another network, featurizer or class order."""
    if not has_checkpoint(folder):
        return False
    fitted = restore_checkpoint(folder).fitted
    check_identity(folder, fitted["identity"], identity)
    return fitted["finished"]


def check_identity(folder: Path, found: dict[str, Any], wanted: dict[str, Any]) -> None:
    """Raises `InputError` with the fields in which a checkpoint differs from what is asked of it."""
    there, here = dict(_fields(found)), dict(_fields(wanted))
    differences = [
        f"  {field}: {there.get(field, 'absent')} there, {here.get(field, 'absent')} wanted"
        for field in sorted(there.keys() | here.keys())
        if there.get(field, _ABSENT) != here.get(field, _ABSENT)
    ]
    if differences:
        lines = "\n".join(differences)
        raise InputError(
            f"{folder} was made for something else:\n{lines}\nchoose another --workdir, or undo the change"
        )


_ABSENT = object()  # None is a value


def _fields(tree: Mapping[str, Any], prefix: str = "") -> Iterator[tuple[str, Any]]:
    """A field a line: of a whole section a person would have to find the difference."""
    for name, value in tree.items():
        if isinstance(value, Mapping):
            yield from _fields(value, f"{prefix}{name}.")
        else:
            yield f"{prefix}{name}", value
