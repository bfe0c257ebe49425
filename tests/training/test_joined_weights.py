"""Joined weights: the tree comes back, with members stacked too."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from jaxboost.training.joined_weights import JoinedWeights, all_joined, all_named, join


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
