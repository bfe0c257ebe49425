"""By how much each column counts for a member: by what it gained the boosted trees that were fitted to its rows.

A network that knows nothing of its columns hears hundreds that say nothing as loudly as the few that decide. Trees
choose theirs. Standardised columns are multiplied by a power of what they gained; decay of the weights then makes a
column that counts little dear to use. It says nothing of what a column means, only how much.
"""

from __future__ import annotations

import numpy as np

from jaxboost.data.batches import Normalizer
from jaxboost.modalities.pooled_columns import PooledColumns

_DOUBT = 15.0  # rows: as many say as much for a column that no tree split on as for the mean one


def weighted(normalizer: Normalizer, pooled: PooledColumns, gains: np.ndarray, power: float, rows: int) -> Normalizer:
    """The normalizer with the weights of all columns; their mean square is 1. What few rows say moves them less.

    Args:
      normalizer: of a member.
      pooled: whose c columns the trees read first.
      gains: [c + relatives] what each column gained them, those that relatives say at the end.
      power: 0 leaves the normalizer as it is.
      rows: that the trees were fitted to.
    """
    if not power:
        return normalizer
    gains = gains.astype(float) if gains.any() else np.ones(len(gains))  # without a split all columns are alike
    weights = (gains / gains.mean() + _DOUBT / rows) ** power
    weights = (weights / np.sqrt((weights**2).mean())).astype(np.float32)
    own, heard = np.split(weights, [len(pooled.part)])
    spread = {
        f"{part}_weight": pooled.spread(own, part, len(getattr(normalizer, f"{part}_mean")))
        for part in ("scalars", "electrons", "kspace_columns")
    }
    return normalizer._replace(relatives_weight=heard, **spread)
