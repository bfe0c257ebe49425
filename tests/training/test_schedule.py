"""The learning rate against its formula in plain Python."""

import math

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from jaxboost.errors import InputError
from jaxboost.training.schedule import cycles_to_fill, warmup_cosine_cycles

FULL = dict(steps_per_epoch=7, min_lr=1e-6, max_lr=1e-4, warmup_epochs=10, cycle_epochs=20, cycles=3)
FOLD = dict(FULL, cycle_epochs=15, cycles=2)


def by_hand(epoch, *, min_lr, max_lr, warmup_epochs, cycle_epochs, cycles, decay=0.8, steps_per_epoch=None):
    """The rate at a real epoch, cycle by cycle in a Python loop and double precision."""
    if epoch < warmup_epochs:
        return min_lr + (max_lr - min_lr) * epoch / warmup_epochs
    start, peak = warmup_epochs, max_lr
    for _ in range(cycles):
        if epoch < start + cycle_epochs:
            return min_lr + (peak - min_lr) * (1 + math.cos(math.pi * (epoch - start) / cycle_epochs)) / 2
        start, peak = start + cycle_epochs, peak * decay
    return min_lr


@pytest.mark.parametrize("steps_per_epoch", [1, 2, 7, 10, 611, 12_000])
@pytest.mark.parametrize("figures", [FULL, FOLD, dict(FULL, warmup_epochs=0), dict(FULL, decay=1.0, cycles=5)])
def test_equals_the_formula_at_every_and_every_half_epoch(figures, steps_per_epoch):
    figures = dict(figures, steps_per_epoch=steps_per_epoch)
    epochs = np.arange(0, 81)
    steps = np.concatenate([epochs, (epochs + 0.5)]) * steps_per_epoch
    steps = np.floor(steps).astype(np.int32)
    expected = [by_hand(step / steps_per_epoch, **figures) for step in steps.tolist()]
    np.testing.assert_allclose(warmup_cosine_cycles(**figures)(jnp.asarray(steps)), expected, rtol=2e-6, atol=1e-11)


def test_every_step_of_a_run_of_a_million_equals_the_formula():
    figures = dict(FULL, steps_per_epoch=12_347)
    rng = np.random.default_rng(0)
    boundaries = (10 + 20 * np.arange(4)) * 12_347
    steps = np.unique(np.concatenate([rng.integers(0, 1_000_000, 3000), boundaries - 1, boundaries, boundaries + 1]))
    expected = [by_hand(step / 12_347, **figures) for step in steps.tolist()]
    got = np.asarray(warmup_cosine_cycles(**figures)(jnp.asarray(steps)))
    # float32 near the foot of a cosine: an ulp of the cosine (1e-7) counts, relative to max_lr.
    np.testing.assert_allclose(got, expected, rtol=2e-6, atol=1e-4 * 1e-6)


def test_limits_and_boundaries():
    rate = warmup_cosine_cycles(**FULL)
    at = lambda epoch: float(rate(round(epoch * 7)))  # noqa: E731
    assert at(0) == pytest.approx(1e-6)
    assert at(5) == pytest.approx((1e-6 + 1e-4) / 2)
    assert at(10) == pytest.approx(1e-4)
    assert at(20) == pytest.approx((1e-6 + 1e-4) / 2)
    assert [at(10 + 20 * c) for c in range(3)] == pytest.approx([1e-4, 0.8e-4, 0.64e-4])
    just_before = float(rate(30 * 7 - 1))
    assert 1e-6 < just_before < 1.02e-6
    assert at(70) == pytest.approx(1e-6) and at(1e5) == pytest.approx(1e-6)


def test_rises_in_the_warmup_and_falls_within_each_cycle():
    rates = np.asarray(warmup_cosine_cycles(**FULL)(jnp.arange(71 * 7)))
    jumps = np.flatnonzero(np.diff(rates) > 1e-6 * 20)
    assert (np.diff(rates[: 10 * 7 + 1]) > 0).all()
    assert jumps.tolist() == [30 * 7 - 1, 50 * 7 - 1]
    assert (np.diff(rates[70:210]) < 0).all()


def test_without_warmup_starts_at_the_maximum_and_never_is_nan():
    with jax.debug_nans(True):
        rates = warmup_cosine_cycles(**dict(FULL, warmup_epochs=0))(jnp.arange(1000))
    assert float(rates[0]) == pytest.approx(1e-4)


def test_members_of_different_cycles_under_jit_and_vmap():
    warmups, lengths, numbers, highs = [10, 10, 0, 3], [15, 20, 8, 5], [2, 3, 1, 4], [1e-4, 1e-4, 3e-4, 2e-5]
    spes = [7, 7, 3, 11]

    @jax.jit
    def population(step, spe, warmup, length, number, high):
        def member(step, spe, warmup, length, number, high):
            return warmup_cosine_cycles(
                steps_per_epoch=spe,
                min_lr=1e-6,
                max_lr=high,
                warmup_epochs=warmup,
                cycle_epochs=length,
                cycles=number,
            )(step)

        return jax.vmap(member, in_axes=(None, 0, 0, 0, 0, 0))(step, spe, warmup, length, number, high)

    arrays = [jnp.asarray(x) for x in (spes, warmups, lengths, numbers, highs)]
    for step in [0, 5, 21, 33, 69, 70, 174, 175, 279, 280, 281, 600]:
        expected = [
            by_hand(step / s, min_lr=1e-6, max_lr=h, warmup_epochs=w, cycle_epochs=e, cycles=n)
            for s, w, e, n, h in zip(spes, warmups, lengths, numbers, highs, strict=True)
        ]
        np.testing.assert_allclose(population(step, *arrays), expected, rtol=3e-6, atol=1e-11)


def test_is_float32_of_the_shape_of_the_step():
    rate = warmup_cosine_cycles(**FULL)
    assert rate(3).dtype == jnp.float32 and rate(3).shape == ()
    assert rate(jnp.zeros((2, 5), jnp.int32)).shape == (2, 5)


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("steps_per_epoch", 0),
        ("min_lr", -1e-6),
        ("max_lr", float("nan")),
        ("max_lr", 1e-7),
        ("warmup_epochs", -1),
        ("cycle_epochs", 0),
        ("cycles", 0),
        ("cycles", 1.5),
        ("decay", 0.0),
        ("decay", np.float32(1.5)),
        ("min_lr", float("inf")),
    ],
)
def test_refuses_a_number_out_of_range_and_shows_it(name, value):
    with pytest.raises(InputError, match=f"{name} = .*{str(value)[:4]}"):
        warmup_cosine_cycles(**dict(FULL, **{name: value}))


@pytest.mark.parametrize(
    ("epochs", "warmup", "length", "cycles"),
    [(40, 10, 15, 2), (60, 10, 15, 4), (80, 10, 20, 4), (70, 10, 20, 3), (3, 10, 15, 1), (1, 0, 1, 1)],
)
def test_cycles_to_fill(epochs, warmup, length, cycles):
    assert cycles_to_fill(epochs, warmup, length) == cycles
    rate = warmup_cosine_cycles(**dict(FULL, warmup_epochs=warmup, cycle_epochs=length, cycles=cycles))
    last_step = epochs * 7 - 1
    assert float(rate(last_step)) > 1e-6
    if cycles > 1:
        fewer = warmup_cosine_cycles(**dict(FULL, warmup_epochs=warmup, cycle_epochs=length, cycles=cycles - 1))
        assert float(fewer(last_step)) == pytest.approx(1e-6, rel=1e-6)


def test_cycles_to_fill_refuses_an_empty_budget():
    with pytest.raises(InputError, match="epochs = 0"):
        cycles_to_fill(0, 10, 15)
