"""What a crystal is scored on can be another crystal's: which one's, for each part of what a network reads."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from jaxboost.modalities.features import MODALITIES

PARTS = (*MODALITIES, "rules", "relatives")
"""The four tokens, which classes symmetry and filling allow, and what the scalars say of isopointal relatives."""

RULES, RELATIVES = PARTS.index("rules"), PARTS.index("relatives")


class Shuffle(NamedTuple):
    """That a part of the crystals of a batch is dealt out among them anew.

    Attributes:
      part: one of `PARTS`.
      seed: of the order.
    """

    part: str
    seed: int


def donors(rows: np.ndarray, shards: int, shuffle: Shuffle | None) -> np.ndarray:
    """From which place of its batch each crystal takes each part: its own, but for the part that is shuffled.

    There every crystal gets another one's, unless it is alone: they are put in a circle, in an order drawn anew for
    each step. Members that score the same rows use the same order. Crystals of one device stay among themselves.

    Args:
      rows: [member, step, b] rows of the table as they are dealt to devices, -1 for none.
      shards: devices that share a batch; b is a multiple of it.
      shuffle: what is shuffled, None for nothing.

    Returns:
      [member, step, b, part] int32 places in a device's share of the batch.
    """
    members, steps, size = rows.shape
    share = size // shards
    places = np.broadcast_to(np.tile(np.arange(share, dtype=np.int32), shards)[:, None], (*rows.shape, len(PARTS)))
    if shuffle is None:
        return places
    places, part = places.copy(), PARTS.index(shuffle.part)
    for member in range(members):
        for step in range(steps):
            for shard in range(shards):
                first = shard * share
                there = np.flatnonzero(rows[member, step, first : first + share] >= 0)
                order = np.random.default_rng([shuffle.seed, step, shard]).permutation(there)
                places[member, step, first + order, part] = np.roll(order, 1)
    return places
