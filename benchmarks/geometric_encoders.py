"""The two graph encoders of `torch_encoders.py` with the message passing of PyTorch Geometric, as its users write it.

Edges are a list of pairs, a message is a function of both ends and the edge, concatenated, and what arrives at a node
is scattered. Only what is there is computed: neighbours within the cutoff, points that the space group has. Weights are
those of the other encoders, in the same order.
"""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor, nn
from torch_geometric.nn import MessagePassing, global_max_pool, global_mean_pool
from torch_geometric.utils import scatter, softmax

from benchmarks.torch_encoders import CrystalEncoder, KSpaceEncoder, TorchBatch, TorchTables, envelope


class _ThreeScales(MessagePassing):
    """Sums of messages weighed by distance at each scale, side by side; `joint` maps both ends and the edge."""

    def __init__(self) -> None:
        super().__init__(aggr="add")

    def forward(self, x: Tensor, edges: Tensor, basis: Tensor, weights: Tensor, joint: nn.Module) -> Tensor:
        return self.propagate(edges, x=x, basis=basis, weights=weights, joint=joint)

    def message(self, x_i: Tensor, x_j: Tensor, basis: Tensor, weights: Tensor, joint: nn.Module) -> Tensor:
        found = F.silu(joint(torch.cat([x_i, x_j, basis], -1)))
        return (weights[:, :, None] * found[:, None]).flatten(1)


class GeometricCrystalEncoder(CrystalEncoder):
    def __init__(self, *sizes: object, concatenated: bool) -> None:
        super().__init__(*sizes, concatenated=concatenated)
        self.convolution = _ThreeScales()

    def forward(self, batch: TorchBatch, elements: Tensor, rate: float) -> Tensor:
        h = F.embedding(batch.element, self.of_element(elements)) + self.element(batch.element)
        h = h + self.site_group(batch.site_group) + self.multiplicity(batch.multiplicity.log1p()[:, None])
        receiver, slot = batch.distance.isfinite().nonzero(as_tuple=True)
        edges = torch.stack([batch.target[receiver, slot], receiver])
        distance = batch.distance[receiver, slot]
        weights = envelope((distance / batch.reach[receiver])[:, None] / self.scales)
        basis = torch.exp(-0.5 * ((distance[:, None] - self.centres) / (self.centres[1] - self.centres[0])) ** 2)
        for layer_norm, (message, update) in zip(self.norms, self.layers, strict=True):
            gathered = self.convolution(layer_norm(h), edges, basis, weights, message.joint)
            h = h + F.dropout(F.silu(update(gathered)), rate)
        return self.token(self.pool(h, batch))

    def pool(self, h: Tensor, batch: TorchBatch) -> Tensor:
        """Mean, maximum and attention over the atoms of each crystal."""
        rows, many = batch.space_group.shape[0], batch.multiplicity[:, None]
        h = self.last_norm(h)
        mean = scatter(h * many, batch.crystal, 0, rows) / scatter(many, batch.crystal, 0, rows)
        attention = softmax(self.score(h) + many.log(), batch.crystal, num_nodes=rows)
        attended = scatter(h * attention, batch.crystal, 0, rows)
        return torch.cat([mean, global_max_pool(h, batch.crystal, rows), attended], -1)


class _Attention(MessagePassing):
    """Multi-head attention over the edges that arrive at a point, with a bias of each."""

    def __init__(self) -> None:
        super().__init__(aggr="add", node_dim=0)

    def forward(self, q: Tensor, k: Tensor, v: Tensor, edges: Tensor, bias: Tensor) -> Tensor:
        return self.propagate(edges, q=q, k=k, v=v, bias=bias)

    def message(self, q_i: Tensor, k_j: Tensor, v_j: Tensor, bias: Tensor, index: Tensor, size_i: int | None) -> Tensor:
        score = (q_i * k_j).sum(-1) / q_i.shape[-1] ** 0.5 + bias
        return softmax(score, index, num_nodes=size_i)[..., None] * v_j


class GeometricKSpaceEncoder(KSpaceEncoder):
    def __init__(self, *sizes: object) -> None:
        super().__init__(*sizes)
        self.attention = _Attention()

    def forward(self, batch: TorchBatch, tables: TorchTables, rate: float) -> Tensor:
        group = batch.space_group
        present = tables.present[group]
        zone, point = present.nonzero(as_tuple=True)
        number = present.flatten().cumsum(0).view_as(present) - 1
        where, receiver, sender = (present[:, :, None] & present[:, None]).nonzero(as_tuple=True)
        edges = torch.stack([number[where, sender], number[where, receiver]])
        lines = tables.line[group[where], receiver, sender]
        own = self.lines(batch.lines[where, receiver, sender])
        biases = (self.of_line(lines) + torch.where(lines[:, :1] > 0, own, 0.0)).view(len(lines), -1, self.heads)
        h = self.of_point(tables.point[group[zone], point]) + self.co_group(tables.co_group[group[zone], point])
        h = h + self.points(batch.points[zone, point])
        split = lambda x: x.view(len(x), self.heads, -1)  # noqa: E731
        for bias, (layer_norm, q, k, v, out, block) in zip(biases.unbind(1), self.layers, strict=True):
            y = layer_norm(h)
            mixed = self.attention(split(q(y)), split(k(y)), split(v(y)), edges, bias).flatten(1)
            h = block(h + F.dropout(out(mixed), rate), rate)
        h = self.last_norm(h)
        pooled = [pool(h, zone, len(group)) for pool in (global_mean_pool, global_max_pool)]
        return self.token(torch.cat([*pooled, self.space_group(group)], -1))
