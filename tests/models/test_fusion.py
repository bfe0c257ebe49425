"""Fusion with and without attention: what each reads, and what weights it reports."""

import functools

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from jaxboost.models.fusion import Fusion

TOKENS = jax.random.normal(jax.random.key(1), (2, 4, 8))
MASK = jnp.array([[True, True, True, True], [True, False, True, False]])


@functools.cache
def built(attention: bool):
    module = Fusion(heads=2, width=6, attention=attention, dtype=jnp.float32)
    return jax.jit(module.init)(jax.random.key(0), TOKENS, MASK, None), jax.jit(module.apply)


def fused(attention: bool, tokens: jax.Array):
    params, apply = built(attention)
    return *apply(params, tokens, MASK, None), params["params"]


@pytest.mark.parametrize("attention", [True, False])
def test_a_masked_token_is_not_read_and_the_weights_are_those_of_the_others(attention):
    expected, weights, _ = fused(attention, TOKENS)
    found, _, _ = fused(attention, TOKENS.at[1, 1].multiply(-1))
    np.testing.assert_allclose(found, expected, atol=1e-6)
    assert np.abs(fused(attention, TOKENS.at[1, 0].multiply(-1))[0] - expected).max() > 1e-3
    for name in ("cross_attention", "modality_attention"):
        totals = weights[name].sum(-1)
        there = totals > 0 if name == "cross_attention" else np.ones(2, bool)
        np.testing.assert_allclose(totals[there], 1, atol=1e-6)
        assert np.abs(weights[name][1][..., ~MASK[1]]).max() == 0


def test_concatenation_has_no_attention_and_gives_every_modality_that_is_there_the_same_weight():
    _, weights, params = fused(False, TOKENS)
    np.testing.assert_allclose(weights["modality_attention"], [[0.25] * 4, [0.5, 0, 0.5, 0]])
    np.testing.assert_allclose(weights["cross_attention"][1, 0], [0, 0, 1, 0])
    assert not [name for name in params if "Attention" in name]
    assert [name for name in fused(True, TOKENS)[2] if "Attention" in name]
