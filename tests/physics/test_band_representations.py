"""The shipped table is what its script computes."""

import numpy as np
import pytest

from jaxboost.physics import band_representations
from jaxboost.physics.band_representations import compute_space_group, induced_multiplicities
from jaxboost.physics.high_symmetry import at_point, maximal_points
from jaxboost.physics.lattices import torsion
from jaxboost.physics.little_groups import operations
from jaxboost.physics.space_groups import space_group
from jaxboost.physics.wyckoff import maximal_sites


@pytest.mark.parametrize("number", [1, 2, 14, 62, 82, 139, 143, 166, 199, 220, 227])
def test_computed_anew(number):
    assert compute_space_group(number) == space_group(number)


def test_strong_index_of_the_triclinic_group():
    # Parities at the 8 TRIM: three weak Z2 and one Z4 (Fu and Kane 2007; Khalaf et al. 2018).
    ops = operations(2)
    points = maximal_points(ops)
    small = tuple(at_point(ops, p) for p in points)
    matrix, dims = induced_multiplicities(ops, maximal_sites(ops), points, small)
    assert matrix.shape == (16, 16) and (dims == 2).all()
    assert torsion(matrix) == (2, 2, 2, 4)
    # Leaving out a Wyckoff position enlarges the quotient: the atomic limits there count as topological.
    assert np.prod(torsion(matrix[:-2])) > 32 or len(torsion(matrix[:-2])) != 4


def test_a_representation_that_loses_bands_is_refused(monkeypatch):
    ops = operations(62)
    points = maximal_points(ops)
    small = tuple(at_point(ops, p) for p in points)
    honest = band_representations.induced_characters
    monkeypatch.setattr(band_representations, "induced_characters", lambda *args: 2 * honest(*args))
    with pytest.raises(ArithmeticError, match="dimension"):
        induced_multiplicities(ops, maximal_sites(ops), points, small)
