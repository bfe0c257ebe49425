"""Whether the PyTorch side computes what jaxboost computes: loss and gradients of the same weights, batches and draws,
and the losses of whole steps after each other.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from functools import partial
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import torch
from torch import Tensor

from benchmarks.population_case import PopulationCase
from benchmarks.torch_network import Network, flax_arrays, load_flax
from benchmarks.torch_training import Draws, LossFunction, MemberMaterials, TorchMember, batch_loss, tensors
from jaxboost.data.batches import gather
from jaxboost.data.views import View, random_view
from jaxboost.models import Network as FlaxNetwork
from jaxboost.training import objective
from jaxboost.training.member import stack_hyperparameters
from jaxboost.training.memory import draw
from jaxboost.training.objective import mixup_share
from jaxboost.training.optimizer import schedule_of
from jaxboost.training.population import CallLog


@dataclass(frozen=True)
class Agreement:
    """Of one batch of one member, without dropout.

    Attributes:
      mixed: whether the batch is.
      flax, torch: losses.
      gradient: norm of the difference of the gradients over the norm of the gradient.
    """

    mixed: bool
    flax: float
    torch: float
    gradient: float


def make_member(
    case: PopulationCase,
    index: int,
    *,
    layers: str = "projected",
    loss_of: LossFunction = batch_loss,
    padded: bool = False,
) -> TorchMember:
    """One member of the case, with its first weights; `layers` as in `torch_network.py`."""
    member, settings = case.members[index], case.settings
    hyper, tables = member.hyperparameters, tensors(case.tables)
    materials = MemberMaterials(case.materials, member.normalizer, hyper.modalities, settings.cutoff)
    still = Draws(0.0, 0.0, settings.neighbors, 1.0, None, None, 1.0)
    example = materials.pack(torch.arange(2), still)
    network = Network(case.network, example, tables, layers=layers)
    load_flax(network, case.states[index].params.named())
    rates = np.asarray(schedule_of(hyper, settings)(np.arange(settings.steps_per_epoch))).tolist()
    return TorchMember(network, materials, tables, settings, hyper, rates, loss_of=loss_of, padded=padded)


def without_dropout(case: PopulationCase) -> PopulationCase:
    """The only draws that the two sides cannot share are those of dropout."""
    members = [
        replace(m, hyperparameters=m.hyperparameters._replace(dropout=0.0, column_dropout=0.0)) for m in case.members
    ]
    return replace(case, members=members)


def shared_draws(case: PopulationCase, index: int, step: int) -> tuple[View, jax.Array, jax.Array, Draws]:
    """What `member_call` draws at a step of the first epoch: view, keys of noise and loss, and all as tensors."""
    settings, hyper = case.settings, case.members[index].hyperparameters
    key = jax.random.fold_in(jax.random.fold_in(jax.random.key(7), hyper.seed), step)
    view_key, noise_key, loss_key = jax.random.split(key, 4)[:3]
    view = random_view(view_key, neighbors=settings.neighbors, jitter=settings.jitter, strain=settings.strain)
    rows, offset = case.batches[index, step], case.materials.offset
    identity = [case.materials.identity[r] + np.arange(offset[r + 1] - offset[r], dtype=np.uint32) for r in rows]
    nodes = np.resize(np.concatenate(identity), settings.nodes)  # of one shape, so that it is compiled once
    noise = _noise(noise_key, nodes, settings.neighbors)
    first, second, third, _, _ = jax.random.split(loss_key, 5)
    mix = bool(jax.random.bernoulli(first, settings.mixup_probability)) and hyper.mixup_alpha > 0
    draws = Draws(
        jitter=float(view.jitter),
        strain=float(view.strain),
        neighbors=int(view.neighbors),
        reach=float(view.reach),
        noise=_tensor(noise),
        partner=_tensor(jax.random.permutation(third, len(rows))).long() if mix else None,
        share=float(mixup_share(second, hyper.mixup_alpha)) if mix else 1.0,
    )
    return view, noise_key, loss_key, draws


@partial(jax.jit, static_argnums=2)
def _noise(key: jax.Array, identity: jax.Array, neighbors: int) -> jax.Array:
    keys = jax.vmap(lambda data: jax.random.fold_in(key, data))(identity)
    return jax.vmap(lambda one: jax.random.normal(one, (neighbors + 1, 3)))(keys)


def loss_of_flax(case: PopulationCase, index: int) -> Callable[..., tuple[jax.Array, Any]]:
    """Compiled loss and gradients of a member by (params, rows, view, noise key, loss key, materials, tables)."""
    own, settings, network = case.members[index], case.settings, FlaxNetwork(case.network)
    hyper = jax.tree.map(lambda x: x[0], stack_hyperparameters([own.hyperparameters]))

    @jax.jit
    def of_flax(params: Any, rows: Any, view: View, noise_key: Any, loss_key: Any, materials: Any, tables: Any) -> Any:
        batch = gather(
            materials, rows, nodes=settings.nodes, normalizer=own.normalizer, modalities=hyper.modalities,
            view=view, key=noise_key, cutoff=settings.cutoff,
        )  # fmt: skip
        nothing = draw(loss_key, jnp.zeros((len(materials.label), 1)), materials.label, rows, 1, begun=False)
        rest = (batch, rows, materials, hyper, tables, nothing, None, loss_key)  # nothing teaches it
        return jax.value_and_grad(lambda p: objective.batch_loss(network, settings, p, *rest)[0])(params)

    return of_flax


def compare_batches(
    case: PopulationCase, index: int, steps: Sequence[int], members: Sequence[TorchMember]
) -> list[list[Agreement]]:
    """For each of `members`, with the first weights of member `index`, each of the batches; no dropout on any side."""
    case = without_dropout(case)
    of_flax, resident = loss_of_flax(case, index), jax.tree.map(jnp.asarray, (case.materials, case.tables))
    found: list[list[Agreement]] = [[] for _ in members]
    for step in steps:
        rows, (view, noise_key, loss_key, draws) = case.batches[index, step], shared_draws(case, index, step)
        expected, grads = of_flax(case.states[index].params.named(), rows, view, noise_key, loss_key, *resident)
        for member, own in zip(members, found, strict=True):
            loss = loss_and_gradients(member, torch.from_numpy(rows).long(), draws)
            squares = [
                (((parameter.grad.numpy() - array) ** 2).sum(), (array**2).sum())
                for parameter, array in flax_arrays(member.network, grads, gradients=True)
                if parameter.grad is not None
            ]
            difference, size = np.sum(squares, axis=0)
            own.append(Agreement(draws.partner is not None, float(expected), loss, float(difference / size) ** 0.5))
    return found


def loss_and_gradients(member: TorchMember, rows: Tensor, draws: Draws) -> float:
    """Loss without dropout; the gradients are left in the parameters."""
    batch = member.materials.pack(rows, draws, member.nodes)
    member.network.zero_grad(set_to_none=True)
    loss, _ = batch_loss(
        member.network, member.settings, batch, member.materials.label[rows], member.tables, 0.0, draws.partner,
        draws.share,
    )  # fmt: skip
    loss.backward()
    return float(loss.detach())


def compare_steps(case: PopulationCase, call: Callable[[], CallLog], members: int) -> list[tuple[float, float]]:
    """Mean losses over the steps of a call, of jaxboost and of PyTorch, for the first `members`.

    Args:
      case: as `without_dropout` gives it.
      call: the first call of the population of `case`.
    """
    expected, found = call().train_loss[:members].tolist(), []
    opinions = 2 if case.network.reader_width else 1  # jaxboost logs their mean and trains by their sum
    for index in range(members):
        member = make_member(case, index)
        for step, rows in enumerate(case.batches[index]):
            member.step(torch.from_numpy(rows).long(), shared_draws(case, index, step)[-1])
        found.append(float(torch.stack(member.losses).mean()) / opinions)
    return list(zip(expected, found, strict=True))


def _tensor(array: jax.Array) -> Tensor:
    return torch.from_numpy(np.array(array))
