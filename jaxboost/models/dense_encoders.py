"""The encoders of the two modalities that are plain vectors: scalars and electrons."""

from __future__ import annotations

from collections.abc import Sequence

import flax.linen as nn
import jax
import jax.numpy as jnp

from jaxboost.models.layers import DenseStack, Dropout


class VectorEncoder(nn.Module):
    """A vector and the space group to one token.

    Attributes:
      widths: of the hidden layers.
      group_width: of the space group's embedding.
      groups: rows of that embedding.
      token: width of the result.
      dtype: of the matrix work.
    """

    widths: Sequence[int]
    group_width: int
    groups: int
    token: int
    dtype: jnp.dtype

    @nn.compact
    def __call__(self, vector: jax.Array, space_group: jax.Array, rate: jax.Array | None) -> jax.Array:
        """Tokens [b, token] from vectors [b, f] and space groups [b]."""
        group = nn.Embed(self.groups, self.group_width)(space_group)
        # Dropping columns of the input is what keeps hundreds of them from being learned by heart.
        x = jnp.concatenate([Dropout()(vector, rate), group], -1).astype(self.dtype)
        return nn.Dense(self.token, dtype=self.dtype)(DenseStack(self.widths, self.dtype)(x, rate))
