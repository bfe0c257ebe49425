"""The network: four encoders, fusion, classifier, column reader and recall, and the penalty on excluded classes."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial
from typing import NamedTuple

import flax.linen as nn
import jax
import jax.numpy as jnp

from jaxboost.models.batch import Batch, SymmetryTables
from jaxboost.models.column_reader import ColumnReader
from jaxboost.models.crystal_encoder import CrystalEncoder
from jaxboost.models.dense_encoders import VectorEncoder
from jaxboost.models.fusion import Fusion
from jaxboost.models.kspace_encoder import KSpaceEncoder
from jaxboost.models.layers import DenseStack
from jaxboost.models.recall import Memory, Recall, joined


@dataclass(frozen=True)
class NetworkSettings:
    """Sizes of the network; see `jaxboost/configs/extreme.py` for what each means."""

    classes: int
    cutoff: float
    token: int
    crystal_width: int
    crystal_layers: int
    radial: int
    kspace_width: int
    kspace_layers: int
    kspace_heads: int
    kspace_widths: tuple[int, ...]
    scalar_widths: tuple[int, ...]
    electron_widths: tuple[int, ...]
    frequencies: int
    column_width: int
    group_width: int
    fusion: str
    fusion_heads: int
    fusion_width: int
    classifier_widths: tuple[int, ...]
    reader_width: int
    reader_layers: int
    recall_width: int
    dtype: str


_GROUPS = 231  # rows of an embedding of space groups, by their number


class Encoded(NamedTuple):
    """What becomes of the modalities of `b` crystals before they meet.

    Attributes:
      tokens: [b, 4, token], for the fusion.
      heard: [b, 4, width], for the column reader; no columns without one.
    """

    tokens: jax.Array
    heard: jax.Array


class Classifier(nn.Module):
    """Dense layers of the given widths, then the logits."""

    widths: Sequence[int]
    classes: int
    dtype: jnp.dtype

    @nn.compact
    def __call__(self, fused: jax.Array, rate: jax.Array | None) -> jax.Array:
        return nn.Dense(self.classes)(DenseStack(self.widths, self.dtype)(fused, rate).astype(jnp.float32))


class Network(nn.Module):
    """A batch of crystals to class logits.

    `encode` and `fuse` come first, then `classify` and `recall_classes`, so that training can mix fused features
    between them; `decide` is all that follows what the modalities are encoded to.
    """

    settings: NetworkSettings

    def setup(self) -> None:
        s = self.settings
        dtype = jnp.dtype(s.dtype)
        self.crystal = CrystalEncoder(s.crystal_width, s.crystal_layers, s.radial, s.cutoff, s.token, dtype)
        self.kspace = KSpaceEncoder(s.kspace_width, s.kspace_layers, s.kspace_heads, s.token, dtype)
        vector = partial(VectorEncoder, frequencies=s.frequencies, column_width=s.column_width)
        vector = partial(vector, group_width=s.group_width, groups=_GROUPS, token=s.token, dtype=dtype)
        if s.kspace_widths:
            self.kspace_columns = vector(s.kspace_widths)
        self.scalar = vector(s.scalar_widths)
        self.electron = vector(s.electron_widths)
        self.fusion = Fusion(s.fusion_heads, s.fusion_width, s.fusion == "attention", dtype)
        self.classifier = Classifier(s.classifier_widths, s.classes, dtype)
        if s.reader_width:
            self.reader = ColumnReader(s.reader_width, s.reader_layers, s.group_width, _GROUPS, s.classes, dtype)
        if s.recall_width:
            self.recall = Recall(s.recall_width, s.classes)
        # softplus(2) = 2.1: an excluded class starts eight times less likely, and training decides from there.
        self.penalty = self.param("penalty", nn.initializers.constant(2.0), (s.classes,))

    def encode(
        self,
        batch: Batch,
        tables: SymmetryTables,
        rate: jax.Array | None = None,
        column_rate: jax.Array | None = None,
    ) -> Encoded:
        """Every modality by itself."""
        kspace = self.kspace(batch, tables, rate)
        if self.settings.kspace_widths:
            kspace += self.kspace_columns(batch.kspace_columns, batch.space_group, rate, column_rate)
        tokens = jnp.stack(
            [
                self.crystal(batch, tables.element, rate),
                kspace,
                self.scalar(batch.scalars, batch.space_group, rate, column_rate),
                self.electron(batch.electrons, batch.space_group, rate, column_rate),
            ],
            axis=1,
        )
        if self.settings.reader_width:
            return Encoded(tokens, self.reader.hear(batch, column_rate))
        return Encoded(tokens, tokens[:, :, :0])

    def join(
        self, encoded: Encoded, mask: jax.Array, rate: jax.Array | None = None
    ) -> tuple[jax.Array, dict[str, jax.Array]]:
        """Fused features [b, width] of what is encoded, of which `mask` [b, 4] says what is there, and `out` with the
        tokens, the attention weights, with a reader its logits `read` [b, class], with recall `embedding` [b, d].
        """
        fused, weights = self.fusion(encoded.tokens, mask, rate)
        out = {"tokens": encoded.tokens, "fused": fused, **weights}
        if self.settings.reader_width:
            out["read"] = self.reader(encoded.heard, mask, rate)
        if self.settings.recall_width:
            out["embedding"] = self.recall.embed(fused)
        return fused, out

    def fuse(
        self,
        batch: Batch,
        tables: SymmetryTables,
        rate: jax.Array | None = None,
        column_rate: jax.Array | None = None,
    ) -> tuple[jax.Array, dict[str, jax.Array]]:
        """`join` of what the batch is encoded to."""
        return self.join(self.encode(batch, tables, rate, column_rate), batch.mask, rate)

    def classify(self, fused: jax.Array, possible: jax.Array, rate: jax.Array | None = None) -> jax.Array:
        """Logits [b, class]; a class that is not `possible` [b, class] pays a finite, learned penalty."""
        return self.penalised(self.classifier(fused, rate), possible)

    def recall_classes(
        self, fused: jax.Array, possible: jax.Array, memory: Memory, barred: jax.Array | None = None
    ) -> jax.Array:
        """Logits [b, class] by the crystals of the memory but those `barred` [b, c]; the penalty is the same."""
        return self.penalised(self.recall.vote(self.recall.embed(fused), memory, barred), possible)

    def penalised(self, logits: jax.Array, possible: jax.Array) -> jax.Array:
        """Logits [b, class] less what a class that is not `possible` pays."""
        return logits - jnp.where(possible, 0.0, nn.softplus(self.penalty))

    def decide(
        self, encoded: Encoded, mask: jax.Array, possible: jax.Array, memory: Memory | None = None
    ) -> tuple[jax.Array, dict[str, jax.Array]]:
        """`(logits [b, class], out)`, without dropout; arguments as of `join`, `classify` and `__call__`."""
        fused, out = self.join(encoded, mask)
        logits = self.classify(fused, possible)
        if self.settings.reader_width:
            logits = agreed(logits, self.penalised(out["read"], possible))
        if self.settings.recall_width and memory is not None:
            logits = joined(logits, self.recall_classes(fused, possible, memory))
        return logits, out

    def __call__(
        self, batch: Batch, tables: SymmetryTables, memory: Memory | None = None
    ) -> tuple[jax.Array, dict[str, jax.Array]]:
        """`(logits [b, class], out)`, without dropout.

        With a reader, logits are the mean of the classifier's and its own. With a memory they are of the mean of both
        opinions, this one and that of what is recalled.
        """
        return self.decide(self.encode(batch, tables), batch.mask, batch.possible, memory)


def agreed(logits: jax.Array, read: jax.Array) -> jax.Array:
    """Mean of two logits [b, class], each up to a constant of its row."""
    return (nn.log_softmax(logits) + nn.log_softmax(read)) / 2
