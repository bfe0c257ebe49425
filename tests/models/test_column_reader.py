"""The column reader: what it reads, that it and the rest train apart, and what becomes of two opinions."""

from dataclasses import replace

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from jaxboost.data.batches import gather
from jaxboost.models import Memory, Network
from jaxboost.models.network import agreed
from jaxboost.training.memory import Drawn
from jaxboost.training.objective import batch_loss, cross_entropy
from jaxboost.training.population import init_program
from tests.training.tiny_population import BATCH, HYPER, NETWORK, tiny_population

STILL = HYPER._replace(dropout=0.0, column_dropout=0.0, mixup_alpha=0.0)
KSPACE, SCALARS, ELECTRONS = 1, 2, 3


@pytest.fixture(scope="module")
def case():
    """(network, settings, its params, a batch, tables, the rest of what `batch_loss` takes)."""
    members, whole = tiny_population()
    member, network = members["kfold_0"], Network(replace(NETWORK, reader_width=8))
    rows = jnp.asarray(member.train[:BATCH])
    materials, tables = jax.tree.map(jnp.asarray, (whole.materials, whole.tables))
    params = init_program(network, whole.settings, 40)(STILL, member.normalizer, materials, tables).params.named()
    batch = gather(
        materials, rows, nodes=whole.settings.nodes, normalizer=member.normalizer, modalities=STILL.modalities,
        cutoff=5.0,
    )  # fmt: skip
    nobody = Drawn(Memory(jnp.zeros((1, 1)), jnp.zeros(1, int), jnp.zeros(1, bool)), jnp.zeros(1, int))
    rest = (rows, materials, STILL, tables, nobody, None, jax.random.key(0))
    return network, whole.settings, params, batch, tables, rest


@pytest.fixture(scope="module")
def score(case):
    """Compiled once: (logits, out) of a batch."""
    network, _, params, _, tables, _ = case
    return jax.jit(lambda batch: network.apply({"params": params}, batch, tables))


@pytest.fixture(scope="module")
def read_of(score):
    return lambda batch: np.asarray(score(batch)[1]["read"])


@pytest.mark.parametrize("name", ["scalars_steps", "electrons_steps", "kspace_steps", "scalars", "kspace_columns"])
def test_it_reads_columns_and_steps(case, read_of, name):
    batch = case[3]
    changed = batch._replace(**{name: getattr(batch, name) + 1.0})
    assert np.abs(read_of(changed) - read_of(batch)).max() > 1e-4


def test_it_reads_no_graph(case, read_of):
    batch = case[3]
    changed = batch._replace(distance=batch.distance * 1.2, element=batch.element + 1, points=batch.points + 1)
    np.testing.assert_array_equal(read_of(changed), read_of(batch))


@pytest.mark.parametrize(
    "place, names",
    [
        (KSPACE, ("kspace_columns", "kspace_steps")),
        (SCALARS, ("scalars", "scalars_steps")),
        (ELECTRONS, ("electrons", "electrons_steps")),
    ],
)
def test_it_does_not_read_a_modality_that_is_not_there(case, read_of, place, names):
    batch = case[3]
    without = batch._replace(mask=batch.mask.at[:, place].set(False))
    changed = without._replace(**{name: getattr(batch, name) * -3 + 1 for name in names})
    np.testing.assert_array_equal(read_of(changed), read_of(without))
    assert np.abs(read_of(without) - read_of(batch)).max() > 1e-4


def test_the_loss_is_of_both_opinions_and_each_trains_its_own_weights(case):
    network, settings, params, batch, tables, rest = case
    settings = replace(settings, smoothing=0.0, gamma=0.0)
    loss_of = jax.jit(lambda p, b: batch_loss(network, settings, p, b, *rest)[0])
    labels = jax.nn.one_hot(rest[1].label[rest[0]], 2)

    def alone(params):
        """Losses of the classifier and of the reader."""
        fused, out = network.apply({"params": params}, batch, tables, method="fuse")
        said = network.apply({"params": params}, fused, batch.possible, method="classify")
        read = network.apply({"params": params}, out["read"], batch.possible, method="penalised")
        return jnp.stack([cross_entropy(said, labels).mean(), cross_entropy(read, labels).mean()])

    both = jax.jit(alone)(params)
    assert float(loss_of(params, batch)) == pytest.approx(float(both.sum()), rel=1e-5)
    slopes = jax.jit(jax.jacrev(alone))(params)
    for name, slope in slopes.items():
        of_each = [max(float(jnp.abs(leaf[i]).max()) for leaf in jax.tree.leaves(slope)) for i in (0, 1)]
        # What an excluded class pays is both opinions' affair; nothing is excluded here.
        assert (of_each[0] > 0) == (name not in ("reader", "penalty")), name
        assert (of_each[1] > 0) == (name == "reader"), name


def test_the_logits_are_the_mean_of_both(case, score):
    network, _, params, batch, _, _ = case
    logits, out = score(batch)
    said = network.apply({"params": params}, out["fused"], batch.possible, method="classify")
    read = network.apply({"params": params}, out["read"], batch.possible, method="penalised")
    p, q = np.asarray(jax.nn.softmax(said)), np.asarray(jax.nn.softmax(read))
    expected = np.sqrt(p * q)
    np.testing.assert_allclose(jax.nn.softmax(logits), expected / expected.sum(1, keepdims=True), rtol=1e-5, atol=1e-6)


def test_an_opinion_that_is_sure_by_a_constant_is_no_surer():
    one, other = jnp.array([[1.0, 2.0, 0.0]]), jnp.array([[0.0, 0.5, 1.0]])
    np.testing.assert_allclose(agreed(one + 100, other), agreed(one, other), atol=1e-5)
