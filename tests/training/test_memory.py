"""What a member remembers: its own training rows, each with its embedding, and nobody else."""

import jax
import jax.numpy as jnp
import numpy as np

from jaxboost.training.memory import draw, renewed, whole

PLAN = np.array([[5, 2], [7, -1]])
EMBEDDING = np.arange(30, dtype=np.float32).reshape(10, 3)
LABEL = np.arange(10) % 4


def test_the_rows_of_the_plan_are_renewed_and_no_others():
    found = renewed(lambda rows: jnp.asarray(EMBEDDING)[rows] + 1, PLAN, 10, 3)
    wanted = np.zeros((10, 3))
    wanted[[2, 5, 7]] = EMBEDDING[[2, 5, 7]] + 1
    np.testing.assert_array_equal(found, wanted)


def test_all_that_is_remembered_are_the_rows_of_the_plan():
    memory = whole(jnp.asarray(EMBEDDING), LABEL, PLAN)
    np.testing.assert_array_equal(np.flatnonzero(memory.there), [2, 5, 7])
    np.testing.assert_array_equal(memory.label, LABEL)


def test_what_is_drawn_is_of_the_plan_with_its_own_label():
    drawn = draw(jax.random.key(0), jnp.asarray(EMBEDDING), LABEL, PLAN, 200, begun=True)
    there = np.asarray(drawn.memory.there)
    assert set(np.asarray(drawn.rows)[there]) == {2, 5, 7} and 0 < there.mean() < 1
    np.testing.assert_array_equal(drawn.memory.label, LABEL[drawn.rows])
    np.testing.assert_array_equal(drawn.memory.embedding, EMBEDDING[drawn.rows])


def test_nothing_is_remembered_before_the_first_renewal():
    assert not draw(jax.random.key(0), jnp.asarray(EMBEDDING), LABEL, PLAN, 20, begun=False).memory.there.any()
