"""The unrolled generator draws what JAX's own draws, from every kind of key and under every transformation."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from jaxboost.training.threefry import UNROLLED, threefry, training_key

SEEDS = (0, 7, 2**31 - 1)


def both(seed):
    return jax.random.key(seed, impl=UNROLLED), jax.random.key(seed)


def data(key):
    return np.asarray(jax.random.key_data(key))


def test_known_answers_of_its_authors():
    # kat_vectors of Random123, their library: threefry2x32, 20 rounds.
    ones = jnp.uint32(0xFFFFFFFF)
    zero = jnp.uint32(0)
    assert [int(x) for x in threefry(jnp.array([zero, zero]), zero, zero)] == [0x6B200159, 0x99BA4EFE]
    assert [int(x) for x in threefry(jnp.array([ones, ones]), ones, ones)] == [0x1CB996FC, 0xBB002BE7]
    key = jnp.array([0x13198A2E, 0x03707344], jnp.uint32)
    found = threefry(key, jnp.uint32(0x243F6A88), jnp.uint32(0x85A308D3))
    assert [int(x) for x in found] == [0xC4923A9C, 0x483DF7A0]


def assert_same(own, jaxs):
    """Real numbers are computed from the bits, by programs that may be compiled otherwise: to the last place."""
    if np.issubdtype(own.dtype, np.floating):
        np.testing.assert_array_max_ulp(np.asarray(own), np.asarray(jaxs), maxulp=1)
    else:
        np.testing.assert_array_equal(own, jaxs)


@pytest.mark.parametrize("seed", SEEDS)
def test_keys_are_those_of_jax(seed):
    own, jaxs = both(seed)
    np.testing.assert_array_equal(data(own), data(jaxs))
    np.testing.assert_array_equal(data(jax.random.fold_in(own, 12345)), data(jax.random.fold_in(jaxs, 12345)))
    for shape in (3, (2, 5)):
        np.testing.assert_array_equal(data(jax.random.split(own, shape)), data(jax.random.split(jaxs, shape)))


@pytest.mark.parametrize("shape", [(), (1,), (7,), (3, 4, 5), (2, 0)])
@pytest.mark.parametrize("dtype", [jnp.uint8, jnp.uint16, jnp.uint32])
def test_bits_are_those_of_jax(shape, dtype):
    own, jaxs = both(3)
    np.testing.assert_array_equal(jax.random.bits(own, shape, dtype), jax.random.bits(jaxs, shape, dtype))


@pytest.mark.parametrize(
    "draw",
    [
        lambda key: jax.random.uniform(key, (4, 3)),
        lambda key: jax.random.normal(key, (4, 3)),
        lambda key: jax.random.beta(key, 0.4, 0.4),
        lambda key: jax.random.bernoulli(key, 0.3, (9,)),
        lambda key: jax.random.permutation(key, 11),
        lambda key: jax.random.randint(key, (5,), 0, 100),
    ],
    ids=["uniform", "normal", "beta", "bernoulli", "permutation", "randint"],
)
def test_what_is_drawn_from_it_is_what_jax_draws(draw):
    own, jaxs = both(11)
    many, theirs = (jax.random.split(key, 3) for key in (own, jaxs))
    assert_same(jax.jit(draw)(own), jax.jit(draw)(jaxs))
    assert_same(jax.jit(jax.vmap(draw))(many), jax.jit(jax.vmap(draw))(theirs))
    assert_same(jax.lax.map(draw, many), jax.lax.map(draw, theirs))


def test_training_on_a_cpu_uses_it():
    assert jax.random.key_impl(training_key(7)) == UNROLLED
    np.testing.assert_array_equal(data(training_key(7)), data(jax.random.key(7)))


def test_numbers_of_more_bits_than_jax_has_without_x64_are_refused():
    with jax.enable_x64(True), pytest.raises(ValueError, match="64 random bits"):
        jax.random.bits(training_key(0), (2,), jnp.uint64)
