"""How alike elements are taken to be before anything is fitted: neighbours in the periodic table are off alike.

The offsets of a figure over the elements are a Gaussian process, part each element's own and part smooth over periods
and groups: `K = (1 - SHARE) + SHARE exp(-(periods apart)^2 / 2 - (groups apart)^2 / 4.5)`, lanthanides in one group.
A fit moves independent `x` of `offsets = K^(1/2) x`, so an element seldom seen learns from those beside it.
"""

from functools import lru_cache

import numpy as np

from jaxboost.crystal.elements import ELEMENT_PROPERTIES
from jaxboost.physics.tight_binding_elements import Parameters

SHARE = 0.7
"""Of the variance, what neighbours in the table have in common. Its worth is not shown: docs/tight_binding.md."""

_PERIODS, _GROUPS = 1.0, 1.5  # the distances over which it falls


@lru_cache(maxsize=1)
def sharing() -> np.ndarray:
    """`[104, 104]` the symmetric root of K, read-only."""
    period, group = (np.nan_to_num(ELEMENT_PROPERTIES[name]).astype(float) for name in ("period", "group"))
    apart = ((period[:, None] - period) / _PERIODS) ** 2 + ((group[:, None] - group) / _GROUPS) ** 2
    size, axes = np.linalg.eigh((1 - SHARE) * np.eye(len(period)) + SHARE * np.exp(-apart / 2))
    root = (axes * np.sqrt(size)) @ axes.T
    root.setflags(write=False)
    return root


def shared(values: Parameters, matrix: np.ndarray) -> Parameters:
    """The matrix `[104, 104]` applied to all that goes by element, the rest as it is."""
    return Parameters(*(
        np.tensordot(matrix, x, 1) if np.shape(x)[:1] == matrix.shape[:1] else np.asarray(x) for x in values
    ))  # fmt: skip
