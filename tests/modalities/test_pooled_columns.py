"""The row of fixed length a crystal, and which column of it is whose."""

import numpy as np
import pytest

from jaxboost.modalities.featurize import FeaturizerSettings, featurize
from jaxboost.modalities.pooled_columns import PARTS, pooled_columns
from tests.crystals import prototype


@pytest.fixture(scope="module")
def features():
    pairs = [(m, x) for m in (3, 11, 19) for x in (9, 17)]
    structures = [prototype(name, pair, 4.5) for name in ("rocksalt", "cscl") for pair in pairs]
    return featurize(structures, FeaturizerSettings(neighbors=4, cutoff=5.0))[0]


def test_no_column_is_constant_or_infinite(features):
    table = pooled_columns(features).table
    assert len(table) == 12 and not np.isinf(table).any()
    assert all(len(np.unique(column[np.isfinite(column)])) > 1 for column in table.T)
    swapped = pooled_columns(features.take(np.arange(12)[::-1])).table
    np.testing.assert_array_equal(swapped, table[::-1])


@pytest.mark.parametrize("part", [part for part in PARTS if part not in ("space_group", "distance")])
def test_every_column_knows_where_it_is_from(features, part):
    pooled, values = pooled_columns(features), getattr(features, part)
    for row in range(3):
        there = pooled.spread(np.ones(pooled.table.shape[1]), part, values.shape[1]) > 0
        assert there.any()
        found = pooled.spread(pooled.table[row], part, values.shape[1])
        np.testing.assert_array_equal(found[there], values[row, there])
        # What is left out is the same in all crystals that have it.
        for column in values[:, ~there].T:
            assert len(np.unique(column[np.isfinite(column)])) <= 1
