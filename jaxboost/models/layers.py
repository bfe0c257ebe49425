"""The few layers that several encoders share: dropout with a traced rate, a residual block, a dense stack."""

from __future__ import annotations

from collections.abc import Sequence

import flax.linen as nn
import jax
import jax.numpy as jnp


class Dropout(nn.Module):
    """Inverted dropout whose rate may be a traced number, since members of one population differ in it.

    Called with `rate=None` it does nothing (evaluation); otherwise it draws from the rng stream 'dropout'.
    """

    @nn.compact
    def __call__(self, x: jax.Array, rate: jax.Array | float | None) -> jax.Array:
        if rate is None:
            return x
        keep = 1.0 - jnp.asarray(rate, x.dtype)
        kept = jax.random.uniform(self.make_rng("dropout"), x.shape, x.dtype) < keep
        return jnp.where(kept, x / keep, 0)


class Block(nn.Module):
    """A pre-norm residual block: LayerNorm, Dense, GELU, dropout, Dense."""

    width: int
    dtype: jnp.dtype

    @nn.compact
    def __call__(self, x: jax.Array, rate: jax.Array | None) -> jax.Array:
        y = nn.LayerNorm(dtype=self.dtype)(x)
        y = nn.gelu(nn.Dense(self.width, dtype=self.dtype)(y))
        y = Dropout()(y, rate)
        return x + nn.Dense(x.shape[-1], dtype=self.dtype)(y)


class DenseStack(nn.Module):
    """Dense, LayerNorm, GELU, dropout for each width in turn, added to the input where the width stays the same."""

    widths: Sequence[int]
    dtype: jnp.dtype

    @nn.compact
    def __call__(self, x: jax.Array, rate: jax.Array | None) -> jax.Array:
        for width in self.widths:
            y = nn.gelu(nn.LayerNorm(dtype=self.dtype)(nn.Dense(width, dtype=self.dtype)(x)))
            y = Dropout()(y, rate)
            x = x + y if x.shape[-1] == width else y
        return x
