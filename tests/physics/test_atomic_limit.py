"""Shells filled from below, on elements and compounds whose ions everybody knows."""

import numpy as np
import pytest

from jaxboost.crystal.elements import VALENCE_ELECTRONS, atomic_number
from jaxboost.physics.atomic_limit import (
    CAPACITIES,
    INNER_SHELLS,
    closed_shell,
    fill_shells,
    inner_electrons,
    outer_electrons,
    outer_shells,
)


def _filling(*formula):
    return fill_shells(np.concatenate([[atomic_number(symbol)] * count for symbol, count in formula]))


def test_inner_electrons_close_shells():
    for z in range(1, 95):
        assert inner_electrons(z) in INNER_SHELLS
        assert 0 < outer_electrons(z) <= sum(CAPACITIES[shell.l] for shell in outer_shells(z))
    assert outer_electrons(95) == 0 and VALENCE_ELECTRONS[95] == 0


@pytest.mark.parametrize(
    ("symbol", "outer"),
    [("H", 1), ("He", 2), ("Na", 1), ("Ca", 2), ("Zn", 2), ("Ga", 3), ("Pb", 4), ("Te", 6), ("Ti", 4), ("Fe", 8)]
    + [("Cu", 11), ("La", 3), ("Ce", 4), ("Nd", 3), ("Eu", 9), ("Yb", 2), ("Lu", 3), ("U", 6)],
)
def test_outer_electrons(symbol, outer):
    assert outer_electrons(atomic_number(symbol)) == outer


@pytest.mark.parametrize(
    ("formula", "shell"),
    [
        ([("Mg", 1), ("O", 1)], ("O", 1)),
        ([("Na", 1), ("Cl", 1)], ("Cl", 1)),
        ([("Ti", 1), ("O", 2)], ("O", 1)),
        ([("Sr", 1), ("Ti", 1), ("O", 3)], ("O", 1)),
        ([("Pb", 1), ("Ti", 1), ("O", 3)], ("Pb", 0)),
        ([("Pb", 1), ("Te", 1)], ("Pb", 0)),
        ([("Bi", 2), ("Te", 3)], ("Bi", 0)),
        ([("Ga", 1), ("As", 1)], ("As", 1)),
        ([("Li", 1), ("H", 1)], ("H", 0)),
        ([("Zn", 1), ("S", 1)], ("S", 1)),
    ],
)
def test_closed_shells(formula, shell):
    filling = _filling(*formula)
    top = filling.shells[filling.highest]
    assert filling.in_open_shell == 0 and filling.gap > 0
    assert (top.atomic_number, top.l) == (atomic_number(shell[0]), shell[1])


@pytest.mark.parametrize(
    ("formula", "electrons", "l"),
    [([("Si", 2)], 4, 1), ([("Na", 1)], 1, 0), ([("Fe", 1)], 8, 2), ([("V", 1), ("O", 2)], 1, 2), ([("Eu", 1)], 9, 3)],
)
def test_open_shells(formula, electrons, l):  # noqa: E741
    filling = _filling(*formula)
    assert filling.in_open_shell == electrons and filling.gap == 0
    assert filling.shells[filling.highest].l == l


def test_all_electrons_find_a_place_from_below():
    rng = np.random.default_rng(0)
    for _ in range(50):
        numbers = rng.integers(1, 95, 6)
        filling = fill_shells(numbers)
        assert filling.electrons.sum() == sum(outer_electrons(z) for z in numbers.tolist())
        full = filling.electrons == filling.capacities
        assert full[: filling.highest].all() and not filling.electrons[filling.highest + 1 :].any()


def test_anions_close_s_and_p():
    assert [closed_shell(atomic_number(s)) for s in ("O", "H", "Na", "Fe", "Ce", "Gd")] == [8, 2, 2, 10, 14, 14]


def test_full_shells_of_a_noble_gas_end_at_the_vacuum():
    assert _filling(("Ne", 1)).gap > 10
