"""Recall: how the nearest training crystals are labelled, in a space that the network learns for the purpose.

Neighbourhood components analysis (Goldberger et al. 2004) behind a network, as Ye et al. (2024) have it for tables:
p(class) is the share of that class among all remembered crystals, each weighed by exp(-distance).
"""

from __future__ import annotations

from typing import NamedTuple

import flax.linen as nn
import jax
import jax.numpy as jnp

from jaxboost.models.batch import Array

_FAR = -1e9
_FLOOR = 1e-3  # of the probability, spread over the classes: no vote is ever unanimous


class Memory(NamedTuple):
    """Training crystals that a member recalls.

    Attributes:
      embedding: [c, d]; label: [c] int.
      there: [c] bool, False for padding. Where none is there, all of them count the same.
    """

    embedding: Array
    label: Array
    there: Array


class Recall(nn.Module):
    """The embedding of fused features, and the vote of the remembered crystals around it.

    Attributes:
      width: of the embedding.
      classes: how many.
    """

    width: int
    classes: int

    def setup(self) -> None:
        self.embedding = nn.Dense(self.width)
        self.log_sharpness = self.param("log_sharpness", nn.initializers.zeros, ())

    def embed(self, fused: jax.Array) -> jax.Array:
        """Fused features [b, width] to embeddings [b, d], float32."""
        return self.embedding(fused.astype(jnp.float32))

    def vote(self, embedded: jax.Array, memory: Memory, barred: jax.Array | None = None) -> jax.Array:
        """Log-probabilities [b, class] of embeddings [b, d]; `barred` [b, c] must not vote on them."""
        there = jnp.asarray(memory.there)[None, :]
        near = -jnp.exp(self.log_sharpness) * distances(embedded, jnp.asarray(memory.embedding))
        weight = nn.softmax(jnp.where(there if barred is None else there & ~barred, near, _FAR))
        shares = weight @ jax.nn.one_hot(memory.label, self.classes)
        return jnp.log((1 - _FLOOR) * shares + _FLOOR / self.classes)


def distances(one: jax.Array, other: jax.Array) -> jax.Array:
    """Euclidean distances [b, c] between rows of [b, d] and [c, d]; the floor keeps its derivative finite at 0."""
    square = (one**2).sum(-1)[:, None] + (other**2).sum(-1)[None, :] - 2 * one @ other.T
    return jnp.sqrt(jnp.maximum(square, 1e-6))


def joined(logits: jax.Array, recalled: jax.Array) -> jax.Array:
    """Log of the mean of two distributions [b, class], given by logits and by log-probabilities."""
    return jnp.logaddexp(nn.log_softmax(logits), nn.log_softmax(recalled)) - jnp.log(2.0)
