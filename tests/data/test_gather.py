"""A packed batch: what columns of a crystal become for the member that reads it."""

import jax.numpy as jnp
import numpy as np
import pytest

from jaxboost.data.batches import CLIP, fit_normalizer, gather, make_materials
from jaxboost.data.isopointal import column_count, find_relatives, make_reference
from jaxboost.modalities.features import concatenate
from jaxboost.modalities.featurize import FeaturizerSettings, featurize_one
from tests.crystals import prototype

RELATIVES = column_count(2)  # columns at the end of the scalars


@pytest.fixture(scope="module")
def pack():
    settings = FeaturizerSettings(neighbors=4, cutoff=5.0)
    pairs = ((12, 8), (20, 16), (30, 34))
    features = concatenate(
        [featurize_one(prototype(name, pair, 5.0), settings) for name in ("rocksalt", "zincblende") for pair in pairs]
    )
    rows, labels = np.arange(6), np.array([0, 1, 1, 0, 0, 1])
    relatives = find_relatives(features, make_reference(features, labels, rows), 3)
    materials = make_materials(features, np.ones((6, 2), bool), labels, relatives)
    normalizer = fit_normalizer(features, rows, np.ones(6, bool), 3)

    def packed(**weights):
        return gather(
            materials, jnp.arange(6), nodes=32, normalizer=normalizer._replace(**weights),
            modalities=np.ones(4, bool), cutoff=5.0,
        )  # fmt: skip

    return packed


def test_columns_are_standardised_and_clipped(pack):
    plain = pack()
    for name in ("scalars", "electrons", "kspace_columns"):
        values = np.asarray(getattr(plain, name))
        assert np.isfinite(values).all() and np.abs(values).max() <= CLIP and np.abs(values).max() > 0.5


@pytest.mark.parametrize("name", ["scalars", "electrons", "kspace_columns"])
def test_a_column_is_multiplied_by_its_weight_after_all(pack, name):
    values = np.asarray(getattr(pack(), name))
    own = values.shape[1] - (RELATIVES if name == "scalars" else 0)
    weight = np.linspace(0, 20, own).astype(np.float32)
    found = np.asarray(getattr(pack(**{f"{name}_weight": weight}), name))
    np.testing.assert_allclose(found[:, :own], values[:, :own] * weight, rtol=1e-6)
    np.testing.assert_array_equal(found[:, own:], values[:, own:])


@pytest.mark.parametrize("name", ["scalars", "electrons", "kspace_columns"])
def test_the_steps_of_a_column_count_together_as_much_as_it_does(pack, name):
    field = "kspace_steps" if name == "kspace_columns" else f"{name}_steps"
    steps = np.asarray(getattr(pack(), field)).reshape(6, -1, 3)
    # At the ends of its range a value is at -1 or 1 of all steps; a column that is the same everywhere has none.
    largest = (steps**2).sum(-1).max(0)
    np.testing.assert_allclose(largest[largest > 0], 1, rtol=1e-5)
    assert largest.any()
    weight = np.linspace(0, 20, steps.shape[1]).astype(np.float32)
    found = np.asarray(getattr(pack(**{f"{name}_weight": weight}), field)).reshape(steps.shape)
    np.testing.assert_allclose(found, steps * weight[:, None], rtol=1e-6)


def test_what_relatives_say_has_weights_of_its_own(pack):
    values, weight = np.asarray(pack().scalars), np.arange(RELATIVES, dtype=np.float32)
    found = np.asarray(pack(relatives_weight=weight).scalars)
    assert values[:, -RELATIVES:].any()
    np.testing.assert_allclose(found[:, -RELATIVES:], values[:, -RELATIVES:] * weight, rtol=1e-6)
    np.testing.assert_array_equal(found[:, :-RELATIVES], values[:, :-RELATIVES])
