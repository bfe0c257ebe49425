"""Elements that lie close in the periodic table share their offsets; nothing else does."""

import numpy as np

from jaxboost.crystal.elements import atomic_number
from jaxboost.physics.element_prior import SHARE, shared, sharing
from jaxboost.physics.fit_tight_binding import prior_widths


def _alike(one: str, other: str) -> float:
    return float((sharing() @ sharing())[atomic_number(one), atomic_number(other)])


def test_what_elements_share_falls_with_their_distance_in_the_periodic_table():
    root = sharing()
    np.testing.assert_allclose(root, root.T, atol=1e-12)
    assert np.linalg.eigvalsh(root).min() > 0.5
    np.testing.assert_allclose(np.diag(root @ root), 1)
    np.testing.assert_allclose(
        [_alike("Si", "Ge"), _alike("Ga", "Ge")], [SHARE * np.exp(-1 / 2), SHARE * np.exp(-2 / 9)]
    )
    np.testing.assert_allclose(_alike("La", "Lu"), SHARE)
    assert _alike("Cs", "Cl") < 1e-6


def test_only_what_goes_by_element_is_shared():
    ones = type(prior_widths())(*(np.ones_like(array) for array in prior_widths()))
    found = shared(ones, 2 * np.eye(104))
    for name, array in found._asdict().items():
        np.testing.assert_array_equal(array, 1 if name in ("shell_factor", "ionicity") else 2)
