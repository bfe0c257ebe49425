"""Recall: votes by distance, from those alone that may vote."""

import jax
import numpy as np
import pytest

from jaxboost.models.recall import Memory, Recall, distances, joined

RNG = np.random.default_rng(0)
MEMORY = Memory(RNG.normal(size=(7, 3)).astype(np.float32), np.array([0, 1, 1, 2, 0, 2, 1]), np.ones(7, bool))
ASKED = RNG.normal(size=(4, 3)).astype(np.float32)


def _vote(memory: Memory = MEMORY, barred: np.ndarray | None = None, sharpness: float = 1.0) -> np.ndarray:
    variables = {"params": {"log_sharpness": np.float32(np.log(sharpness))}}
    return np.exp(Recall(3, 3).apply(variables, ASKED, memory, barred, method="vote"))


def test_a_vote_is_the_share_of_each_class_weighed_by_distance():
    distance = np.linalg.norm(ASKED[:, None] - MEMORY.embedding[None], axis=-1)
    weight = np.exp(-2 * distance)
    shares = np.stack([weight[:, MEMORY.label == c].sum(1) for c in range(3)], 1) / weight.sum(1, keepdims=True)
    np.testing.assert_allclose(_vote(sharpness=2.0), 0.999 * shares + 0.001 / 3, atol=1e-6)


def test_the_nearest_decides_when_the_vote_is_sharp():
    nearest = MEMORY.label[np.linalg.norm(ASKED[:, None] - MEMORY.embedding[None], axis=-1).argmin(1)]
    found = _vote(sharpness=1e3)
    np.testing.assert_array_equal(found.argmax(1), nearest)
    assert found.max() <= 1 and found.min() > 0  # never certain, so that one mistake cannot cost everything


def test_order_and_padding_of_the_memory_change_nothing():
    order = RNG.permutation(7)
    np.testing.assert_allclose(_vote(Memory(*(part[order] for part in MEMORY))), _vote(), atol=1e-6)
    padded = Memory(*(np.concatenate([part, part[:3]]) for part in MEMORY))
    padded.there[7:] = False
    np.testing.assert_allclose(_vote(padded), _vote(), atol=1e-6)


def test_who_is_barred_from_one_vote_votes_in_the_others():
    barred = np.zeros((4, 7), bool)
    barred[1, [0, 3]] = True
    rest = [i for i in range(7) if i not in (0, 3)]
    found, without = _vote(barred=barred), _vote(Memory(*(part[rest] for part in MEMORY)))
    np.testing.assert_allclose(found[1], without[1], atol=1e-6)
    np.testing.assert_allclose(found[[0, 2, 3]], _vote()[[0, 2, 3]], atol=1e-6)
    other = MEMORY._replace(label=np.where(np.arange(7) == 3, 0, MEMORY.label))
    np.testing.assert_array_equal(_vote(other, barred)[1], found[1])
    assert not np.allclose(_vote(other, barred)[0], found[0])


def test_an_empty_memory_knows_how_common_each_class_is():
    nobody = MEMORY._replace(there=np.zeros(7, bool))
    np.testing.assert_allclose(_vote(nobody), np.tile([2, 3, 2], (4, 1)) / 7, atol=1e-3)


def test_two_at_one_place_have_a_finite_derivative():
    slope = jax.grad(lambda x: distances(x, ASKED).sum())(ASKED)
    assert np.isfinite(slope).all()


def test_two_opinions_are_averaged_as_probabilities():
    one, other = RNG.normal(size=(2, 5, 3)).astype(np.float32)
    softmax = lambda x: np.exp(x) / np.exp(x).sum(-1, keepdims=True)  # noqa: E731
    np.testing.assert_allclose(np.exp(joined(one, other)), (softmax(one) + softmax(other)) / 2, rtol=1e-5)
    assert float(np.exp(joined(one, other)).sum(-1)[0]) == pytest.approx(1, abs=1e-5)
