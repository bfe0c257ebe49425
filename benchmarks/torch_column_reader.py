"""The column reader of `jaxboost/models` in PyTorch, and columns as steps."""

from __future__ import annotations

from collections.abc import Iterator

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from benchmarks.torch_encoders import TorchBatch, gelu, norm
from jaxboost.models import NetworkSettings


class Steps:
    """`jaxboost.data.column_steps.climbed` of one member, weighted; what does not depend on the values is made once."""

    def __init__(self, edges: Tensor, weight: Tensor) -> None:
        width = edges.diff()
        self.real = width > 0
        self.low, self.least, self.most = edges[:, :-1], edges[:, :1], edges[:, -1:]
        self.width = torch.where(self.real, width, 1.0)
        self.weight = (weight / self.real.sum(-1).clamp(min=1).sqrt())[:, None] * self.real

    def __call__(self, values: Tensor) -> Tensor:
        """[n, f * steps] of the values [n, f]."""
        unknown = values.isnan()[..., None]
        inside = values[..., None].clamp(self.least, self.most)
        part = ((inside - self.low) / self.width).clamp(0, 1)
        return ((2 * part - 1) * self.weight).masked_fill(unknown, 0.0).flatten(1)


class ColumnReader(nn.Module):
    def __init__(self, s: NetworkSettings, example: TorchBatch, groups: int) -> None:
        super().__init__()
        width = s.reader_width
        self.group = nn.Embedding(groups, s.group_width)
        kspace = example.kspace_columns.shape[1] + example.kspace_steps.shape[1] + s.group_width
        scalar, electron = (
            columns.shape[1] + steps.shape[1]
            for columns, steps in (
                (example.scalars, example.scalars_steps),
                (example.electrons, example.electrons_steps),
            )
        )
        self.kspace, self.scalar, self.electron = (
            nn.Linear(columns, width, bias=False) for columns in (kspace, scalar, electron)
        )
        self.bias = nn.Parameter(torch.empty(width))
        self.norms = nn.ModuleList(norm(width) for _ in range(s.reader_layers))
        self.denses = nn.ModuleList(nn.Linear(width, width) for _ in range(s.reader_layers))
        self.logits = nn.Linear(width, s.classes)

    def named_parts(self) -> Iterator[tuple[str, nn.Module]]:
        """By the names that Flax gives what a `setup` holds."""
        for name, part in self.named_children():
            if isinstance(part, nn.ModuleList):
                yield from ((f"{name}_{i}", own) for i, own in enumerate(part))
            else:
                yield name, part

    def forward(self, batch: TorchBatch, rate: float) -> Tensor:
        parts = (
            (self.kspace, [batch.kspace_columns, batch.kspace_steps, self.group(batch.space_group)]),
            (self.scalar, [batch.scalars, batch.scalars_steps]),
            (self.electron, [batch.electrons, batch.electrons_steps]),
        )
        x = self.bias
        for there, (dense, columns) in zip(batch.mask.unbind(1)[1:], parts, strict=True):
            x = x + dense(F.dropout(torch.cat(columns, 1), rate)) * there[:, None]
        for layer_norm, dense in zip(self.norms, self.denses, strict=True):
            x = x + F.dropout(gelu(dense(layer_norm(x))), rate)
        return self.logits(x)
