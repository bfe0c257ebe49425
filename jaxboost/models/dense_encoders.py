"""The encoder of the two modalities that are plain vectors, scalars and electrons, and of their single columns."""

from __future__ import annotations

from collections.abc import Sequence

import flax.linen as nn
import jax
import jax.numpy as jnp

from jaxboost.models.layers import DenseStack, Dropout

_FREQUENCY = 0.1  # standard deviation at the start, waves a standard deviation of the column


class ColumnEmbedding(nn.Module):
    """Each column to a few numbers of its own: waves of learned frequencies, then a layer (Gorishniy et al. 2022).

    A plain network bends slowly along a column; whether a gap is just open or just closed is a matter of thresholds.

    Attributes:
      frequencies: waves a column.
      width: numbers a column.
      dtype: of the matrix work.
    """

    frequencies: int
    width: int
    dtype: jnp.dtype

    @nn.compact
    def __call__(self, vector: jax.Array) -> jax.Array:
        """[b, f, width] from standardised columns [b, f]."""
        f = vector.shape[-1]
        frequency = self.param("frequency", nn.initializers.normal(_FREQUENCY), (f, self.frequencies))
        wave = 2 * jnp.pi * vector[..., None] * frequency
        waves = jnp.concatenate([jnp.cos(wave), jnp.sin(wave), vector[..., None]], -1).astype(self.dtype)
        init = nn.initializers.lecun_normal(batch_axis=(0,))
        kernel = self.param("kernel", init, (f, 2 * self.frequencies + 1, self.width)).astype(self.dtype)
        bias = self.param("bias", nn.initializers.normal(0.1), (f, self.width)).astype(self.dtype)
        return nn.relu(jnp.einsum("bfi,fio->bfo", waves, kernel) + bias)


class VectorEncoder(nn.Module):
    """A vector and the space group to one token.

    Attributes:
      widths: of the hidden layers.
      frequencies, column_width: of `ColumnEmbedding`; 0 frequencies leave it out.
      group_width: of the space group's embedding.
      groups: rows of that embedding.
      token: width of the result.
      dtype: of the matrix work.
    """

    widths: Sequence[int]
    frequencies: int
    column_width: int
    group_width: int
    groups: int
    token: int
    dtype: jnp.dtype

    @nn.compact
    def __call__(
        self, vector: jax.Array, space_group: jax.Array, rate: jax.Array | None, column_rate: jax.Array | None
    ) -> jax.Array:
        """Tokens [b, token] from vectors [b, f] and space groups [b]; rates are of dropout, of whole columns too."""
        group = nn.Embed(self.groups, self.group_width)(space_group)
        # Dropping columns of the input is what keeps hundreds of them from being learned by heart.
        columns = vector[..., None].astype(self.dtype)
        if self.frequencies:
            embedded = ColumnEmbedding(self.frequencies, self.column_width, self.dtype)(vector)
            columns = jnp.concatenate([columns, embedded], -1)
        columns = columns * Dropout()(jnp.ones((*vector.shape, 1), self.dtype), column_rate)
        x = jnp.concatenate([columns.reshape(len(vector), -1), group.astype(self.dtype)], -1)
        return nn.Dense(self.token, dtype=self.dtype)(DenseStack(self.widths, self.dtype)(x, rate))
