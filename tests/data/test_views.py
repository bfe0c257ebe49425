"""Views: the first is the crystal itself, the others move atoms as geometry says."""

import numpy as np
import pytest

from jaxboost.data.views import View, displaced
from jaxboost.data.views import test_views as views_for_voting


def test_the_first_view_is_the_crystal_as_it_is_and_the_others_differ():
    views = views_for_voting(5, neighbors=16, jitter=0.02, strain=0.01, seed=0)
    assert (views.jitter[0], views.strain[0], views.neighbors[0], views.reach[0]) == (0, 0, 16, 1)
    assert (views.jitter[1:] >= 0.005).all() and (np.abs(views.strain) <= 0.01).all()
    assert len(set(views.jitter)) == 5


def test_displaced_distances_are_those_of_geometry():
    rng = np.random.default_rng(0)
    distance = rng.uniform(2, 4, (50, 6)).astype(np.float32)
    direction = rng.normal(size=(50, 6, 3))
    direction = (direction / np.linalg.norm(direction, axis=-1, keepdims=True)).astype(np.float32)
    noise = rng.normal(size=(50, 7, 3)).astype(np.float32)
    found = displaced(distance, direction, noise, View(0.02, 0.01, 6, 1.0))
    vector = distance[..., None] * direction * 1.01 + 0.02 * (noise[:, :-1] - noise[:, -1:])
    np.testing.assert_allclose(found, np.linalg.norm(vector, axis=-1), atol=1e-4)


def test_nothing_moves_where_nothing_is_displaced():
    distance = np.array([[2.1, 3.3, np.inf]], np.float32)
    found = displaced(distance, np.zeros((1, 3, 3)), np.ones((1, 4, 3)), View(0.0, 0.0, 3, 1.0))
    np.testing.assert_array_equal(found, distance)


@pytest.mark.parametrize("count", [1, 3])
def test_as_many_views_as_asked_for(count):
    assert views_for_voting(count, neighbors=4, jitter=0.0, strain=0.0, seed=1).jitter.shape == (count,)
