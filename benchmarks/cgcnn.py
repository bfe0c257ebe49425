"""CGCNN: the crystal graph alone, gated convolutions, mean over the atoms, as a peer of the network.

Architecture of T. Xie and J. C. Grossman, Phys. Rev. Lett. 120, 145301 (2018), eq. 5, with the sizes of their
program: 12 neighbours within 8 Angstrom, 64 features an atom, 3 convolutions, one hidden layer of 128, dropout 0.5
before the logits. Written anew for the arrays of `jaxboost.modalities.crystal_graph`: one node an orbit, which counts
by its multiplicity in the mean and in batch normalisation, so that the result is that of one node an atom.

What differs from theirs: an element is its properties and a one-hot of its number (their table of one-hot properties
is not in this repository); Adam with a cosine to zero instead of steps; of two peak rates the better on the inner
held-out rows is taken, by shorter trainings.
"""

from dataclasses import dataclass
from functools import partial
from typing import Any, NamedTuple

import flax.linen as nn
import jax
import jax.numpy as jnp
import numpy as np
import optax

from benchmarks.peer_task import Fitted, Task, best_setting
from jaxboost.data.batches import (
    Materials,
    Normalizer,
    gather,
    make_materials,
    node_budget,
    scoring_batches,
    symmetry_tables,
    training_batches,
)
from jaxboost.data.isopointal import no_relatives
from jaxboost.modalities.features import MODALITIES
from jaxboost.models.batch import Array, Batch
from jaxboost.models.crystal_encoder import radial_basis
from jaxboost.models.layers import Dropout
from jaxboost.reporting.metrics import log_losses

BATCH = 256
RATES = (2e-3, 5e-3)  # peak of the learning rate
SEARCH_EPOCHS, EPOCHS = 8, 24  # to choose the rate by, and at the end; 12 s of one core each on 14,700 rows
# The columns that are standardised are not read here.
_COLUMNS = [name for name in Normalizer._fields if name.endswith(("_mean", "_std"))]
_UNREAD = Normalizer(known=np.zeros(1, bool), **{name: np.float32(name.endswith("_std")) for name in _COLUMNS})
_ADAM = optax.scale_by_adam()


class WeightedBatchNorm(nn.Module):
    """Batch normalisation over all axes but the last, in which each place counts by its weight.

    Running means (momentum 0.9) are kept in the collection `batch_stats`.
    """

    @nn.compact
    def __call__(self, x: jax.Array, weight: jax.Array, training: bool) -> jax.Array:
        """Of x [..., c] and weight [...] not below 0."""
        width = x.shape[-1]
        mean = self.variable("batch_stats", "mean", jnp.zeros, width)
        variance = self.variable("batch_stats", "variance", jnp.ones, width)
        centre, spread = mean.value, variance.value
        if training:
            share = (weight / jnp.maximum(weight.sum(), 1e-9))[..., None]
            axes = tuple(range(x.ndim - 1))
            centre = (share * x).sum(axes)
            spread = (share * (x - centre) ** 2).sum(axes)
            mean.value = 0.9 * mean.value + 0.1 * centre
            variance.value = 0.9 * variance.value + 0.1 * spread
        scale = self.param("scale", nn.initializers.ones, (width,))
        bias = self.param("bias", nn.initializers.zeros, (width,))
        return (x - centre) * jax.lax.rsqrt(spread + 1e-5) * scale + bias


@dataclass(frozen=True)
class CgcnnSettings:
    """Sizes; `cutoff` in Angstrom."""

    classes: int
    cutoff: float
    neighbors: int = 12
    gaussians: int = 41
    width: int = 64
    convolutions: int = 3
    hidden: int = 128
    dropout: float = 0.5


class Cgcnn(nn.Module):
    """A batch of crystals to class logits."""

    settings: CgcnnSettings

    @nn.compact
    def __call__(self, batch: Batch, elements: Array, *, training: bool) -> jax.Array:
        """Logits [b, class] from a batch and the element table [104, e]."""
        s = self.settings
        distance = batch.distance[:, : s.neighbors]
        target = batch.target[:, : s.neighbors]
        there = jnp.isfinite(distance)
        weight = batch.multiplicity[:, None] * there
        basis = radial_basis(distance, s.gaussians, s.cutoff)
        h = nn.Dense(s.width)(jnp.concatenate([jnp.eye(len(elements)), elements], 1))[batch.element]
        for _ in range(s.convolutions):
            # Projected before they are gathered: W [h_i, h_j, e] = W_1 h_i + W_2 h_j + W_3 e.
            of_pair = nn.Dense(2 * s.width)(h)[:, None] + nn.Dense(2 * s.width, use_bias=False)(h)[target]
            of_pair = of_pair + nn.Dense(2 * s.width, use_bias=False)(basis)
            gate, core = jnp.split(WeightedBatchNorm()(of_pair, weight, training), 2, axis=-1)
            summed = jnp.where(there[..., None], nn.sigmoid(gate) * nn.softplus(core), 0).sum(1)
            h = nn.softplus(h + WeightedBatchNorm()(summed, batch.multiplicity, training))
        b = batch.space_group.shape[0]
        of_crystal = partial(jax.ops.segment_sum, segment_ids=batch.crystal, num_segments=b + 1)
        # A row of the batch without nodes (padding) divides by one.
        atoms = jnp.maximum(of_crystal(batch.multiplicity)[:b], 1.0)
        mean = of_crystal(h * batch.multiplicity[:, None])[:b] / atoms[:, None]
        y = nn.softplus(nn.Dense(s.hidden)(nn.softplus(mean)))
        return nn.Dense(s.classes)(Dropout()(y, s.dropout if training else None))


class State(NamedTuple):
    """Weights, running means of batch normalisation, moments of Adam."""

    params: Any
    statistics: Any
    optimizer: Any


def _pack(materials: Materials, rows: jax.Array, nodes: int, cutoff: float) -> Batch:
    everything = np.ones(len(MODALITIES), bool)
    return gather(materials, rows, nodes=nodes, normalizer=_UNREAD, modalities=everything, cutoff=cutoff)


@partial(jax.jit, static_argnames=("network", "nodes"))
def _initial(network: Cgcnn, nodes: int, key: jax.Array, materials: Materials, elements: jax.Array) -> State:
    batch = _pack(materials, jnp.zeros(2, jnp.int32), nodes, network.settings.cutoff)
    variables = network.init(key, batch, elements, training=False)
    return State(variables["params"], variables["batch_stats"], _ADAM.init(variables["params"]))


@partial(jax.jit, static_argnames=("network", "nodes"), donate_argnames="state")
def _epoch(
    network: Cgcnn,
    nodes: int,
    state: State,
    key: jax.Array,
    plan: jax.Array,
    rates: jax.Array,
    materials: Materials,
    elements: jax.Array,
) -> State:
    """Steps on the batches of `plan` [step, b] at the learning `rates` [step]."""

    def step(state: State, inputs: tuple[jax.Array, jax.Array, jax.Array]) -> tuple[State, None]:
        rows, rate, dropout_key = inputs
        batch, labels = _pack(materials, rows, nodes, network.settings.cutoff), materials.label[rows]

        def loss(params: Any) -> tuple[jax.Array, Any]:
            variables = {"params": params, "batch_stats": state.statistics}
            rngs = {"dropout": dropout_key}
            logits, new = network.apply(
                variables, batch, elements, training=True, mutable="batch_stats", rngs=rngs
            )  # fmt: skip
            return optax.softmax_cross_entropy_with_integer_labels(logits, labels).mean(), new["batch_stats"]

        grads, statistics = jax.grad(loss, has_aux=True)(state.params)
        updates, optimizer = _ADAM.update(grads, state.optimizer)
        params = jax.tree.map(lambda p, u: p - rate * u, state.params, updates)
        return State(params, statistics, optimizer), None

    return jax.lax.scan(step, state, (plan, rates, jax.random.split(key, len(plan))))[0]


@partial(jax.jit, static_argnames=("network", "nodes"))
def _probabilities(
    network: Cgcnn, nodes: int, state: State, rows: jax.Array, materials: Materials, elements: jax.Array
) -> jax.Array:
    """[b, class] of the rows [b], -1 for padding."""
    batch = _pack(materials, rows, nodes, network.settings.cutoff)
    variables = {"params": state.params, "batch_stats": state.statistics}
    return jax.nn.softmax(network.apply(variables, batch, elements, training=False))


@dataclass(frozen=True, eq=False)
class Trainer:
    """Trains and scores on a resident table.

    Attributes:
      network: the module.
      materials, elements: resident arrays, on the device.
      sizes: [n] orbits of each row.
      seed: of weights, batches and dropout.
    """

    network: Cgcnn
    materials: Materials
    elements: jax.Array
    sizes: np.ndarray
    seed: int

    def _nodes(self, rows: np.ndarray) -> int:
        return node_budget(self.sizes[rows], BATCH, multiple=256)

    def train(self, rows: np.ndarray, rate: float, epochs: int) -> State:
        """The last epoch's state; the rate falls from `rate` to 0 in a cosine."""
        nodes, steps = self._nodes(rows), max(len(rows) // BATCH, 1)
        key = jax.random.key(self.seed)
        state = _initial(self.network, nodes, key, self.materials, self.elements)
        rates = optax.cosine_decay_schedule(rate, epochs * steps)(np.arange(epochs * steps)).reshape(epochs, steps)
        for epoch in range(epochs):
            plan = training_batches(
                rows, self.sizes[rows], BATCH, first=epoch * steps, count=steps, seed=(self.seed, 1)
            )
            own = jax.random.fold_in(key, epoch + 1)
            state = _epoch(self.network, nodes, state, own, plan, rates[epoch], self.materials, self.elements)
        return jax.block_until_ready(state)

    def probabilities(self, state: State, rows: np.ndarray) -> np.ndarray:
        """[m, class] of the rows [m]."""
        found = np.zeros((len(self.sizes), self.network.settings.classes), np.float32)
        nodes = self._nodes(rows)
        for batch in scoring_batches(rows, self.sizes[rows], BATCH):
            p = np.asarray(_probabilities(self.network, nodes, state, batch, self.materials, self.elements))
            found[batch[batch >= 0]] = p[batch >= 0]
        return found[rows]


def make_trainer(task: Task) -> Trainer:
    """Of the task's crystals."""
    dataset = task.dataset
    classes = len(dataset.classes)
    materials = make_materials(
        dataset.features, np.ones((len(dataset), classes), bool), dataset.labels, no_relatives(len(dataset))
    )
    return Trainer(
        network=Cgcnn(CgcnnSettings(classes, task.cutoff)),
        materials=jax.device_put(materials),
        elements=jnp.asarray(symmetry_tables().element),
        sizes=dataset.features.n_orbits,
        seed=task.seed,
    )


def cgcnn(task: Task, train: np.ndarray) -> Fitted:
    """Searched: the peak of the learning rate (`RATES`)."""
    trainer, labels = make_trainer(task), task.dataset.labels

    def losses(rate: float, seen: np.ndarray, held: np.ndarray) -> list[float]:
        state = trainer.train(seen, rate, SEARCH_EPOCHS)
        return [float(log_losses(trainer.probabilities(state, held), labels[held]).mean())]

    rate, _ = best_setting(task, train, RATES, losses)
    state = trainer.train(train, rate, EPOCHS)
    return Fitted(lambda rows: trainer.probabilities(state, rows), f"rate {rate:g}")
