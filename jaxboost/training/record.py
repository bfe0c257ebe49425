"""What a training has on disk of each member, and what it writes there."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from jaxboost.errors import InputError
from jaxboost.training.divergence import Divergence
from jaxboost.training.member import Member
from jaxboost.training.member_checkpoint import save_member
from jaxboost.training.member_state import MemberState
from jaxboost.training.placement import unstack
from jaxboost.training.processes import is_first
from jaxboost.training.workshop import Workshop


@dataclass(frozen=True)
class Record:
    """What is on disk of each member.

    Attributes:
      workshop, crew: of the training.
      saved: name -> the epoch of its newest checkpoint, 0 where it has none.
    """

    workshop: Workshop
    crew: list[Member]
    saved: dict[str, int]

    def save(self, kept: MemberState, place: int, *, finished: bool, divergence: Divergence | None = None) -> None:
        """Writes one member's state out of that of all; where there is no room for it, what was saved before is whole.

        Of several processes every one calls this, each with what it has (`own_parts`), and the first one writes.
        """
        member, workshop = self.crew[place], self.workshop
        state = unstack(kept, place, workshop.mesh)
        if is_first():
            self._write(state, member, finished, divergence)
        self.saved[member.name] = int(state.epoch)

    def _write(self, state: MemberState, member: Member, finished: bool, divergence: Divergence | None) -> None:
        workshop = self.workshop
        labels = np.asarray(workshop.materials.label)
        try:
            save_member(
                workshop.folder / member.name, state, member, labels, workshop.identity,
                finished=finished, divergence=divergence,
            )  # fmt: skip
        except OSError as error:
            raise InputError(
                f"{workshop.folder / member.name}: epoch {int(state.epoch)} cannot be saved ({error}); its last good "
                f"checkpoint is that of epoch {self.saved[member.name]}. Make room and start the same command again: "
                "it goes on from there"
            ) from error

    def save_unsaved(self, kept: MemberState, epochs: np.ndarray, active: np.ndarray) -> None:
        """The members in training whose epoch, of `epochs`, no checkpoint has yet, from the state of all."""
        for i in np.flatnonzero(active).tolist():
            if epochs[i] > self.saved[self.crew[i].name]:
                self.save(kept, i, finished=False)

    def nothing_finite(self, diverged: dict[str, Divergence]) -> str:
        """The message where no member is left."""
        name, where = list(diverged.items())[-1]
        return (
            f"every member met a gradient that is not finite, {name} as the last one at {where}. Look at these rows, "
            "or lower config.optimizer.max_lr, in another --workdir. The last good checkpoint of "
            f"{self.workshop.folder / name} is that of epoch {self.saved[name]}"
        )
