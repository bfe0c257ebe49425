"""Isopointal relatives: who they are, and that only labels that may be known are heard."""

from dataclasses import fields, replace

import jax.numpy as jnp
import numpy as np
import pytest

from jaxboost.crystal import Structure
from jaxboost.data.isopointal import (
    column_count,
    columns,
    element_distances,
    find_relatives,
    make_reference,
    read_reference,
)
from jaxboost.errors import InputError
from jaxboost.modalities.features import concatenate
from jaxboost.modalities.featurize import FeaturizerSettings, featurize_one
from tests.crystals import prototype

SETTINGS = FeaturizerSettings(neighbors=6, cutoff=5.0)
SALTS = [(11, 17), (11, 35), (19, 17), (12, 8), (20, 16)]  # NaCl NaBr KCl MgO CaS
LABELS = np.array([0, 1, 1, 2, 2, 0])
CLASSES = 3


@pytest.fixture(scope="module")
def features():
    """Five rocksalts and a caesium chloride."""
    structures = [prototype("rocksalt", pair, 5.6) for pair in SALTS] + [prototype("cscl", (11, 17), 3.3)]
    return concatenate([featurize_one(structure, SETTINGS) for structure in structures])


@pytest.fixture(scope="module")
def reference(features):
    return make_reference(features, LABELS, np.arange(len(LABELS)))


def test_relatives_are_isopointal_and_the_nearest_stands_first(features, reference):
    found = find_relatives(features, reference, 8)
    assert found.index.shape == (6, 8)
    # NaCl: NaBr and KCl differ in one element of the same group, then MgO or CaS in both.
    assert set(found.index[0, :2]) == {1, 2} and set(found.index[0, 2:4]) == {3, 4}
    assert (found.index[0, 4:] == -1).all() and np.isinf(found.distance[0, 4:]).all()
    assert (np.diff(found.distance[0, :4]) >= 0).all()
    # Alone of its kind, and the rocksalt of the same formula is none.
    assert (found.index[5] == -1).all()
    elements = element_distances()
    expected = (elements[11, 11] + elements[17, 35]) / 2
    assert found.distance[0][found.index[0] == 1][0] == pytest.approx(expected, rel=1e-5)


def test_a_crystal_of_the_same_formula_says_nothing(features, reference):
    again = concatenate([features.take(np.array([0])), features.take(np.array([0]))])
    found = find_relatives(again, make_reference(again, LABELS[:2], np.arange(2)), 4)
    assert (found.index == -1).all()


def test_the_order_of_atoms_changes_nothing(reference):
    cell = prototype("perovskite", (38, 22, 8), 3.9)
    order = np.array([4, 2, 0, 3, 1])
    turned = Structure(cell.lattice, cell.frac_coords[order], cell.atomic_numbers[order])
    family = concatenate([
        featurize_one(prototype("perovskite", triple, 3.9), SETTINGS) for triple in ((56, 22, 8), (38, 40, 8))
    ])  # fmt: skip
    reference = make_reference(family, np.array([0, 1]), np.arange(2))
    one, other = (find_relatives(featurize_one(c, SETTINGS), reference, 2) for c in (cell, turned))
    np.testing.assert_array_equal(one.index, other.index)
    np.testing.assert_allclose(one.distance, other.distance)
    assert (one.index >= 0).all()


def _columns(features, reference, known, xp=np):
    found = find_relatives(features, reference, 8)
    return np.asarray(columns(found.index, found.distance, found.label, known, CLASSES, xp))


def test_shares_are_those_of_the_known_relatives_by_hand(features, reference):
    known = np.array([True, True, False, True, False, False])
    row = _columns(features, reference, known)[0]
    assert len(row) == column_count(CLASSES)
    found = find_relatives(features, reference, 8)
    distance = {int(i): float(d) for i, d in zip(found.index[0], found.distance[0], strict=True)}
    weight = np.exp(-(distance[3] - distance[1]) / 0.15)
    np.testing.assert_allclose(row[:3], np.array([0, 1, weight]) / (1 + weight), atol=1e-6)
    np.testing.assert_allclose(row[6:9], [0, 1 / 2, 1 / 2], atol=1e-6)  # NaBr, MgO: the three nearest are two
    assert row[9] == pytest.approx(1 - distance[1] / 3, abs=1e-6)
    assert row[11] == pytest.approx(np.log1p(2) / 4)


def test_a_label_that_is_not_known_is_never_heard(features, reference):
    known = np.array([True, True, False, True, False, False])
    garbled = replace(
        reference, label=np.where(known, reference.label, (reference.label + 1) % CLASSES).astype(np.int32)
    )
    np.testing.assert_array_equal(_columns(features, reference, known), _columns(features, garbled, known))
    heard = _columns(features, garbled, np.ones(6, bool)) - _columns(features, reference, np.ones(6, bool))
    assert np.abs(heard).max() > 0.1


def test_its_own_label_is_never_heard(features, reference):
    everything = np.ones(6, bool)
    for row in range(6):
        label = reference.label.copy()
        label[row] = (label[row] + 1) % CLASSES
        garbled = replace(reference, label=label)
        np.testing.assert_array_equal(
            _columns(features, reference, everything)[row], _columns(features, garbled, everything)[row]
        )


def test_without_a_relative_nothing_is_said_and_jax_agrees(features, reference):
    for known in (np.ones(6, bool), np.zeros(6, bool), LABELS == 1):
        on_host = _columns(features, reference, known)
        assert (on_host[5] == 0).all() and np.isfinite(on_host).all()
        np.testing.assert_allclose(_columns(features, reference, jnp.asarray(known), jnp), on_host, atol=1e-6)


def test_a_reference_is_read_as_it_was_written(tmp_path, reference):
    reference.save(tmp_path / "reference.npz")
    again = read_reference(tmp_path / "reference.npz")
    for name in (field.name for field in fields(reference)):
        np.testing.assert_array_equal(getattr(again, name), getattr(reference, name))
    assert [file.name for file in tmp_path.iterdir()] == ["reference.npz"]
    for content in (b"", b"no archive", (tmp_path / "reference.npz").read_bytes()[:-200]):
        (tmp_path / "torn.npz").write_bytes(content)
        with pytest.raises(InputError, match="torn.npz"):
            read_reference(tmp_path / "torn.npz")
    with pytest.raises(InputError, match="absent.npz"):
        read_reference(tmp_path / "absent.npz")
