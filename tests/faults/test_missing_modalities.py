"""Row 14: a modality that some crystals lack, and one that all lack; a crystal without any."""

from dataclasses import replace

import numpy as np
import pytest

from jaxboost.data.batches import fit_normalizer, make_materials
from jaxboost.data.isopointal import no_relatives
from jaxboost.errors import InputError
from jaxboost.modalities.features import MODALITIES, concatenate
from jaxboost.modalities.featurize import FeaturizerSettings, featurize_one
from tests.crystals import prototype

PAIRS = [(11, 17), (95, 13), (12, 8), (19, 35)]  # americium's valence electrons are not known


@pytest.fixture(scope="module")
def features():
    settings = FeaturizerSettings(neighbors=4, cutoff=5.0)
    return concatenate([featurize_one(prototype("rocksalt", pair, 5.6), settings) for pair in PAIRS])


def test_what_cannot_be_computed_is_masked_and_nothing_else(features):
    assert features.mask.tolist() == [[True] * 4, [True, True, True, False], [True] * 4, [True] * 4]
    assert MODALITIES[3] == "electrons"


@pytest.mark.parametrize("rows", [[0, 1, 2, 3], [1], [1, 1]])
def test_a_normalizer_is_finite_where_some_or_all_lack_it(features, rows):
    for array in fit_normalizer(features, np.array(rows), np.zeros(1, bool), 3):
        assert np.isfinite(array).all()


def test_unknown_scalars_are_left_out_of_the_mean(features):
    scalars = features.scalars.copy()
    scalars[0], scalars[:, 7] = np.nan, np.nan
    normalizer = fit_normalizer(replace(features, scalars=scalars), np.arange(4), np.zeros(1, bool), 3)
    known = np.isfinite(scalars[1:]).all(axis=0)
    np.testing.assert_allclose(normalizer.scalars_mean[known], scalars[1:, known].mean(0), rtol=1e-5, atol=1e-6)
    assert normalizer.scalars_mean[7] == 0 and normalizer.scalars_std[7] == 1


def test_a_crystal_without_any_is_refused_by_its_formula(features):
    mask = features.mask.copy()
    mask[2] = False
    others = np.ones((4, 2), bool), np.zeros(4, int), no_relatives(4)
    make_materials(features, *others)
    with pytest.raises(InputError, match=r"row 2 \(MgO\): none of crystal, kspace, scalars, electrons"):
        make_materials(replace(features, mask=mask), *others)
