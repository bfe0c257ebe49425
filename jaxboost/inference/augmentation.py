"""Test-time augmentation: logits averaged over views, for any number of members, inside one compiled program."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jax.sharding import Mesh
from jax.sharding import PartitionSpec as P

from jaxboost.data.batches import Materials, deal, gather, scoring_batches
from jaxboost.data.isopointal import column_count
from jaxboost.data.views import View
from jaxboost.errors import InputError
from jaxboost.inference.shuffling import RELATIVES, RULES, Shuffle, donors
from jaxboost.inference.trained import TrainedMember
from jaxboost.modalities.features import MODALITIES
from jaxboost.models import Batch, Memory, Network, SymmetryTables
from jaxboost.models.batch import Array
from jaxboost.out_of_memory import fewer

STEPS_PER_CALL = 4  # batches a call scores: few shapes, little padding


@dataclass(frozen=True)
class ScoringSettings:
    """Sizes of the scoring program.

    Attributes:
      batch: crystals a batch.
      nodes: node budget of a batch.
      cutoff: Angstrom, that of the stored graph.
      axis: 'map' or 'vmap', how members run.
      seed: of the displacements.
    """

    batch: int
    nodes: int
    cutoff: float
    axis: str
    seed: int


class Scored(NamedTuple):
    """What one member says of n crystals, means over the views.

    Attributes:
      logits: [n, class].
      attention: [n, 4] how much each modality was listened to.
      cross_attention: [n, 4, 4] by which modality (first axis) each other one.
    """

    logits: Array
    attention: Array
    cross_attention: Array


def logits_program(network: Network, settings: ScoringSettings, mesh: Mesh) -> Callable[..., tuple]:
    """The compiled scorer.

    Call it with (params, normalizers, modalities, memories, rows [member, step, b], donors [member, step, b, part] as
    `shuffling.donors` gives them, views, materials, tables); it returns `Scored`, each part [member, step, b, ...].
    """

    def one_batch(member: Any, rows: Any, donors: Any, views: Any, materials: Any, tables: Any) -> Any:
        params, normalizer, modalities, memory = member

        def one_view(indexed: tuple[jax.Array, View]) -> Any:
            number, view = indexed
            key = jax.random.fold_in(jax.random.key(settings.seed), number)
            batch = gather(
                materials, rows, nodes=settings.nodes, normalizer=normalizer, modalities=modalities,
                view=view, key=key, cutoff=settings.cutoff,
            )  # fmt: skip
            return network.apply({"params": params}, batch, tables, memory, donors, method=_decide)

        count = views.jitter.shape[0]
        scored = jax.lax.map(one_view, (jnp.arange(count), views))
        return jax.tree.map(lambda x: x.mean(0), scored)

    def local(
        params: Any, normalizers: Any, modalities: Any, memories: Any, rows: Any, donors: Any, *shared: Any
    ) -> Any:
        def one_member(args: Any) -> Any:
            *own, batches = args

            def score(batch: Any) -> Any:
                return one_batch(own, *batch, *shared)

            def nothing(batch: Any) -> Any:
                return jax.tree.map(lambda x: jnp.zeros(x.shape, x.dtype), jax.eval_shape(score, batch))

            # Members with fewer rows than the others end on empty batches.
            return jax.lax.map(lambda batch: jax.lax.cond((batch[0] >= 0).any(), score, nothing, batch), batches)

        stacked = (params, normalizers, modalities, memories, (rows, donors))
        return jax.lax.map(one_member, stacked) if settings.axis == "map" else jax.vmap(
            lambda *args: one_member(args)
        )(*stacked)  # fmt: skip

    member, batched = P("member"), P("member", None, "data")
    sharded = jax.shard_map(
        local,
        mesh=mesh,
        in_specs=(member, member, member, member, batched, batched, P(), P(), P()),
        out_specs=batched,
        check_vma=False,
    )
    return jax.jit(sharded)


def _decide(network: Network, batch: Batch, tables: SymmetryTables, memory: Memory, donors: jax.Array) -> Scored:
    """Of crystals whose parts come from their `donors` [b, part], rows of the batch."""
    relatives = column_count(batch.possible.shape[1])
    theirs = batch.scalars[donors[:, RELATIVES], -relatives:]
    batch = batch._replace(scalars=jnp.concatenate([batch.scalars[:, :-relatives], theirs], axis=1))
    modality = jnp.arange(len(MODALITIES))
    of_modalities = donors[:, modality]
    encoded = jax.tree.map(lambda x: x[of_modalities, modality], network.encode(batch, tables))
    mask = batch.mask[of_modalities, modality]
    logits, out = network.decide(encoded, mask, batch.possible[donors[:, RULES]], memory)
    return Scored(logits, out["modality_attention"], out["cross_attention"])


@dataclass(frozen=True)
class Scorer:
    """Scores rows of a resident table with trained members.

    Attributes:
      program: from `logits_program`.
      settings: those of the program.
      mesh: its mesh.
      views: of the augmentation, stacked.
      materials, tables: resident arrays.
      sizes: [n] orbits of the table's rows.
    """

    program: Callable[..., tuple]
    settings: ScoringSettings
    mesh: Mesh
    views: View
    materials: Materials
    tables: SymmetryTables
    sizes: np.ndarray

    def __call__(
        self, members: list[TrainedMember], rows: list[np.ndarray], shuffle: Shuffle | None = None
    ) -> list[Scored]:
        """What each member says of its own `rows` [n]; with `shuffle`, of crystals with a part of another one.

        Where the devices have not the memory for all members at once, half as many are scored at a time.

        Raises:
          InputError: a member was trained with another reference of relatives than the resident one. An index beyond
            it would not fail on a device, but read another crystal's label. Or a device has not the memory for one.
        """
        size = len(self.materials.relative_label)
        for member in members:
            if len(member.normalizer.known) != size:
                raise InputError(
                    f"{member.name} knows of {len(member.normalizer.known)} reference crystals and "
                    f"members/reference.npz has {size}: it is of another run; remove it and start this run's training "
                    "command again, which writes it anew"
                )
        width = self.mesh.shape["member"]
        at_once = -(-len(members) // width)
        while True:
            groups = [slice(first, first + at_once * width) for first in range(0, len(members), at_once * width)]
            try:
                return [scored for group in groups for scored in self._score(members[group], rows[group], shuffle)]
            except jax.errors.JaxRuntimeError as error:
                at_once = fewer(error, at_once)

    def _score(self, members: list[TrainedMember], rows: list[np.ndarray], shuffle: Shuffle | None) -> list[Scored]:
        """All of them at once."""
        width = self.mesh.shape["member"]
        idle = -len(members) % width
        padded = [*members, *[members[0]] * idle]
        plans = [scoring_batches(r, self.sizes[r], self.settings.batch) for r in rows]
        plans += [np.full((0, self.settings.batch), -1, np.int32)] * idle
        steps = max(len(plan) for plan in plans)
        steps += -steps % STEPS_PER_CALL
        plan = np.full((len(padded), steps, self.settings.batch), -1, np.int32)
        for i, own in enumerate(plans):
            plan[i, : len(own)] = own
        dealt = deal(plan, self.mesh.shape["data"])
        params = jax.tree.map(lambda *leaves: np.stack(leaves), *[m.params for m in padded])
        normalizers = jax.tree.map(lambda *leaves: np.stack(leaves), *[m.normalizer for m in padded])
        modalities = np.stack([m.modalities for m in padded])
        memories = _stacked([m.memory for m in padded])
        given = donors(dealt, self.mesh.shape["data"], shuffle)
        scored = []
        for first in range(0, steps, STEPS_PER_CALL):
            now = slice(first, first + STEPS_PER_CALL)
            fitted = (params, normalizers, modalities, memories)
            shared = (self.views, self.materials, self.tables)
            scored.append(jax.tree.map(np.asarray, self.program(*fitted, dealt[:, now], given[:, now], *shared)))
        values = jax.tree.map(lambda *parts: np.concatenate(parts, 1), *scored)
        results = []
        for i, own in enumerate(rows):
            there = dealt[i] >= 0
            order = np.argsort(dealt[i][there])
            rank = np.empty(len(own), int)
            rank[np.argsort(own)] = order
            results.append(Scored(*(value[i][there][rank] for value in values)))
        return results


def _stacked(memories: list[Memory]) -> Memory:
    """[member, c, ...], each filled up to the longest with crystals that are not there."""
    longest = max(len(memory.label) for memory in memories)
    filled = [
        Memory(*(np.pad(part, [(0, longest - len(part)), *[(0, 0)] * (part.ndim - 1)]) for part in memory))
        for memory in memories
    ]
    return Memory(*(np.stack(parts) for parts in zip(*filled, strict=True)))
