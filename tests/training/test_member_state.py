"""Which epoch of a member is kept."""

import jax.numpy as jnp
import numpy as np
import pytest

from jaxboost.training.member_state import MemberState, keep_best

NAN = float("nan")


def kept(epochs, failed_at=None):
    """The state after epochs of (loss, accuracy); the weights of an epoch are its number."""
    start = {"best_loss": jnp.float32(jnp.inf), "best_accuracy": jnp.float32(-1), "best_epoch": 0, "epoch": 0}
    state = MemberState(
        params=jnp.float32(0), optimizer=None, memory=jnp.float32(0), best_params=jnp.float32(0),
        best_memory=jnp.float32(0), failed=jnp.bool_(False), **start,
    )  # fmt: skip
    for number, (loss, accuracy) in enumerate(epochs, 1):
        now = state._replace(params=jnp.float32(number), memory=jnp.float32(number), failed=number == failed_at)
        state = keep_best(now, jnp.float32(loss), jnp.float32(accuracy))
    return state


def test_the_loss_chooses_and_not_the_accuracy():
    state = kept([(0.5, 0.80), (0.3, 0.90), (0.4, 0.95), (0.2, 0.91), (0.25, 0.91)])
    assert (int(state.best_epoch), float(state.best_params), float(state.best_memory)) == (4, 4, 4)
    assert float(state.best_loss) == pytest.approx(0.2) and float(state.best_accuracy) == pytest.approx(0.91)
    assert int(state.epoch) == 5


def test_of_epochs_that_are_alike_the_first_is_kept():
    assert int(kept([(0.3, 0.9), (0.3, 0.92)]).best_epoch) == 1


def test_without_validation_rows_the_last_epoch_is_kept():
    state = kept([(NAN, NAN)] * 3)
    assert int(state.best_epoch) == 3 and np.isinf(state.best_loss) and float(state.best_accuracy) == -1


def test_an_epoch_that_failed_is_not_kept():
    assert int(kept([(0.5, 0.8), (0.2, 0.9)], failed_at=2).best_epoch) == 1
    assert int(kept([(NAN, NAN)] * 2, failed_at=2).best_epoch) == 1
