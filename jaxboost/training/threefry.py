"""Threefry with the bits of JAX's own, for CPUs: where JAX goes through its rounds in a loop, they follow each other.

Of each turn of such a loop XLA writes all numbers to memory, five times for dropout's, which was a tenth of a training
step (docs/performance.md). A single key is folded by JAX's loop: rounds that follow each other take longer to compile.

Threefry-2x32 of 20 rounds is from Salmon et al., Parallel random numbers: as easy as 1, 2, 3 (SC 2011); how keys are
seeded, folded and split and how bits are counted is JAX's, with `jax_threefry_partitionable` as it is by default.
"""

from __future__ import annotations

import math

import jax
import jax.numpy as jnp
from jax.extend.random import define_prng_impl, threefry_2x32

_ROTATIONS = ((13, 15, 26, 6), (17, 29, 16, 24))
_PARITY = 0x1BD11BDA


def training_key(seed: int) -> jax.Array:
    """The key of `jax.random.key(seed)` for a program that trains, of the same draws whatever it runs on."""
    return jax.random.key(seed, impl=UNROLLED if jax.default_backend() == "cpu" else None)


def threefry(key: jax.Array, high: jax.Array, low: jax.Array) -> tuple[jax.Array, jax.Array]:
    """Two words [...] for each of the counters `high` and `low` [...], by a key [2]; all of them uint32."""
    keys = (key[0], key[1], key[0] ^ key[1] ^ jnp.uint32(_PARITY))
    x, y = high + keys[0], low + keys[1]
    for turn in range(5):
        for by in _ROTATIONS[turn % 2]:
            x = x + y
            y = (y << by | y >> (32 - by)) ^ x
        x = x + keys[(turn + 1) % 3]
        y = y + keys[(turn + 2) % 3] + jnp.uint32(turn + 1)
    return x, y


def _seed(seed: jax.Array) -> jax.Array:
    low = seed.astype(jnp.uint32)
    return jnp.stack([jnp.zeros_like(low), low])


def _fold_in(key: jax.Array, data: jax.Array | int) -> jax.Array:
    low = jnp.asarray(data).astype(jnp.uint32)
    return threefry_2x32((key[0], key[1]), jnp.stack([jnp.zeros_like(low), low]))


def _split(key: jax.Array, shape: tuple[int, ...]) -> jax.Array:
    return jnp.stack(threefry(key, *_counters(shape)), axis=-1)


def _random_bits(key: jax.Array, bit_width: int, shape: tuple[int, ...]) -> jax.Array:
    if bit_width not in (8, 16, 32):
        raise ValueError(f"{bit_width} random bits a number: 8, 16 or 32 are drawn")
    x, y = threefry(key, *_counters(shape))
    return (x ^ y).astype(f"uint{bit_width}")


def _counters(shape: tuple[int, ...]) -> tuple[jax.Array, jax.Array]:
    """High and low words of 0, 1, 2, ... along the last axis first; axis by axis, so that devices count their own."""
    if math.prod(shape) > 2**32:
        raise ValueError(f"{shape} are too many numbers for one key")
    low = jnp.zeros(shape, jnp.uint32)
    for axis in range(len(shape)):
        low = low + jax.lax.broadcasted_iota(jnp.uint32, shape, axis) * jnp.uint32(math.prod(shape[axis + 1 :]))
    return jnp.zeros_like(low), low


UNROLLED = define_prng_impl(
    key_shape=(2,),
    seed=_seed,
    split=_split,
    random_bits=_random_bits,
    fold_in=_fold_in,
    name="threefry2x32_unrolled",
    tag="fry_unrolled",
)
