"""Points and lines as one row a crystal: against figures by hand."""

import numpy as np

from jaxboost.modalities.kspace_columns import kspace_columns, pooled
from jaxboost.modalities.kspace_graph import space_group_arrays


def test_pooling_leaves_out_what_is_not_there():
    values = np.array([[[1.0], [5.0], [np.nan]], [[7.0], [9.0], [2.0]]])
    mean, least, greatest = pooled(values, np.array([[True, True, True], [False, False, False]]))
    np.testing.assert_array_equal(np.concatenate([mean, least, greatest], 1), [[3, 1, 5], [np.nan] * 3])


def test_a_row_says_what_its_own_points_and_lines_do_whatever_the_padding_holds():
    groups = space_group_arrays()
    p = groups.present.shape[1]
    number = np.array([225, 2] * 600)  # more than one block
    points = np.where(groups.present[number], np.arange(p), -99.0)[:, :, None]
    joined = groups.line[number][..., 0] > 0
    lines = np.where(joined, 3.0, 99.0)[..., None]
    found = kspace_columns(points, lines, number)
    assert found.shape == (1200, 6) and found.dtype == np.float32
    for row, group in enumerate((225, 2)):
        there = np.flatnonzero(groups.present[group])
        of_lines = 3.0 if joined[row].any() else np.nan
        np.testing.assert_allclose(found[row], [there.mean(), there[0], there[-1], *[of_lines] * 3], rtol=1e-6)
    np.testing.assert_array_equal(found, np.tile(found[:2], (600, 1)))
