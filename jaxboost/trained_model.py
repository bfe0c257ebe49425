"""A trained recipe away from the run that made it: in memory, and in a folder that `--mode=predict` reads."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ml_collections import ConfigDict

from jaxboost import settings as of
from jaxboost.data.isopointal import Reference
from jaxboost.errors import InputError
from jaxboost.finished_run import (
    Restored,
    RunVote,
    config_of,
    reference_of,
    restore_members,
    vote_of,
    write_vote,
)
from jaxboost.run_folder import RunLock, read_json, write_json
from jaxboost.training.checkpoints import save_checkpoint

LABELS = "labels.json"


@dataclass(frozen=True)
class TrainedModel:
    """All that a prediction reads, in arrays and text: it can be copied and sent to another process.

    Attributes:
      config: of the run, JSON.
      restored: the members; vote: how they do; reference: the crystals that relatives are looked up in.
    """

    config: str
    restored: Restored
    vote: RunVote
    reference: Reference


def read_model(folder: Path) -> tuple[TrainedModel, list[Any]]:
    """The model in the folder of a finished run or of `write_model`, and a label for each of its classes.

    Raises:
      InputError: nothing is there, it is not finished, or a member that votes is missing or damaged.
    """
    config, vote = config_of(folder), vote_of(folder)
    # A member that failed while it trained has no place in the folder and no vote.
    restored = restore_members(config, folder, vote.classes, allow_partial=True)
    missing = set(vote.ballot.voters[vote.ballot.best]) - set(restored.found)
    if missing:
        reasons = "\n".join(restored.notes)
        raise InputError(f"{folder}: {', '.join(sorted(missing))} should vote and cannot be restored:\n{reasons}")
    stored = folder / LABELS
    labels = read_json(stored) if stored.exists() else list(vote.classes)
    return TrainedModel(config.to_json(), restored, vote, reference_of(folder)), labels


def write_model(folder: Path, model: TrainedModel, labels: Sequence[Any]) -> None:
    """Writes what `read_model` reads: Orbax checkpoints, arrays and JSON.

    Raises:
      InputError: a run is there already, or the folder cannot be written.
    """
    with RunLock(folder, "folder"):
        if (folder / "config.json").exists():
            raise InputError(f"{folder} holds a run already; choose another folder")
        for member in model.restored.members:
            tree = {"params": member.params, "normalizer": member.normalizer, "memory": member.memory}
            found = dict(model.restored.found[member.name])
            save_checkpoint(folder / "members" / member.name, int(found.get("epoch", 0)), tree, found)
        model.reference.save(folder / "members" / "reference.npz")
        write_vote(folder, model.vote)
        write_labels(folder, labels)
        write_json(folder / "config.json", of.plain(ConfigDict(json.loads(model.config))))  # last: now it is whole


def write_labels(folder: Path, labels: Sequence[Any]) -> None:
    """Whole numbers or text, in the order of the classes, whose names are text."""
    write_json(folder / LABELS, list(labels))
