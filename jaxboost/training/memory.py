"""What a member remembers of its training crystals: their embeddings, renewed when an epoch ends.

Embedding all of them at every step would cost as many crystals as an epoch has; a few thousand drawn from those of the
last renewal taught a plain network as well (docs/results.md, Recall).
"""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

import jax
import jax.numpy as jnp

from jaxboost.models import Memory
from jaxboost.models.batch import Array


class Drawn(NamedTuple):
    """Remembered crystals to learn from: the memory [c], and the row of the table [c] that each one is."""

    memory: Memory
    rows: jax.Array


def renewed(embed: Callable[[jax.Array], jax.Array], plan: jax.Array, size: int, width: int) -> jax.Array:
    """Embeddings [size, width] of the rows of a plan [step, b], -1 for none; 0 for rows that are not in it."""

    def write(memory: jax.Array, rows: jax.Array) -> tuple[jax.Array, None]:
        return memory.at[_places(rows, size)].set(embed(rows), mode="drop"), None

    memory, _ = jax.lax.scan(write, jnp.zeros((size, width), jnp.float32), plan)
    return memory


def whole(embeddings: jax.Array, labels: Array, plan: jax.Array) -> Memory:
    """All that is remembered: embeddings [n, d] and labels [n] of the table, of which the plan names the rows."""
    size = len(labels)
    named = jnp.zeros(size, jnp.int32).at[_places(plan.reshape(-1), size)].set(1, mode="drop")
    return Memory(embeddings, jnp.maximum(jnp.asarray(labels), 0), named > 0)


def draw(
    key: jax.Array, embeddings: jax.Array, labels: Array, plan: jax.Array, count: int, *, begun: jax.Array | bool
) -> Drawn:
    """`count` of the rows that the plan names, with replacement; none is there before the memory has `begun`."""
    drawn = plan.reshape(-1)[jax.random.randint(key, (count,), 0, plan.size)]
    rows = jnp.maximum(drawn, 0)
    return Drawn(Memory(embeddings[rows], jnp.asarray(labels)[rows], (drawn >= 0) & begun), rows)


def _places(rows: jax.Array, size: int) -> jax.Array:
    """Rows, those that are none beyond the end, where nothing is written."""
    return jnp.where(rows >= 0, rows, size)
