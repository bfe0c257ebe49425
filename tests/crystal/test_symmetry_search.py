"""Symmetry is found as moyo finds it, and a search without end is ended."""

import os
import signal

import moyopy
import numpy as np
import pytest

from jaxboost.crystal import Structure, make_crystal
from jaxboost.crystal import symmetry_search as module
from jaxboost.crystal.checks import StructureError
from jaxboost.crystal.symmetry_search import find_symmetry
from tests.crystals import prototype

SALT = prototype("rocksalt", (11, 17), 5.64)
SLAB = Structure(  # a strained sheet in 97 Angstrom of vacuum: at 0.1 Angstrom moyo 0.21 comes to no end
    np.array([[2.59, -0.006, -0.003], [-1.289, 2.249, 0.004], [-1.158, -0.301, 97.54]]), np.zeros((1, 3)), np.array([6])
)


@pytest.mark.parametrize("structure", [SALT, prototype("zincblende", (31, 33), 5.65)])
def test_it_is_what_moyo_finds_to_the_last_bit(structure):
    cell = moyopy.Cell(*(a.tolist() for a in (structure.lattice, structure.frac_coords, structure.atomic_numbers)))
    dataset, found = moyopy.MoyoDataset(cell, symprec=0.1), find_symmetry(structure, 0.1)
    assert (found.number, found.hall_number) == (dataset.number, dataset.hall_number)
    np.testing.assert_array_equal(found.lattice, dataset.prim_std_cell.basis)
    np.testing.assert_array_equal(found.frac_coords, dataset.prim_std_cell.positions)
    np.testing.assert_array_equal(found.atomic_numbers, dataset.prim_std_cell.numbers)


def test_a_slab_whose_search_has_no_end_is_searched_within_less():
    found = make_crystal(SLAB)
    assert found.space_group_number == find_symmetry(SLAB, 0.05).number


def test_a_search_without_end_is_refused_and_the_next_one_is_made(monkeypatch):
    monkeypatch.setattr(module, "_SECONDS", 0.2)
    monkeypatch.setattr(module, "_TRIES", 1)
    with pytest.raises(StructureError, match=r"at 0\.1 Angstrom came to no end in 0\.2 s.*try another config\.crystal"):
        make_crystal(SLAB)
    assert make_crystal(SALT).space_group_number == 225


@pytest.fixture
def process():
    """One of its own, so that nothing is done to that of the other tests."""
    own = module._Process()
    yield own
    own.close()


def ask(process, structure=SALT):
    cell = [array.tolist() for array in (structure.lattice, structure.frac_coords, structure.atomic_numbers)]
    return process.ask({"cell": cell, "symprec": 0.1, "seconds": 5.0})


def test_what_ended_between_two_searches_is_started_again(process):
    assert ask(process)[1]["number"] == 225
    first = process._running
    os.kill(first.pid, signal.SIGKILL)
    first.wait()
    assert ask(process)[1]["number"] == 225 and process._running.pid != first.pid


def test_what_breaks_off_is_said(process, monkeypatch):
    monkeypatch.setattr(module, "_process", lambda: process)
    monkeypatch.setattr(process, "ask", lambda request: (-11, None))
    with pytest.raises(StructureError, match=r"broke off \(status -11\)"):
        find_symmetry(SALT, 0.1)


def test_a_fork_searches_by_a_process_of_its_own(monkeypatch):
    before = module._process()
    monkeypatch.setattr(module, "_of_this", before)  # so that it is put back
    monkeypatch.setattr(before, "owner", before.owner + 1)
    other = module._process()
    assert other is not before and other.owner == os.getpid()
    before.close()  # not its owner: nothing ends
    assert before._running is None or before._running.poll() is None
    other.close()


def test_it_ends_with_who_asks_even_where_a_fork_holds_its_input(process):
    ask(process)
    running = process._running
    held = os.dup(running.stdin.fileno())
    process.close()
    os.close(held)
    assert running.returncode == -signal.SIGTERM


def test_an_answer_that_nobody_waited_for_is_no_answer_to_the_next_request(process):
    """Ctrl-C within a search, and the session goes on."""
    ask(process)

    def interrupt(*_):
        raise KeyboardInterrupt

    before = signal.signal(signal.SIGALRM, interrupt)
    signal.setitimer(signal.ITIMER_REAL, 0.2)
    try:
        with pytest.raises(KeyboardInterrupt):
            ask(process, SLAB)
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, before)
    assert ask(process)[1]["number"] == 225
