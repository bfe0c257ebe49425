"""Joined weights: the tree comes back, with members stacked too, and AdamW does to them what it does to the tree."""

import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest

from jaxboost.training.joined_weights import JoinedWeights, all_joined, all_named, join
from jaxboost.training.member import Hyperparameters
from jaxboost.training.optimizer import optimizer_of, schedule_of
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
    """A scalar, vectors, matrices and an array of three axes, none of a size that another has; one is large."""
    rng = np.random.default_rng(seed)
    draw = lambda *shape: (size * rng.normal(size=shape)).astype(np.float32)  # noqa: E731
    return {
        "penalty": draw(),
        "dense": {"bias": draw(3), "kernel": draw(2, 3)},
        "large": draw(128, 129),
        "norm": {"scale": draw(7)},
        "heads": draw(4, 2, 5),
    }


def assert_same(found, expected):
    assert jax.tree.structure(found) == jax.tree.structure(expected)
    jax.tree.map(np.testing.assert_array_equal, found, expected)


@pytest.mark.parametrize("xp", [np, jnp])
def test_the_tree_comes_back(xp):
    own = jax.tree.map(xp.asarray, tree(0))
    weights = join(own)
    assert [part.shape for part in weights.parts] == [(128, 129), (2 * 3 + 4 * 2 * 5,), (1 + 3 + 7,)]
    assert weights.are_matrices().parts == (True, True, False)
    assert all(isinstance(part, np.ndarray) == (xp is np) for part in weights.parts)
    assert_same(weights.named(), own)


@pytest.mark.parametrize("name", ["large", "norm"])
def test_a_kind_of_which_there_is_none_is_no_part(name):
    own = {name: tree(0)[name]}
    weights = join(own)
    assert len(weights.parts) == 1
    assert_same(weights.named(), own)


def test_members_stack_on_an_axis_of_their_own():
    stacked = jax.tree.map(lambda *x: np.stack(x), *[join(tree(seed)) for seed in range(3)])
    assert_same(stacked.named(), jax.tree.map(lambda *x: np.stack(x), *[tree(seed) for seed in range(3)]))
    assert_same(jax.vmap(JoinedWeights.named)(stacked), stacked.named())
    assert_same(jax.tree.map(lambda x: x[1], stacked).named(), tree(1))


def test_what_holds_weights_is_named_and_comes_back():
    holder = {"params": join(tree(0)), "moments": (join(tree(1)), np.int32(3)), "done": np.bool_(True)}
    named = all_named(holder)
    assert_same(named, {"params": tree(0), "moments": (tree(1), np.int32(3)), "done": np.bool_(True)})
    assert_same(all_joined(named, holder), holder)


def test_steps_are_those_of_adamw_on_the_tree_and_only_matrices_decay():
    schedule = schedule_of(HYPER, SETTINGS)
    reference = optax.chain(
        optax.clip_by_global_norm(1.0),
        optax.adamw(
            schedule, weight_decay=0.3, mask=lambda params: jax.tree.map(lambda p: p.ndim > 1, params)
        ),  # optax's own, array by array
    )
    own = optimizer_of(HYPER, SETTINGS)
    params = jax.tree.map(jnp.asarray, tree(0))
    expected, expected_state = params, reference.init(params)
    weights = join(params)
    state = own.init(weights)
    for step, size in enumerate((10.0, 1e-3, 1.0)):  # of a norm that is clipped, then of one that is not
        grads = jax.tree.map(jnp.asarray, tree(step + 1, size))
        updates, expected_state = reference.update(grads, expected_state, expected)
        expected = optax.apply_updates(expected, updates)
        updates, state = own.update(join(grads), state, weights)
        weights = optax.apply_updates(weights, updates)
    jax.tree.map(lambda a, b: np.testing.assert_allclose(a, b, rtol=2e-6, atol=1e-7), weights.named(), expected)

    still = jax.tree.map(jnp.zeros_like, join(params))
    updates, _ = own.update(still, own.init(still), join(params))
    *matrices, vectors = updates.parts
    assert np.all(vectors == 0)
    for found, before in zip(matrices, join(params).parts, strict=False):
        np.testing.assert_allclose(found, -schedule(0) * 0.3 * before, rtol=1e-6)
