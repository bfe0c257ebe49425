"""The encoders of `jaxboost/models` in PyTorch, eager and idiomatic; `benchmarks/torch_network.py` puts them together.

Every module registers its parts in the order in which the Flax module makes them: weights are copied by that order.
Methods say no shapes where those of the Flax module hold.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from jaxboost.models import NetworkSettings
from jaxboost.models.crystal_encoder import SCALES

ABSENT = -1e9


@dataclass(frozen=True)
class TorchBatch:
    """The fields of `jaxboost.models.Batch`, as tensors."""

    element: Tensor
    site_group: Tensor
    multiplicity: Tensor
    crystal: Tensor
    target: Tensor
    distance: Tensor
    reach: Tensor
    space_group: Tensor
    points: Tensor
    lines: Tensor
    kspace_columns: Tensor
    scalars: Tensor
    electrons: Tensor
    kspace_steps: Tensor
    scalars_steps: Tensor
    electrons_steps: Tensor
    mask: Tensor
    possible: Tensor


@dataclass(frozen=True)
class TorchTables:
    """The fields of `jaxboost.models.SymmetryTables`, as tensors."""

    co_group: Tensor
    present: Tensor
    point: Tensor
    line: Tensor
    element: Tensor


def gelu(x: Tensor) -> Tensor:
    return F.gelu(x, approximate="tanh")  # Flax's default


def norm(width: int) -> nn.LayerNorm:
    return nn.LayerNorm(width, eps=1e-6)  # Flax's default


class Block(nn.Module):
    def __init__(self, outer: int, inner: int) -> None:
        super().__init__()
        self.norm, self.first, self.second = norm(outer), nn.Linear(outer, inner), nn.Linear(inner, outer)

    def forward(self, x: Tensor, rate: float) -> Tensor:
        return x + self.second(F.dropout(gelu(self.first(self.norm(x))), rate))


class DenseStack(nn.Module):
    def __init__(self, wide: int, widths: tuple[int, ...]) -> None:
        super().__init__()
        self.dense = nn.ModuleList(nn.Linear(a, b) for a, b in zip((wide, *widths), widths, strict=False))
        self.norms = nn.ModuleList(norm(width) for width in widths)

    def forward(self, x: Tensor, rate: float) -> Tensor:
        for dense, layer_norm in zip(self.dense, self.norms, strict=True):
            y = F.dropout(gelu(layer_norm(dense(x))), rate)
            x = x + y if x.shape[-1] == y.shape[-1] else y
        return x


class Message(nn.Module):
    """`W [h_i, h_j, e] = W_1 h_i + W_2 h_j + W_3 e`, projected first."""

    def __init__(self, width: int, radial: int) -> None:
        super().__init__()
        self.own, self.other, self.edge = nn.Linear(width, width), nn.Linear(width, width), nn.Linear(radial, width)

    def forward(self, y: Tensor, target: Tensor, basis: Tensor) -> Tensor:
        return self.own(y)[:, None] + F.embedding(target, self.other(y)) + self.edge(basis)


class ConcatenatedMessage(nn.Module):
    """`W [h_i, h_j, e]`, as it is written."""

    def __init__(self, width: int, radial: int) -> None:
        super().__init__()
        self.joint = nn.Linear(2 * width + radial, width)

    def forward(self, y: Tensor, target: Tensor, basis: Tensor) -> Tensor:
        other = F.embedding(target, y)
        return self.joint(torch.cat([y[:, None].expand_as(other), other, basis], -1))


def envelope(x: Tensor) -> Tensor:
    x = x.clamp(max=1.0)
    x2 = x * x
    x6 = x2 * x2 * x2
    return 1 + x6 * (-28 + 48 * x - 21 * x2)


class CrystalEncoder(nn.Module):
    def __init__(self, s: NetworkSettings, element_columns: int, elements: int, *, concatenated: bool) -> None:
        super().__init__()
        width = s.crystal_width
        message = ConcatenatedMessage if concatenated else Message
        self.of_element = nn.Linear(element_columns, width)
        self.element, self.site_group = nn.Embedding(elements, width), nn.Embedding(32, width)
        self.multiplicity = nn.Linear(1, width)
        self.norms, self.layers = nn.ModuleList(), nn.ModuleList()
        for _ in range(s.crystal_layers):
            self.norms.append(norm(width))
            self.layers.append(nn.ModuleList([message(width, s.radial), nn.Linear(len(SCALES) * width, width)]))
        self.token = nn.Linear(3 * width, s.token)
        self.last_norm, self.score = norm(width), nn.Linear(width, 1)
        self.register_buffer("centres", torch.linspace(0.8, s.cutoff, s.radial), persistent=False)
        self.register_buffer("scales", torch.tensor(SCALES), persistent=False)

    def forward(self, batch: TorchBatch, elements: Tensor, rate: float) -> Tensor:
        h = F.embedding(batch.element, self.of_element(elements)) + self.element(batch.element)
        h = h + self.site_group(batch.site_group) + self.multiplicity(batch.multiplicity.log1p()[:, None])
        weights = envelope((batch.distance / batch.reach[:, None])[..., None] / self.scales).transpose(1, 2)
        finite = batch.distance.isfinite()
        apart = torch.where(finite, batch.distance, 0.0)[..., None] - self.centres
        gaussian = torch.exp(-0.5 * (apart / (self.centres[1] - self.centres[0])) ** 2)
        basis = torch.where(finite[..., None], gaussian, 0.0)
        for layer_norm, (message, update) in zip(self.norms, self.layers, strict=True):
            gathered = weights @ F.silu(message(layer_norm(h), batch.target, basis))
            h = h + F.dropout(F.silu(update(gathered.flatten(1))), rate)
        return self.token(self.pool(h, batch))

    def pool(self, h: Tensor, batch: TorchBatch) -> Tensor:
        """Mean, maximum and attention over the atoms of each crystal."""
        rows = batch.space_group.shape[0]
        h = self.last_norm(h)
        score = self.score(h)[:, 0]
        real = batch.multiplicity > 0
        wide = batch.crystal[:, None].expand_as(h)
        top = torch.full((rows + 1,), ABSENT).scatter_reduce(
            0, batch.crystal, torch.where(real, score, ABSENT), "amax", include_self=True
        )
        attention = batch.multiplicity * torch.exp(torch.where(real, score - top[batch.crystal], 0.0))
        columns = [h * batch.multiplicity[:, None], h * attention[:, None]]
        columns += [batch.multiplicity[:, None], attention[:, None]]
        per_node = torch.cat(columns, -1)
        sums = per_node.new_zeros(rows + 1, per_node.shape[1]).index_add(0, batch.crystal, per_node)[:rows]
        c = h.shape[1]
        mean = sums[:, :c] / sums[:, 2 * c : 2 * c + 1].clamp(min=1.0)
        attended = sums[:, c : 2 * c] / sums[:, 2 * c + 1 :].clamp(min=1e-9)
        # A crystal without nodes keeps the zero that it starts from.
        greatest = h.new_zeros(rows + 1, c).scatter_reduce(0, wide, h, "amax", include_self=False)[:rows]
        return torch.cat([mean, greatest, attended], -1)


class KSpaceEncoder(nn.Module):
    def __init__(self, s: NetworkSettings, tables: TorchTables, point_columns: int, line_columns: int) -> None:
        super().__init__()
        width, self.heads, biases = s.kspace_width, s.kspace_heads, s.kspace_layers * s.kspace_heads
        self.of_point, self.co_group = nn.Linear(tables.point.shape[-1], width), nn.Embedding(32, width)
        self.points = nn.Linear(point_columns, width)
        self.of_line = nn.Linear(tables.line.shape[-1], biases)
        self.lines = nn.Linear(line_columns, biases, bias=False)
        self.layers = nn.ModuleList()
        for _ in range(s.kspace_layers):
            four = [nn.Linear(width, width) for _ in range(4)]
            self.layers.append(nn.ModuleList([norm(width), *four, Block(width, 2 * width)]))
        self.last_norm, self.space_group = norm(width), nn.Embedding(tables.present.shape[0], width)
        self.token = nn.Linear(3 * width, s.token)

    def forward(self, batch: TorchBatch, tables: TorchTables, rate: float) -> Tensor:
        group = batch.space_group
        present = tables.present[group]
        b, p = present.shape
        h = self.of_point(tables.point[group]) + self.co_group(tables.co_group[group]) + self.points(batch.points)
        lines = tables.line[group]
        line = self.of_line(lines) + torch.where(lines[..., :1] > 0, self.lines(batch.lines), 0.0)
        line = line.view(b, p, p, len(self.layers), self.heads).permute(3, 0, 4, 1, 2)
        line = torch.where(present[None, :, None, None, :], line, ABSENT)
        split = lambda x: x.view(b, p, self.heads, -1).transpose(1, 2)  # noqa: E731
        for bias, (layer_norm, q, k, v, out, block) in zip(line, self.layers, strict=True):
            y = layer_norm(h)
            mixed = F.scaled_dot_product_attention(split(q(y)), split(k(y)), split(v(y)), attn_mask=bias)
            h = block(h + F.dropout(out(mixed.transpose(1, 2).reshape(b, p, -1)), rate), rate)
        h = self.last_norm(h)
        there = present[..., None]
        mean = torch.where(there, h, 0.0).sum(1) / there.sum(1).clamp(min=1)
        greatest = torch.where(there.any(1), torch.where(there, h, ABSENT).amax(1), 0.0)
        return self.token(torch.cat([mean, greatest, self.space_group(group)], -1))


class VectorEncoder(nn.Module):
    def __init__(self, columns: int, widths: tuple[int, ...], group_width: int, groups: int, token: int) -> None:
        super().__init__()
        self.group = nn.Embedding(groups, group_width)
        self.stack = DenseStack(columns + group_width, widths)
        self.token = nn.Linear(widths[-1], token)

    def forward(self, vector: Tensor, space_group: Tensor, rate: float) -> Tensor:
        x = torch.cat([F.dropout(vector, rate), self.group(space_group)], -1)
        return self.token(self.stack(x, rate))
