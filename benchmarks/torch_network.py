"""The network of `jaxboost/models` in PyTorch, and its arrays by the names that Flax gives them.

How the two graph encoders are written is one of `LAYERS`: 'projected', 'concatenated', both dense and without a package
for graphs, or 'geometric', by PyTorch Geometric's message passing, which concatenates too.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping
from typing import Any

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from benchmarks.torch_column_reader import ColumnReader
from benchmarks.torch_encoders import (
    ABSENT,
    Block,
    ConcatenatedMessage,
    CrystalEncoder,
    DenseStack,
    KSpaceEncoder,
    TorchBatch,
    TorchTables,
    VectorEncoder,
    gelu,
    norm,
)
from jaxboost.models import NetworkSettings

LAYERS = ("projected", "concatenated", "geometric")


def attend(q: Tensor, k: Tensor, v: Tensor, allowed: Tensor) -> Tensor:
    """[..., query, f] of q [..., query, f], k and v [..., key, f]; zero where no key is `allowed` [..., query, key]."""
    bias = torch.where(allowed, 0.0, ABSENT)
    return F.scaled_dot_product_attention(q, k, v, attn_mask=bias) * allowed.any(-1, keepdim=True)


class CrossModalAttention(nn.Module):
    def __init__(self, token: int, heads: int, modalities: int) -> None:
        super().__init__()
        self.heads = heads
        for name in ("q", "k", "v", "out"):
            self.register_parameter(name, nn.Parameter(torch.empty(modalities, token, token)))

    def forward(self, tokens: Tensor, mask: Tensor) -> Tensor:
        b, m, w = tokens.shape
        by_modality = tokens.transpose(0, 1)
        flat = tokens.reshape(b * m, w).expand(m, b * m, w)
        q = torch.bmm(by_modality, self.q).view(m, b, 1, self.heads, -1).transpose(2, 3)
        k, v = (torch.bmm(flat, x).view(m, b, m, self.heads, -1).transpose(2, 3) for x in (self.k, self.v))
        allowed = mask[None] & ~torch.eye(m, dtype=torch.bool)[:, None]
        mixed = attend(q, k, v, allowed[:, :, None, None])
        return torch.bmm(mixed.reshape(m, b, w), self.out).transpose(0, 1)


class SelfAttention(nn.Module):
    def __init__(self, token: int, heads: int) -> None:
        super().__init__()
        self.heads = heads
        self.q, self.k, self.v, self.out = (nn.Linear(token, token) for _ in range(4))

    def forward(self, tokens: Tensor, mask: Tensor) -> Tensor:
        split = lambda x: x.view(*x.shape[:2], self.heads, -1).transpose(1, 2)  # noqa: E731
        mixed = attend(*(split(part(tokens)) for part in (self.q, self.k, self.v)), mask[:, None, None])
        return self.out(mixed.transpose(1, 2).reshape(tokens.shape))


class Fusion(nn.Module):
    def __init__(self, s: NetworkSettings, modalities: int) -> None:
        super().__init__()
        self.missing = nn.Parameter(torch.empty(modalities, s.token))
        self.norms = nn.ModuleList(norm(n) for n in (s.token, s.token, s.token, 2 * s.fusion_width, s.fusion_width))
        self.cross = CrossModalAttention(s.token, s.fusion_heads, modalities)
        self.own = SelfAttention(s.token, s.fusion_heads)
        self.first = nn.Linear(modalities * s.token, 2 * s.fusion_width)
        self.second = nn.Linear(2 * s.fusion_width, s.fusion_width)

    def forward(self, tokens: Tensor, mask: Tensor, rate: float) -> Tensor:
        x = torch.where(mask[..., None], tokens, self.missing)
        x = x + F.dropout(self.cross(self.norms[0](x), mask), rate)
        x = x + F.dropout(self.own(self.norms[1](x), mask), rate)
        y = F.dropout(gelu(self.norms[3](self.first(self.norms[2](x).flatten(1)))), rate)
        return gelu(self.norms[4](self.second(y)))


class Classifier(nn.Module):
    def __init__(self, s: NetworkSettings) -> None:
        super().__init__()
        self.stack = DenseStack(s.fusion_width, s.classifier_widths)
        self.logits = nn.Linear(s.classifier_widths[-1], s.classes)

    def forward(self, fused: Tensor, rate: float) -> Tensor:
        return self.logits(self.stack(fused, rate))


class Network(nn.Module):
    """A batch of crystals to class logits, in two halves as the Flax network.

    `example` gives the number of columns of each modality. Weights are to be loaded (`load_flax`).
    """

    def __init__(
        self, settings: NetworkSettings, example: TorchBatch, tables: TorchTables, *, layers: str = "projected"
    ) -> None:
        super().__init__()
        s, modalities, groups = settings, example.mask.shape[1], tables.present.shape[0]
        elements, columns = tables.element.shape
        crystal, kspace = _graph_encoders(layers)
        self.crystal = crystal(s, columns, elements, concatenated=layers != "projected")
        self.kspace = kspace(s, tables, example.points.shape[-1], example.lines.shape[-1])
        sizes = s.group_width, groups, s.token
        if s.kspace_widths:
            self.kspace_columns = VectorEncoder(example.kspace_columns.shape[1], s.kspace_widths, *sizes)
        self.scalar = VectorEncoder(example.scalars.shape[1], s.scalar_widths, *sizes)
        self.electron = VectorEncoder(example.electrons.shape[1], s.electron_widths, *sizes)
        self.fusion = Fusion(s, modalities)
        self.classifier = Classifier(s)
        if s.reader_width:
            self.reader = ColumnReader(s, example, groups)
        self.penalty = nn.Parameter(torch.full((s.classes,), 2.0))

    def fuse(self, batch: TorchBatch, tables: TorchTables, rate: float) -> Tensor:
        kspace = self.kspace(batch, tables, rate)
        if hasattr(self, "kspace_columns"):
            kspace = kspace + self.kspace_columns(batch.kspace_columns, batch.space_group, rate)
        tokens = [
            self.crystal(batch, tables.element, rate),
            kspace,
            self.scalar(batch.scalars, batch.space_group, rate),
            self.electron(batch.electrons, batch.space_group, rate),
        ]
        return self.fusion(torch.stack(tokens, 1), batch.mask, rate)

    def classify(self, fused: Tensor, possible: Tensor, rate: float) -> Tensor:
        return self.penalised(self.classifier(fused, rate), possible)

    def read(self, batch: TorchBatch, rate: float) -> Tensor:
        return self.penalised(self.reader(batch, rate), batch.possible)

    def penalised(self, logits: Tensor, possible: Tensor) -> Tensor:
        return logits - torch.where(possible, 0.0, F.softplus(self.penalty))


def _graph_encoders(layers: str) -> tuple[type[CrystalEncoder], type[KSpaceEncoder]]:
    if layers != "geometric":
        return CrystalEncoder, KSpaceEncoder
    # Here: PyTorch Geometric may be absent.
    from benchmarks.geometric_encoders import GeometricCrystalEncoder, GeometricKSpaceEncoder

    return GeometricCrystalEncoder, GeometricKSpaceEncoder


_KINDS = {nn.Linear: "Dense", nn.LayerNorm: "LayerNorm", nn.Embedding: "Embed"}
_SCOPES = (Block, DenseStack, CrossModalAttention, SelfAttention)  # modules with names of their own in Flax


def _parts(module: nn.Module) -> Iterator[nn.Module]:
    """What a Flax module would name, in order: holders that Flax has not are walked through."""
    for child in module.children():
        if isinstance(child, (*_KINDS, *_SCOPES, ConcatenatedMessage)):
            yield child
        else:
            yield from _parts(child)


def _paths(module: nn.Module, scope: tuple[str, ...]) -> Iterator[tuple[nn.Module, list[tuple[str, ...]]]]:
    """Modules with parameters of their own, and the paths of the Flax modules that they stand for."""
    yield module, [scope]
    if isinstance(module, ColumnReader):
        for name, part in module.named_parts():
            yield part, [(*scope, name)]
        return
    counts: Counter[str] = Counter()

    def numbered(kind: str) -> tuple[str, ...]:
        counts[kind] += 1
        return *scope, f"{kind}_{counts[kind] - 1}"

    for part in _parts(module):
        if isinstance(part, ConcatenatedMessage):
            yield part.joint, [numbered("Dense") for _ in range(3)]
        elif isinstance(part, _SCOPES):
            yield from _paths(part, numbered(type(part).__name__))
        else:
            yield part, [numbered(_KINDS[type(part)])]


def _arrays_of(network: Network) -> Iterator[tuple[nn.Parameter, list[tuple[str, ...]]]]:
    """Every parameter and the Flax leaves that it stands for: three where a projection is of a concatenation."""
    yield network.penalty, [("penalty",)]
    for name, child in network.named_children():
        for module, scopes in _paths(child, (name,)):
            names = {"weight": "kernel"} if isinstance(module, nn.Linear) else {}
            names |= {"weight": "scale"} if isinstance(module, nn.LayerNorm) else {}
            names |= {"weight": "embedding"} if isinstance(module, nn.Embedding) else {}
            for own, parameter in module.named_parameters(recurse=False):
                yield parameter, [(*scope, names.get(own, own)) for scope in scopes]


def _joined(leaves: list[np.ndarray], gradients: bool) -> np.ndarray:
    """Kernels of a sum of projections are stacked; their biases add up, and each has the gradient of the sum."""
    if leaves[0].ndim == 2:
        return np.concatenate(leaves)
    return leaves[0] if gradients else np.sum(leaves, axis=0)


def flax_arrays(
    network: Network, tree: Mapping[str, Any], *, gradients: bool = False
) -> list[tuple[nn.Parameter, np.ndarray]]:
    """Every parameter beside what a tree in Flax's layout holds for it, in the shape of the parameter.

    `gradients` says that the tree holds those of the weights.

    Raises:
      ValueError: the tree has leaves that no parameter stands for, or other shapes.
    """
    found, used = [], set()
    for parameter, paths in _arrays_of(network):
        leaves = []
        for path in paths:
            leaf: Any = tree
            for key in path:
                leaf = leaf[key]
            leaves.append(np.asarray(leaf))
        used.update(paths)
        array = _joined(leaves, gradients) if len(leaves) > 1 else leaves[0]
        array = array.T if paths[0][-1] == "kernel" else array
        if array.shape != tuple(parameter.shape):
            raise ValueError(f"{paths}: {array.shape} there, {tuple(parameter.shape)} wanted")
        found.append((parameter, array))
    if left := set(_leaf_paths(tree, ())) - used:
        raise ValueError(f"no parameter for {sorted(left)}")
    return found


def _leaf_paths(tree: Mapping[str, Any], scope: tuple[str, ...]) -> Iterator[tuple[str, ...]]:
    for key, value in tree.items():
        if isinstance(value, Mapping):
            yield from _leaf_paths(value, (*scope, key))
        else:
            yield *scope, key


def load_flax(network: Network, params: Mapping[str, Any]) -> None:
    """Copies the weights of a Flax network."""
    with torch.no_grad():
        for parameter, array in flax_arrays(network, params):
            parameter.copy_(torch.from_numpy(np.array(array)))
