"""What a run says that it will cost, and what it says where nothing counts operations."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from jaxboost import estimate as module
from jaxboost.data.batches import gather
from jaxboost.estimate import cost_of, estimate
from jaxboost.training.memory import draw
from jaxboost.training.objective import batch_loss
from tests.training.tiny_population import tiny_population


@pytest.fixture(scope="module")
def crew():
    members, workshop = tiny_population()
    return list(members.values()), workshop


def test_operations_are_those_of_the_matrix_products_at_least(crew):
    cost = cost_of(*crew)
    said = estimate(*crew)
    assert said.startswith(f"4 members of {cost.parameters:,} parameters, ") and " operations: about " in said
    # Each weight of a dense layer is used once a crystal at the least: a product and a sum forward, twice that back.
    assert 2 * cost.parameters < cost.operations < np.inf


def test_a_step_is_three_forward_passes(crew):
    members, workshop = crew
    hyper, settings = members[0].hyperparameters, workshop.settings
    rows, key = jnp.zeros(workshop.batch, jnp.int32), jax.random.key(0)
    materials, tables = jax.tree.map(jnp.asarray, (workshop.materials, workshop.tables))

    def pack():
        return gather(
            materials,
            rows,
            nodes=settings.nodes,
            normalizer=members[0].normalizer,
            modalities=hyper.modalities,
            cutoff=settings.cutoff,
        )

    def loss(params):
        drawn = draw(key, jnp.zeros((len(workshop.sizes), 1)), materials.label, rows, 4, begun=True)
        of = workshop.network, settings, params, pack(), rows, materials, hyper, tables, drawn, None, key
        return batch_loss(*of)[0]

    params = jax.eval_shape(lambda: workshop.network.init(key, pack(), tables)["params"])
    counted = jax.jit(jax.grad(loss)).lower(params).cost_analysis()["flops"]
    assert cost_of(*crew).operations == pytest.approx(counted, rel=0.1)


def test_an_accelerator_that_counts_nothing_is_not_given_a_time(crew, monkeypatch):
    monkeypatch.setattr(jax.stages.Lowered, "cost_analysis", lambda self: None)
    assert np.isnan(cost_of(*crew).operations)
    assert estimate(*crew).endswith(" parameters on 1 cpu device(s)")


def test_a_machine_without_a_cpu_for_jax_is_no_error(crew, monkeypatch):
    def devices(backend: str) -> None:
        raise RuntimeError(f"Unknown backend {backend}")

    monkeypatch.setattr(module.jax, "local_devices", devices)
    assert cost_of(*crew).parameters > 0
