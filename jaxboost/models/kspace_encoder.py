"""The k-space encoder: a graph transformer over the high-symmetry points of each crystal's Brillouin zone."""

from __future__ import annotations

import flax.linen as nn
import jax
import jax.numpy as jnp

from jaxboost.models.batch import Batch, SymmetryTables
from jaxboost.models.layers import Block, Dropout


class KSpaceEncoder(nn.Module):
    """K-space graph to one token. Attention between points is biased by the line that joins them
    and by what the crystal puts on it.

    Attributes:
      width: of the point states.
      layers: graph-transformer layers.
      heads: attention heads.
      token: width of the result.
      dtype: of the matrix work.
    """

    width: int
    layers: int
    heads: int
    token: int
    dtype: jnp.dtype

    @nn.compact
    def __call__(self, batch: Batch, tables: SymmetryTables, rate: jax.Array | None) -> jax.Array:
        """Tokens [b, token] from a batch and the tables of the space groups."""
        dense = lambda size: nn.Dense(size, dtype=self.dtype)  # noqa: E731
        present = tables.present[batch.space_group]
        b, p = present.shape
        # One row a point throughout: on more axes the gradient of a product would first copy both sides transposed.
        rows = lambda x: x.reshape(-1, x.shape[-1])  # noqa: E731
        of_group = dense(self.width)(rows(tables.point[batch.space_group]))
        of_group = of_group + nn.Embed(32, self.width)(tables.co_group[batch.space_group].ravel())
        h = of_group.astype(self.dtype) + dense(self.width)(rows(batch.points))
        lines = tables.line[batch.space_group]
        line = nn.Dense(self.layers * self.heads)(rows(lines))
        own = nn.Dense(self.layers * self.heads, use_bias=False)(rows(batch.lines))
        line = line + jnp.where(rows(lines)[:, :1] > 0, own, 0)
        line = line.reshape(b, p, p, self.layers, self.heads).transpose(3, 0, 4, 1, 2)
        for layer in range(self.layers):
            y = nn.LayerNorm(dtype=self.dtype)(h)
            q, k, v = (dense(self.width)(y).reshape(b, p, self.heads, -1) for _ in range(3))
            score = jnp.einsum("bihf,bjhf->bhij", q, k) / jnp.sqrt(q.shape[-1]).astype(self.dtype)
            score = score.astype(jnp.float32) + line[layer]
            score = jnp.where(present[:, None, None, :], score, -1e9)
            weight = nn.softmax(score).astype(self.dtype)
            mixed = jnp.einsum("bhij,bjhf->bihf", weight, v).reshape(b * p, self.width)
            h = h + Dropout()(dense(self.width)(mixed), rate)
            h = Block(2 * self.width, self.dtype)(h, rate)
        h = nn.LayerNorm(dtype=jnp.float32)(h).reshape(b, p, self.width)
        there = present[..., None]
        mean = jnp.where(there, h, 0).sum(1) / jnp.maximum(there.sum(1), 1)
        # Not `max`, whose gradient goes where h equals the greatest: XLA computes h anew for that, rounded otherwise
        # once the LayerNorm has a scale, so that it equals nowhere and the gradient is lost.
        place = jnp.where(there, jax.lax.stop_gradient(h), -1e9).argmax(1, keepdims=True)
        greatest = jnp.where(place == jnp.arange(p)[:, None], h, 0).sum(1)
        group = nn.Embed(tables.present.shape[0], self.width)(batch.space_group)
        # A padding row has space group 0, without points.
        greatest = jnp.where(there.any(1), greatest, 0)
        return dense(self.token)(jnp.concatenate([mean, greatest, group], -1))
