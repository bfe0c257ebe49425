"""A second opinion that reads all columns side by side: a plain network, which neither graphs nor fusion come into.

The encoders see the columns of one modality each, and what they share has passed through four tokens. Side by side, and
as steps (`jaxboost/data/column_steps.py`), columns say other things: the two opinions err on other crystals.
"""

from __future__ import annotations

import flax.linen as nn
import jax
import jax.numpy as jnp

from jaxboost.models.batch import Batch
from jaxboost.models.layers import Dropout


class ColumnReader(nn.Module):
    """Columns and their steps to logits, in two halves: `hear` is linear and keeps the modalities apart.

    Attributes:
      width, layers: of the residual layers.
      group_width, groups: of the space group's embedding, which goes with k-space.
      classes: how many.
      dtype: of the matrix work.
    """

    width: int
    layers: int
    group_width: int
    groups: int
    classes: int
    dtype: jnp.dtype

    def setup(self) -> None:
        self.group = nn.Embed(self.groups, self.group_width)
        self.kspace, self.scalar, self.electron = (
            nn.Dense(self.width, use_bias=False, dtype=self.dtype) for _ in range(3)
        )
        self.bias = self.param("bias", nn.initializers.zeros, (self.width,))
        self.norms = [nn.LayerNorm(dtype=self.dtype) for _ in range(self.layers)]
        self.denses = [nn.Dense(self.width, dtype=self.dtype) for _ in range(self.layers)]
        self.logits = nn.Dense(self.classes)
        self.drop = Dropout()

    def hear(self, batch: Batch, column_rate: jax.Array | None = None) -> jax.Array:
        """[b, 4, width] what the columns of each modality put into the first layer; the crystal graph has none."""
        group = self.group(batch.space_group)
        parts = [
            self.kspace(self._dropped([batch.kspace_columns, batch.kspace_steps, group], column_rate)),
            self.scalar(self._dropped([batch.scalars, batch.scalars_steps], column_rate)),
            self.electron(self._dropped([batch.electrons, batch.electrons_steps], column_rate)),
        ]
        return jnp.stack([jnp.zeros_like(parts[0]), *parts], axis=1)

    def _dropped(self, columns: list[jax.Array], rate: jax.Array | None) -> jax.Array:
        return self.drop(jnp.concatenate(columns, -1).astype(self.dtype), rate)

    def __call__(self, heard: jax.Array, mask: jax.Array, rate: jax.Array | None = None) -> jax.Array:
        """Logits [b, class] of what was heard [b, 4, width], of which `mask` [b, 4] says what is there."""
        x = (heard * mask[..., None]).sum(1) + self.bias.astype(self.dtype)
        for norm, dense in zip(self.norms, self.denses, strict=True):
            x = x + self.drop(nn.gelu(dense(norm(x))), rate)
        return self.logits(x.astype(jnp.float32))
