"""The optimiser of joined weights: optax's AdamW array by array, and a gradient that is not finite."""

import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest

from jaxboost.training.joined_weights import join
from jaxboost.training.member import Hyperparameters
from jaxboost.training.optimizer import optimizer_of, schedule_of, updated
from jaxboost.training.training_settings import TrainingSettings

HYPER = Hyperparameters(
    seed=0, dropout=0.0, column_dropout=0.0, weight_decay=0.3, mixup_alpha=0.0, min_lr=1e-3, max_lr=1e-2,
    warmup_epochs=1, cycle_epochs=3, cycles=1, epochs=4, patience=4, modalities=np.ones(4, bool),
)  # fmt: skip
SETTINGS = TrainingSettings(
    steps_per_epoch=2, steps_per_call=2, nodes=8, cutoff=5.0, neighbors=4, jitter=0.0, strain=0.0, gamma=0.0,
    smoothing=0.0, taught=0.0, mixup_probability=0.0, recall_weight=0.0, recall_draw=1, clip_norm=1.0, lr_decay=0.8,
    axis="map",
)  # fmt: skip


def tree(seed, size=1.0):
    """Vectors, and matrices of which one is large."""
    rng = np.random.default_rng(seed)
    shapes = {"bias": (3,), "kernel": (2, 3), "large": (128, 129), "scale": (7,)}
    return {name: jnp.asarray(size * rng.normal(size=shape), jnp.float32) for name, shape in shapes.items()}


@pytest.fixture
def step():
    """One step: (gradients, weights, state, failed) to weights and state."""
    return jax.jit(lambda *rest: updated(optimizer_of(HYPER, SETTINGS), *rest))


def test_steps_are_those_of_adamw_array_by_array(step):
    schedule = schedule_of(HYPER, SETTINGS)
    are_matrices = lambda params: jax.tree.map(lambda p: p.ndim > 1, params)  # noqa: E731
    reference = optax.chain(optax.clip_by_global_norm(1.0), optax.adamw(schedule, weight_decay=0.3, mask=are_matrices))
    expected, weights = tree(0), join(tree(0))
    expected_state, state = reference.init(expected), optimizer_of(HYPER, SETTINGS).init(weights)
    for number, size in enumerate((10.0, 1e-3, 1.0), 1):  # of norms that are clipped, and one between
        grads = tree(number, size)
        updates, expected_state = reference.update(grads, expected_state, expected)
        expected = optax.apply_updates(expected, updates)
        weights, state = step(join(grads), weights, state, np.False_)
    jax.tree.map(lambda a, b: np.testing.assert_allclose(a, b, rtol=2e-6, atol=1e-7), weights.named(), expected)


def test_only_matrices_decay(step):
    weights = join(tree(0))
    still = jax.tree.map(jnp.zeros_like, weights)
    found, _ = step(still, weights, optimizer_of(HYPER, SETTINGS).init(weights), np.False_)
    less = 1 - float(schedule_of(HYPER, SETTINGS)(0)) * HYPER.weight_decay
    factors = [less if is_matrix else 1.0 for is_matrix in weights.are_matrices().parts]
    for part, before, factor in zip(found.parts, weights.parts, factors, strict=True):
        np.testing.assert_allclose(part, factor * before, rtol=1e-6)


def test_a_gradient_that_is_not_finite_leaves_weights_and_moments(step):
    weights = join(tree(0))
    weights, state = step(join(tree(1)), weights, optimizer_of(HYPER, SETTINGS).init(weights), np.False_)
    bad = join(tree(2) | {"bias": jnp.array([1.0, np.nan, 0.0])})
    found, after = step(bad, weights, state, np.True_)
    jax.tree.map(np.testing.assert_array_equal, (found, after[1]), (weights, state[1]))
    assert not np.isfinite(step(bad, weights, state, np.False_)[0].parts[-1]).all()
