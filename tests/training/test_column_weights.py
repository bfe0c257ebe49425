"""Columns count by what they gained the trees, and nothing else of a normalizer changes."""

import numpy as np
import pytest

from jaxboost.data.batches import Normalizer
from jaxboost.modalities.pooled_columns import PARTS, PooledColumns
from jaxboost.training.column_weights import weighted

SIZES = {"points": 2, "lines": 2, "kspace_columns": 3, "scalars": 4, "electrons": 2}
NORMALIZER = Normalizer(
    **{f"{part}_{what}": np.ones(size, np.float32) for part, size in SIZES.items() for what in ("mean", "std")},
    known=np.ones(5, bool),
)
# Scalars 0, 1 and 3 (2 is the same everywhere), electrons 1, the space group, k-space columns 2 and 0.
PART = np.array(
    [PARTS.index(name) for name in ("scalars",) * 3 + ("electrons", "space_group") + ("kspace_columns",) * 2]
)
POOLED = PooledColumns(np.zeros((1, 7), np.float32), PART, np.array([0, 1, 3, 1, 0, 2, 0]))
GAINS = np.array([1, 4, 9, 16, 25, 36, 49, 64, 81], np.float32)  # two of relatives


def test_weights_are_powers_of_the_gains_at_the_places_of_their_columns():
    found = weighted(NORMALIZER, POOLED, GAINS, 0.5, 15_000)
    unit = found.scalars_weight[0]
    np.testing.assert_allclose(found.scalars_weight / unit, [1, 2, 0, 3], rtol=0.02)
    np.testing.assert_allclose(found.electrons_weight / unit, [0, 4], rtol=0.02)
    np.testing.assert_allclose(found.kspace_columns_weight / unit, [7, 0, 6], rtol=0.02)
    np.testing.assert_allclose(found.relatives_weight / unit, [8, 9], rtol=0.02)
    assert unit == pytest.approx(1 / np.sqrt((np.arange(1, 10) ** 2).mean()), rel=0.02)
    for name in Normalizer._fields[:11]:
        np.testing.assert_array_equal(getattr(found, name), getattr(NORMALIZER, name))


def test_a_column_without_gain_still_counts_a_little():
    gains = GAINS.copy()
    gains[0] = 0
    weights = weighted(NORMALIZER, POOLED, gains, 0.5, 15_000).scalars_weight
    assert 0 < weights[0] < 0.1 * weights[1]


def test_what_few_rows_say_moves_weights_less():
    few, many = (weighted(NORMALIZER, POOLED, GAINS, 0.5, rows).relatives_weight[1] for rows in (15, 15_000))
    assert 1 < few < many


def test_without_power_or_gain_all_columns_are_alike():
    assert weighted(NORMALIZER, POOLED, GAINS, 0.0, 15_000) is NORMALIZER
    found = weighted(NORMALIZER, POOLED, np.zeros(9, np.float32), 0.5, 15_000)
    np.testing.assert_allclose(found.scalars_weight, [1, 1, 0, 1])
    np.testing.assert_allclose(found.relatives_weight, [1, 1])
