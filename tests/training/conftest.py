"""The tiny population, trained for the tests of several files."""

import functools
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest

from jaxboost.training import crew as boarding
from jaxboost.training import has_checkpoint, restore_checkpoint
from jaxboost.training.loop import Workshop, train_population
from jaxboost.training.member import Member
from jaxboost.training.population import init_program, population_program
from tests.training.tiny_population import Run, tiny_population


@pytest.fixture(scope="session")
def crew() -> tuple[dict[str, Member], Workshop]:
    return tiny_population()


@pytest.fixture(scope="session")
def programs() -> dict[str, Callable[..., Any]]:
    """What `train` puts in the place of functions of `training.crew`: programs of the same shapes compile once."""
    return {
        "population_program": functools.cache(population_program),
        "init_program": functools.cache(init_program),
    }


@pytest.fixture(scope="session")
def train(crew, programs, tmp_path_factory):
    """Trains members in a folder."""
    _, whole = crew

    def run(members, folder=None, *, calls=10**6, **changes) -> Run:
        folder = folder or tmp_path_factory.mktemp("members")
        workshop = replace(whole, folder=folder, **changes)
        left = iter(range(calls - 1))
        rows: list[dict[str, Any]] = []
        with pytest.MonkeyPatch.context() as patch:
            for name, program in programs.items():
                patch.setattr(boarding, name, program)
            train_population(
                list(members),
                workshop,
                report=lambda progress: rows.extend(progress.rows),
                should_stop=lambda: next(left, None) is None,
            )
        there = [member.name for member in members if has_checkpoint(folder / member.name)]
        return Run({name: restore_checkpoint(folder / name) for name in there}, rows)

    return run


@pytest.fixture(scope="session")
def alone(crew, train) -> Run:
    """All four, trained without interruption."""
    return train(crew[0].values())
