"""The population's training step in PyTorch: packing, objective, clipping and AdamW of one member after another.

As one would write it for PyTorch: what the step cannot change (standardised columns, what relatives say) is computed
once for a member, batches are not padded unless asked, mixing and displacements are left out where there are none, and
AdamW is the fused one.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, fields

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor

from benchmarks.torch_column_reader import Steps
from benchmarks.torch_encoders import TorchBatch, TorchTables
from benchmarks.torch_network import Network
from jaxboost.data.batches import CLIP, Materials, Normalizer
from jaxboost.data.isopointal import columns
from jaxboost.models import SymmetryTables
from jaxboost.training.member import Hyperparameters
from jaxboost.training.training_settings import TrainingSettings

LossFunction = Callable[..., tuple[Tensor, Tensor]]


@dataclass(frozen=True)
class Draws:
    """What is drawn for a step besides dropout.

    Attributes:
      jitter, strain, neighbors, reach: the view, as in `jaxboost.data.views.View`.
      noise: [o, K + 1, 3] standard normal, or None where the view displaces nothing.
      partner: [b], or None where the batch is not mixed.
      share: of each crystal itself in the mix.
    """

    jitter: float
    strain: float
    neighbors: int
    reach: float
    noise: Tensor | None
    partner: Tensor | None
    share: float


def draw(rng: np.random.Generator, settings: TrainingSettings, alpha: float, nodes: int, batch: int) -> Draws:
    """Of the distributions that `random_view` and `batch_loss` draw from."""
    on = rng.random() < 2 / 3
    mix = rng.random() < settings.mixup_probability and alpha > 0
    k = settings.neighbors
    return Draws(
        jitter=on * rng.uniform(0, settings.jitter),
        strain=on * rng.uniform(-settings.strain, settings.strain),
        neighbors=k - on * int(rng.integers(0, max(k // 4, 1) + 1)),
        reach=1 - on * rng.uniform(0, 0.2),
        noise=torch.randn(nodes, k + 1, 3) if on else None,
        partner=torch.randperm(batch) if mix else None,
        share=rng.beta(alpha, alpha) if mix else 1.0,
    )


def tensors(arrays: SymmetryTables) -> TorchTables:
    """The tables of the space groups and the elements."""
    return TorchTables(**{field.name: _tensor(getattr(arrays, field.name)) for field in fields(TorchTables)})


class MemberMaterials:
    """The resident table as one member sees it."""

    def __init__(self, materials: Materials, normalizer: Normalizer, modalities: np.ndarray, cutoff: float) -> None:
        m, n = materials, normalizer
        related = columns(
            m.relative, m.relative_distance, m.relative_label, n.known, m.possible.shape[1]
        )  # the same whatever the batch
        self.cutoff = cutoff
        self.start, self.size = _tensor(m.offset[:-1]), _tensor(np.diff(m.offset))
        names = ("element", "site_group", "multiplicity", "target", "distance", "direction")
        self.element, self.site_group, self.multiplicity, self.target, self.distance, self.direction = (
            _tensor(getattr(m, name)) for name in names
        )
        self.space_group, self.label, self.possible = (_tensor(x) for x in (m.space_group, m.label, m.possible))
        self.mask = _tensor(m.mask & modalities)
        self.points = _standard(_tensor(m.points), n.points_mean, n.points_std)
        self.lines = _standard(_tensor(m.lines), n.lines_mean, n.lines_std)
        kspace_columns = _standard(_tensor(m.kspace_columns), n.kspace_columns_mean, n.kspace_columns_std)
        self.kspace_columns = kspace_columns * _tensor(n.kspace_columns_weight)
        electrons = _standard(_tensor(m.electrons), n.electrons_mean, n.electrons_std)
        self.electrons = electrons * _tensor(n.electrons_weight)
        self.scalars, self.relatives = _tensor(m.scalars), _tensor(related * n.relatives_weight)
        self.scalars_mean, self.scalars_std = _tensor(n.scalars_mean), _tensor(n.scalars_std)
        self.scalars_weight = _tensor(n.scalars_weight)
        self.strain_constant, self.strain_proportional = (
            _tensor(x) for x in (m.strain_constant, m.strain_proportional)
        )
        climb = {
            name: Steps(_tensor(getattr(n, f"{name}_edges")), _tensor(getattr(n, f"{name}_weight")))
            for name in ("kspace_columns", "scalars", "electrons")
        }
        self.kspace_steps = climb["kspace_columns"](_tensor(m.kspace_columns))
        self.electrons_steps = climb["electrons"](_tensor(m.electrons))
        self.scalars_steps = climb["scalars"]  # of scalars that a strain moves

    def nodes(self, rows: Tensor) -> int:
        """Orbits of the crystals of a batch."""
        return int(self.size[rows].sum())

    def pack(self, rows: Tensor, draws: Draws, nodes: int | None = None) -> TorchBatch:
        """The crystals `rows` [b] as one batch, padded to `nodes`: `jaxboost.data.batches.gather`."""
        b, size = len(rows), self.size[rows]
        first = size.cumsum(0) - size
        crystal = torch.repeat_interleave(torch.arange(b), size)
        orbit = self.start[rows][crystal] + torch.arange(len(crystal)) - first[crystal]
        distance, target = self.distance[orbit], self.target[orbit] + first[crystal][:, None]
        reach = distance[:, draws.neighbors - 1].clamp(max=self.cutoff * draws.reach) * (1 + draws.strain)
        if draws.noise is not None:
            noise = draws.noise[: len(orbit)]
            distance = _displaced(distance, self.direction[orbit], noise, draws)
        scalars = self.scalars[rows]
        if draws.strain:
            scalars = scalars + draws.strain * (self.strain_constant + self.strain_proportional * scalars)
        element, site_group, multiplicity = (x[orbit] for x in (self.element, self.site_group, self.multiplicity))
        if nodes is not None:
            pad = nodes - len(orbit)
            element, site_group, multiplicity = (F.pad(x, (0, pad)) for x in (element, site_group, multiplicity))
            crystal, target = F.pad(crystal, (0, pad), value=b), F.pad(target, (0, 0, 0, pad))
            distance, reach = F.pad(distance, (0, 0, 0, pad), value=torch.inf), F.pad(reach, (0, pad), value=1.0)
        return TorchBatch(
            element=element,
            site_group=site_group,
            multiplicity=multiplicity,
            crystal=crystal,
            target=target,
            distance=distance,
            reach=reach,
            space_group=self.space_group[rows],
            points=self.points[rows],
            lines=self.lines[rows],
            kspace_columns=self.kspace_columns[rows],
            scalars=torch.cat(
                [_standard(scalars, self.scalars_mean, self.scalars_std) * self.scalars_weight, self.relatives[rows]], 1
            ),
            electrons=self.electrons[rows],
            kspace_steps=self.kspace_steps[rows],
            scalars_steps=self.scalars_steps(scalars),
            electrons_steps=self.electrons_steps[rows],
            mask=self.mask[rows],
            possible=self.possible[rows],
        )


def _tensor(array: np.ndarray) -> Tensor:
    array = np.asarray(array)
    return torch.from_numpy(np.array(array, np.int64 if array.dtype.kind in "iu" else array.dtype))


def _standard(x: Tensor, mean: np.ndarray | Tensor, std: np.ndarray | Tensor) -> Tensor:
    mean, std = torch.as_tensor(mean), torch.as_tensor(std)
    return torch.where(x.isnan(), 0.0, (x - mean) / std).clamp(-CLIP, CLIP)


def _displaced(distance: Tensor, direction: Tensor, noise: Tensor, draws: Draws) -> Tensor:
    finite = distance.isfinite()
    d = torch.where(finite, distance, 1.0) * (1 + draws.strain)
    shift = draws.jitter * (noise[:, :-1] - noise[:, -1:])
    along = (shift * direction).sum(-1)
    across = ((shift * shift).sum(-1) - along * along).clamp(min=0)
    return torch.where(finite, (d + along).abs() + across / (2 * d), torch.inf)


def batch_loss(
    network: Network,
    settings: TrainingSettings,
    batch: TorchBatch,
    labels: Tensor,
    tables: TorchTables,
    rate: float,
    partner: Tensor | None,
    share: float | Tensor,
) -> tuple[Tensor, Tensor]:
    """Mean loss and accuracy of a batch: `jaxboost.training.objective.batch_loss`."""
    fused, possible = network.fuse(batch, tables, rate), batch.possible
    if partner is not None:
        fused = share * fused + (1 - share) * fused[partner]
        possible = possible | possible[partner]
    logits = network.classify(fused, possible, rate)
    if partner is None:
        loss = focal_loss(logits, labels, settings)
    else:
        one, other = (
            F.cross_entropy(logits, own, label_smoothing=settings.smoothing, reduction="none")
            for own in (labels, labels[partner])
        )
        loss = share * one + (1 - share) * other
    loss = loss.mean()
    if hasattr(network, "reader"):
        read = network.read(batch, rate)
        loss = loss + focal_loss(read, labels, settings).mean()
        logits = logits.log_softmax(-1) + read.log_softmax(-1)
    return loss, (logits.argmax(-1) == labels).float().mean()


def focal_loss(logits: Tensor, labels: Tensor, settings: TrainingSettings) -> Tensor:
    """[b], of plain crystals."""
    loss = F.cross_entropy(logits, labels, label_smoothing=settings.smoothing, reduction="none")
    if settings.gamma:
        p_true = logits.softmax(-1).gather(1, labels[:, None])[:, 0]
        loss = (1 - p_true).clamp(min=1e-6) ** settings.gamma * loss
    return loss


class TorchMember:
    """A member that trains.

    Attributes:
      losses: of the steps done, as tensors.
      loss_of: `batch_loss`, or a compiled one.
      padded: whether batches are padded to the budget of the settings.
    """

    def __init__(
        self,
        network: Network,
        materials: MemberMaterials,
        tables: TorchTables,
        settings: TrainingSettings,
        hyper: Hyperparameters,
        rates: Sequence[float],
        *,
        loss_of: LossFunction = batch_loss,
        padded: bool = False,
    ) -> None:
        self.network, self.materials, self.tables, self.settings = network, materials, tables, settings
        self.dropout, self.alpha, self.rates = float(hyper.dropout), float(hyper.mixup_alpha), rates
        self.loss_of, self.nodes = loss_of, settings.nodes if padded else None
        decayed = [p for p in network.parameters() if p.ndim > 1]
        vectors = [p for p in network.parameters() if p.ndim <= 1]
        groups = [
            {"params": decayed, "weight_decay": float(hyper.weight_decay)},
            {"params": vectors, "weight_decay": 0.0},
        ]
        self.optimizer = torch.optim.AdamW(groups, lr=rates[0], eps=1e-8, fused=True)
        self.parameters = list(network.parameters())
        self.rng = np.random.default_rng(int(hyper.seed))
        self.losses: list[Tensor] = []
        self.accuracies: list[Tensor] = []
        self.failed, self.updates = False, 0

    def step(self, rows: Tensor, draws: Draws | None = None) -> None:
        """One batch; `draws` are made where none are given."""
        if draws is None:
            nodes = self.materials.nodes(rows)
            draws = draw(self.rng, self.settings, self.alpha, nodes, len(rows))
        batch = self.materials.pack(rows, draws, self.nodes)
        # A tensor, because torch.compile would compile again for each number.
        share = draws.share if draws.partner is None or self.loss_of is batch_loss else torch.tensor(draws.share)
        loss, accuracy = self.loss_of(
            self.network, self.settings, batch, self.materials.label[rows], self.tables, self.dropout,
            draws.partner, share,
        )  # fmt: skip
        self.optimizer.zero_grad(set_to_none=True)
        loss.backward()
        self.losses.append(loss.detach())
        self.accuracies.append(accuracy)
        self.update()

    def update(self) -> None:
        """Clips the gradients and follows them; a gradient that is not finite stops the member."""
        norm = torch.nn.utils.clip_grad_norm_(self.parameters, self.settings.clip_norm, foreach=True)
        self.failed = self.failed or not bool(norm.isfinite())
        if not self.failed:
            for group in self.optimizer.param_groups:
                group["lr"] = self.rates[self.updates % len(self.rates)]
            self.optimizer.step()
        self.updates += 1
