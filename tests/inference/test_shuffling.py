"""Whose part each crystal is scored on: its own, or that of another crystal that is there, on the same device."""

import numpy as np

from jaxboost.inference.shuffling import PARTS, Shuffle, donors

# Two members, two steps, two devices of four places each; -1 is nobody.
ROWS = np.array([[[5, 9, -1, 2, 7, 1, 3, 0], [4, -1, -1, -1, 8, 6, -1, -1]]] * 2)


def test_without_a_shuffle_everything_is_ones_own():
    found = donors(ROWS, 2, None)
    assert found.shape == (2, 2, 8, len(PARTS))
    assert (found == np.tile(np.arange(4), 2)[:, None]).all()


def test_a_shuffled_part_comes_from_another_crystal_of_the_same_device():
    found = donors(ROWS, 2, Shuffle("kspace", 3))
    own = donors(ROWS, 2, None)
    part = PARTS.index("kspace")
    others = [p for p in range(len(PARTS)) if p != part]
    assert (found[..., others] == own[..., others]).all()
    moved = found[..., part].reshape(2, 2, 2, 4)
    there = ROWS.reshape(2, 2, 2, 4) >= 0
    for place in np.ndindex(2, 2, 2):
        here = np.flatnonzero(there[place])
        assert sorted(moved[place][here]) == here.tolist()
        assert len(here) == 1 or (moved[place][here] != here).all()
        assert (moved[place][~there[place]] == np.flatnonzero(~there[place])).all()


def test_members_with_the_same_rows_get_the_same_order_and_seeds_another():
    rows = np.arange(64).reshape(1, 1, 64).repeat(2, axis=0)
    one, other = donors(rows, 1, Shuffle("rules", 0)), donors(rows, 1, Shuffle("rules", 1))
    assert (one[0] == one[1]).all() and (one != other).any()
