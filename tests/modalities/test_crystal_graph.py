"""Neighbour shells of known structures: the periodic images are counted."""

import numpy as np
import pytest

from jaxboost.crystal import Structure, make_crystal
from jaxboost.modalities.crystal_graph import crystal_graph, shells

FCC = np.array([[0, 0.5, 0.5], [0.5, 0, 0.5], [0.5, 0.5, 0]])
BCC = np.array([[-0.5, 0.5, 0.5], [0.5, -0.5, 0.5], [0.5, 0.5, -0.5]])
HEX = np.array([[1, 0, 0], [-0.5, 3**0.5 / 2, 0], [0, 0, (8 / 3) ** 0.5]])


def _shells(lattice, coords, numbers, neighbors=24, cutoff=8.0):
    crystal = make_crystal(Structure(np.array(lattice, float), np.array(coords, float), np.array(numbers)))
    return shells(crystal_graph(crystal, cutoff=cutoff, neighbors=neighbors).distance[0])


@pytest.mark.parametrize(
    ("lattice", "coords", "numbers", "expected"),
    [
        (5.64 * FCC, [[0, 0, 0], [0.5, 0.5, 0.5]], [11, 17], [(2.82, 6), (2.82 * 2**0.5, 12)]),
        (5.43 * FCC, [[0, 0, 0], [0.25, 0.25, 0.25]], [14, 14], [(5.43 * 3**0.5 / 4, 4), (5.43 / 2**0.5, 12)]),
        (3.61 * FCC, [[0, 0, 0]], [29], [(3.61 / 2**0.5, 12), (3.61, 6)]),
        (2.87 * BCC, [[0, 0, 0]], [26], [(2.87 * 3**0.5 / 2, 8), (2.87, 6)]),
        (3.2 * HEX, [[1 / 3, 2 / 3, 0.25], [2 / 3, 1 / 3, 0.75]], [12, 12], [(3.2, 12), (3.2 * 2**0.5, 6)]),
    ],
    ids=["rocksalt", "diamond", "fcc", "bcc", "hcp"],
)
def test_known_shells(lattice, coords, numbers, expected):
    found = _shells(lattice, coords, numbers)[:2]
    assert [count for _, count in found] == [count for _, count in expected]
    np.testing.assert_allclose([d for d, _ in found], [d for d, _ in expected], atol=1e-3)


def test_an_isolated_atom_has_no_neighbours():
    assert _shells(30 * np.eye(3), [[0, 0, 0]], [2]) == []


def test_fewer_neighbours_than_asked_for_are_padded_with_infinity():
    crystal = make_crystal(Structure(3.0 * np.eye(3), np.zeros((1, 3)), np.array([84])))
    graph = crystal_graph(crystal, cutoff=3.5, neighbors=10)
    assert np.isfinite(graph.distance[0]).sum() == 6
    assert np.isinf(graph.distance[0, 6:]).all() and not graph.direction[0, 6:].any()
    np.testing.assert_allclose(np.linalg.norm(graph.direction[0, :6], axis=1), 1, atol=1e-6)
