"""Ten materials whose order of bands is known, by the learned figures that ship."""

import pytest

from benchmarks.known_materials import MATERIALS, verdict_of
from jaxboost.crystal import make_crystal
from jaxboost.physics.tight_binding_elements import PARAMETER_SETS


@pytest.mark.parametrize("known", MATERIALS, ids=lambda known: known.name)
def test_learned_bands_are_inverted_where_they_are_known_to_be(known):
    _, rule = verdict_of(make_crystal(known.structure), PARAMETER_SETS["learned"]())
    assert (rule != "trivial") == known.inverted
