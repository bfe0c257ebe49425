"""Where members met gradients that are not finite, from what the calls of an epoch say."""

import numpy as np

from jaxboost.training.divergence import Divergence, divergences

PLAN = np.arange(3 * 4 * 2).reshape(3, 4, 2)  # [member, step, b]


def test_the_first_step_of_each_member_with_the_rows_of_its_batch():
    calls = [np.array([-1, 1, -1]), np.array([-1, 0, 1])]  # of two steps; once failed, every later step is too
    found = divergences(["a", "b", "c"], np.array([5, 0, 2]), PLAN, calls, None)
    assert found == {"b": Divergence("b", 1, 2, ("10", "11")), "c": Divergence("c", 3, 4, ("22", "23"))}
    named = divergences(["a", "b", "c"], np.zeros(3, int), PLAN, calls, np.array([f"m{i}" for i in range(24)]))
    assert str(named["c"]) == "step 4 of epoch 1, on the rows m22, m23"
    assert divergences(["a", "b", "c"], np.zeros(3, int), PLAN, [np.full(3, -1)], None) == {}


def test_a_message_lists_a_batch_and_not_thousands():
    assert str(Divergence("a", 1, 1, tuple("x" * 70))).endswith("x, x and 6 more")
