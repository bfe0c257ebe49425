"""Peers of the network: closed forms of their scores, what the search may see, symmetries of CGCNN."""

from functools import partial
from types import SimpleNamespace

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from benchmarks import peer_models
from benchmarks.cgcnn import Cgcnn, CgcnnSettings, WeightedBatchNorm
from benchmarks.peer_candidates import measure, some_formulas, with_trees
from benchmarks.peer_scores import accuracy_at_coverage
from benchmarks.peer_task import Task, best_setting, inner_split
from jaxboost.data.batches import symmetry_tables
from jaxboost.models import Batch


def _task(n=60, classes=3):
    rng = np.random.default_rng(0)
    labels = np.arange(n) % classes
    columns = (rng.normal(size=(n, 4)) + labels[:, None]).astype(np.float32)
    columns[::7, 1] = np.nan
    formulas = np.array([f"f{i // 2}" for i in range(n)])
    features = SimpleNamespace(space_group=np.full(n, 225))
    dataset = SimpleNamespace(labels=labels, formulas=formulas, classes=tuple("abc"[:classes]), features=features)
    return Task(dataset, columns, relatives=0, cutoff=8.0, threads=1, seed=0)


def test_majority_has_the_entropy_of_the_shares():
    task = _task()
    task.dataset.labels[:] = np.repeat([0, 1, 2], [30, 15, 15])
    found = peer_models.majority(task, np.arange(60)).predict(np.arange(60))
    assert peer_models.mean_loss(found, task, np.arange(60)) == pytest.approx(1.5 * np.log(2))


def test_a_class_that_was_never_seen_has_probability_zero():
    model = SimpleNamespace(classes_=np.array([0, 2]), predict_proba=lambda x: np.tile([0.25, 0.75], (len(x), 1)))
    np.testing.assert_array_equal(peer_models.of_all_classes(model, np.zeros((2, 1)), 3), [[0.25, 0, 0.75]] * 2)


def test_the_search_sees_training_rows_and_splits_no_formula():
    task, train = _task(), np.arange(10, 50)
    seen, held = inner_split(task, train)
    assert sorted([*seen, *held]) == train.tolist() and len(held) > 0
    assert not set(task.dataset.formulas[seen]) & set(task.dataset.formulas[held])
    losses = {"a": [3.0, 2.0, 2.5], "b": [4.0, 1.0]}
    assert best_setting(task, train, ("a", "b"), lambda name, *_: losses[name]) == ("b", 2)


@pytest.mark.parametrize("name", ["logistic", "forest", "mlp", "histogram"])
def test_a_peer_learns_and_gives_probabilities(name, monkeypatch):
    monkeypatch.setattr(peer_models, "FOREST", peer_models.FOREST[:1])
    monkeypatch.setattr(peer_models, "TREES", 20)
    monkeypatch.setattr(peer_models, "MLP", peer_models.MLP[:1])
    monkeypatch.setattr(peer_models, "ROUNDS", 20)
    task, rows = _task(), np.arange(60)
    found = getattr(peer_models, name)(task, rows).predict(rows)
    np.testing.assert_allclose(found.sum(1), 1, rtol=1e-5)
    assert (found.argmax(1) == task.dataset.labels).mean() > 0.5


def test_accuracy_at_coverage_counts_ties_by_their_mean():
    correct, doubt = np.array([1, 1, 0, 1, 0]), np.array([0.1, 0.2, 0.3, 0.3, 0.9])
    assert accuracy_at_coverage(correct, doubt, 0.4) == 1
    assert accuracy_at_coverage(correct, doubt, 0.6) == pytest.approx(2.5 / 3)
    assert accuracy_at_coverage(correct[::-1], doubt[::-1], 0.6) == pytest.approx(2.5 / 3)
    assert accuracy_at_coverage(correct, doubt, 1.0) == pytest.approx(3 / 5)


def test_a_subset_takes_whole_formulas_of_training_rows():
    fold, formulas = np.array([0, 0, 1, 1, -1, 0]), np.array(["a", "a", "b", "b", "b", "c"])
    found = some_formulas(fold, formulas, 4, seed=0)
    assert 0 < (found >= 0).sum() <= 4 and found[4] == -1
    for name in "abc":
        assert len(set((found >= 0)[(formulas == name) & (fold >= 0)])) == 1


def test_every_fold_is_predicted_by_a_model_that_did_not_see_it():
    task, held, test = _task(), [np.arange(0, 20), np.arange(20, 40)], np.arange(50, 60)
    fitted_on = []

    def fit(task, train):
        fitted_on.append(train)
        return peer_models.majority(task, train)

    peer = measure("majority", fit, task, np.arange(50), held, test)
    assert [len(train) for train in fitted_on] == [30, 30, 50] and not set(fitted_on[0]) & set(held[0])
    assert peer.out_of_fold.probabilities.shape == (40, 3) and len(peer.settings) == 3
    mean = (peer.out_of_fold.probabilities[0] + peer.out_of_fold.probabilities[20]) / 2
    np.testing.assert_allclose(peer.on_test["majority vote"].probabilities, np.tile(mean, (10, 1)))
    half = with_trees(peer.on_test["majority"], [peer.on_test["majority vote"]] * 2)
    np.testing.assert_allclose(half.probabilities[0], (mean + peer.on_test["majority"].probabilities[0]) / 2)


def test_weighted_normalisation_counts_a_row_by_its_weight():
    x, weight = jnp.array([[1.0], [4.0], [9.0]]), jnp.array([2.0, 1.0, 0.0])
    norm = WeightedBatchNorm()
    variables = norm.init(jax.random.key(0), x, weight, training=False)
    found, new = norm.apply(variables, x, weight, training=True, mutable="batch_stats")
    np.testing.assert_allclose(found[:, 0], (np.array([1, 4, 9]) - 2) / np.sqrt(2 + 1e-5), rtol=1e-6)
    np.testing.assert_allclose(new["batch_stats"]["mean"], 0.1 * 2, rtol=1e-6)


# Two crystals: nodes 0 to 2 and node 3, then two nodes of padding.
_ELEMENT, _OF = np.array([11, 17, 8, 6, 1, 1]), np.array([0, 0, 0, 1, 2, 2])
_MULTIPLICITY = np.array([1.0, 1.0, 2.0, 1.0, 0.0, 0.0])
_TARGET = np.array([[1, 2, 2], [0, 2, 0], [2, 0, 1], [3, 3, 3], [0, 0, 0], [0, 0, 0]])
_DISTANCE = np.array([[2.0, 2.1, 3.0], [2.0, 2.5, 2.6], [1.9, 2.1, np.inf], [1.5, 1.6, 1.7], *[[np.inf] * 3] * 2])


def _batch(element, of, multiplicity, target, distance):
    none = np.zeros((2, 0))
    return Batch(
        element, np.zeros_like(element), multiplicity, of, target, distance, np.full(len(element), 8.0),
        np.ones(2, int), *[none] * 8, np.ones((2, 4), bool), np.ones((2, 5), bool),
    )  # fmt: skip


def test_cgcnn_does_not_see_the_order_of_neighbours_and_orbits_nor_how_orbits_are_split():
    network, elements = Cgcnn(CgcnnSettings(5, 8.0, convolutions=2, dropout=0.0)), symmetry_tables().element
    original = (_ELEMENT, _OF, _MULTIPLICITY, _TARGET, _DISTANCE)
    variables = jax.jit(partial(network.init, training=False))(jax.random.key(1), _batch(*original), elements)

    @jax.jit
    def of_batch(batch):
        # In training mode the statistics are those of the batch, so every node has its part in them.
        rngs = {"dropout": jax.random.key(2)}
        return network.apply(variables, batch, elements, training=True, mutable="batch_stats", rngs=rngs)[0]

    def logits(*arrays):
        return of_batch(_batch(*arrays))

    expected = logits(*original)
    assert np.abs(expected[0] - expected[1]).max() > 1e-3
    swap = [2, 0, 1]
    found = logits(_ELEMENT, _OF, _MULTIPLICITY, _TARGET[:, swap], _DISTANCE[:, swap])
    np.testing.assert_allclose(found, expected, atol=2e-5)
    order = np.array([2, 0, 1, 3, 4, 5])
    target = np.argsort(order)[_TARGET[order]]
    found = logits(_ELEMENT[order], _OF, _MULTIPLICITY[order], target, _DISTANCE[order])
    np.testing.assert_allclose(found, expected, atol=2e-5)
    # Node 2, of multiplicity 2, as two atoms: which of the two a neighbour is does not matter.
    atoms = np.array([0, 1, 2, 2, 3, 4])
    target = np.array([0, 1, 3, 4, 5, 5])[_TARGET[atoms]]
    found = logits(_ELEMENT[atoms], _OF[atoms], np.array([1.0, 1, 1, 1, 1, 0]), target, _DISTANCE[atoms])
    np.testing.assert_allclose(found, expected, atol=2e-5)
