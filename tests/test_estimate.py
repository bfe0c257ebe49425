"""What a run says that it will cost, and what it says where nothing counts operations."""

import jax
import numpy as np
import pytest

from jaxboost import estimate as module
from jaxboost.estimate import cost_of, estimate
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


def test_an_accelerator_that_counts_nothing_is_not_given_a_time(crew, monkeypatch):
    monkeypatch.setattr(jax.stages.Lowered, "cost_analysis", lambda self: None)
    assert np.isnan(cost_of(*crew).operations)
    assert estimate(*crew).endswith(" parameters on 1 cpu device(s)")


def test_a_machine_without_a_cpu_for_jax_is_no_error(crew, monkeypatch):
    def devices(backend: str) -> None:
        raise RuntimeError(f"Unknown backend {backend}")

    monkeypatch.setattr(module.jax, "local_devices", devices)
    assert cost_of(*crew).parameters > 0
