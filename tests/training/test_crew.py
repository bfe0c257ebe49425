"""The program of a population is compiled while its members learn what to be taught."""

from dataclasses import replace
from threading import Event
from types import SimpleNamespace

import jax
import numpy as np
import pytest

from jaxboost.training import crew as boarding
from jaxboost.training.crew import muster, seated
from jaxboost.training.population import make_mesh


class Slow:
    """Stands for a program that compiles only when it is told to; it becomes the shapes that it is to be for."""

    def __init__(self) -> None:
        self.may_compile = Event()

    def lower(self, *shapes):
        assert self.may_compile.wait(60)
        self.shapes = shapes
        return self

    def compile(self):
        return self.shapes


def test_nobody_waits_for_the_program_before_it_is_needed(crew, monkeypatch, tmp_path):
    slow = Slow()
    monkeypatch.setattr(boarding, "population_program", lambda *asked: slow)
    members, workshop = crew
    mustered = muster(list(members.values()), replace(workshop, folder=tmp_path))
    assert not mustered.program.done() and mustered.names == set(members)
    slow.may_compile.set()
    shapes, at_once = mustered.program.result(60)
    assert at_once == 1
    assert {leaf.shape[0] for leaf in jax.tree.leaves(shapes[:2])} == {len(members)}


def test_what_prevents_the_program_is_raised_where_it_is_needed(crew, monkeypatch, tmp_path):
    def broken(*asked):
        raise ZeroDivisionError("of the program")

    monkeypatch.setattr(boarding, "population_program", broken)
    mustered = muster(list(crew[0].values()), replace(crew[1], folder=tmp_path))
    with pytest.raises(ZeroDivisionError, match="of the program"):
        mustered.program.result(60)


def test_seats_are_filled_by_idle_members_and_devices_have_alike_to_do(crew):
    members = [
        replace(crew[0]["full"], name=name, hyperparameters=crew[0]["full"].hyperparameters._replace(epochs=epochs))
        for name, epochs in (("a", 9), ("b", 5), ("c", 4))
    ]
    mesh = make_mesh(1, 1)
    assert [member.name for member in seated(members, mesh)] == ["a", "b", "c"]
    seats = seated(members, SimpleNamespace(shape={"member": 2}))
    assert [member.name for member in seats] == ["a", "idle_0", "b", "c"]
    assert seats[1].hyperparameters.epochs == 0 and not len(seats[1].validation)
    assert np.array_equal(seats[1].train, members[0].train)
