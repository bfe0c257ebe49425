"""Test-time augmentation: logits averaged over views, for any number of members, inside one compiled program."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jax.sharding import Mesh
from jax.sharding import PartitionSpec as P

from jaxboost.data.batches import Materials, deal, gather, scoring_batches
from jaxboost.data.views import View
from jaxboost.errors import InputError
from jaxboost.inference.trained import TrainedMember
from jaxboost.models import Memory, Network, SymmetryTables

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


def logits_program(network: Network, settings: ScoringSettings, mesh: Mesh) -> Callable[..., tuple]:
    """The compiled scorer.

    Call it with (params, normalizers, modalities, memories, rows [member, step, b], views, materials, tables); it
    returns logits [member, step, b, class] and modality attention [member, step, b, 4], means over the views.
    """

    def one_batch(member: Any, rows: Any, views: Any, materials: Any, tables: Any) -> Any:
        params, normalizer, modalities, memory = member

        def one_view(indexed: tuple[jax.Array, View]) -> tuple[jax.Array, jax.Array]:
            number, view = indexed
            key = jax.random.fold_in(jax.random.key(settings.seed), number)
            batch = gather(
                materials, rows, nodes=settings.nodes, normalizer=normalizer, modalities=modalities,
                view=view, key=key, cutoff=settings.cutoff,
            )  # fmt: skip
            logits, out = network.apply({"params": params}, batch, tables, memory=memory)
            return logits, out["modality_attention"]

        count = views.jitter.shape[0]
        scored = jax.lax.map(one_view, (jnp.arange(count), views))
        return jax.tree.map(lambda x: x.mean(0), scored)

    def local(params: Any, normalizers: Any, modalities: Any, memories: Any, rows: Any, *shared: Any) -> Any:
        def one_member(args: Any) -> Any:
            *own, batches = args

            def score(rows: jax.Array) -> Any:
                return one_batch(own, rows, *shared)

            def nothing(rows: jax.Array) -> Any:
                return jax.tree.map(lambda x: jnp.zeros(x.shape, x.dtype), jax.eval_shape(score, rows))

            # Members with fewer rows than the others end on empty batches.
            return jax.lax.map(lambda rows: jax.lax.cond((rows >= 0).any(), score, nothing, rows), batches)

        stacked = (params, normalizers, modalities, memories, rows)
        return jax.lax.map(one_member, stacked) if settings.axis == "map" else jax.vmap(
            lambda *args: one_member(args)
        )(*stacked)  # fmt: skip

    member, batched = P("member"), P("member", None, "data")
    sharded = jax.shard_map(
        local,
        mesh=mesh,
        in_specs=(member, member, member, member, batched, P(), P(), P()),
        out_specs=(batched, batched),
        check_vma=False,
    )
    return jax.jit(sharded)


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

    def __call__(self, members: list[TrainedMember], rows: list[np.ndarray]) -> list[tuple[np.ndarray, np.ndarray]]:
        """For each member the logits [n, class] and modality attention [n, 4] of its own `rows` [n].

        Raises:
          InputError: a member was trained with another reference of relatives than the resident one. An index beyond
            it would not fail on a device, but read another crystal's label.
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
        logits, attention = [], []
        for first in range(0, steps, STEPS_PER_CALL):
            chunk = dealt[:, first : first + STEPS_PER_CALL]
            scored = self.program(
                params, normalizers, modalities, memories, chunk, self.views, self.materials, self.tables
            )
            logits.append(np.asarray(scored[0]))
            attention.append(np.asarray(scored[1]))
        values = [np.concatenate(parts, 1) for parts in (logits, attention)]
        results = []
        for i, own in enumerate(rows):
            there = dealt[i] >= 0
            order = np.argsort(dealt[i][there])
            rank = np.empty(len(own), int)
            rank[np.argsort(own)] = order
            results.append((values[0][i][there][rank], values[1][i][there][rank]))
        return results


def _stacked(memories: list[Memory]) -> Memory:
    """[member, c, ...], each filled up to the longest with crystals that are not there."""
    longest = max(len(memory.label) for memory in memories)
    filled = [
        Memory(*(np.pad(part, [(0, longest - len(part)), *[(0, 0)] * (part.ndim - 1)]) for part in memory))
        for memory in memories
    ]
    return Memory(*(np.stack(parts) for parts in zip(*filled, strict=True)))
