"""How members and batches are laid out over a device or two changes no loss."""

from dataclasses import replace
from typing import Any

import pytest

from jaxboost.models import Network
from jaxboost.training.population import make_mesh
from tests.training.tiny_population import NETWORK, Run


@pytest.fixture(scope="module")
def reading(crew):
    """The members with a column reader, at a third of the rate: at the whole one a loss that has fallen to 0.077
    differs by 2.2e-5 of itself between layouts.
    """
    members = [
        replace(member, hyperparameters=member.hyperparameters._replace(max_lr=member.hyperparameters.max_lr / 3))
        for member in crew[0].values()
    ]
    return members, {"network": Network(replace(NETWORK, reader_width=8))}


@pytest.fixture(scope="module")
def read_alone(reading, train) -> Run:
    return train(reading[0], **reading[1])


LAYOUTS = ["vmap", "two devices", "two devices a batch"]


def laid_out(crew, other: str) -> dict[str, Any]:
    if other == "vmap":
        return {"settings": replace(crew[1].settings, axis="vmap")}
    return {"mesh": make_mesh(2, 1) if other == "two devices" else make_mesh(1, 2)}


def losses_agree(found: Run, alone: Run) -> None:
    """Another program may round otherwise, so losses agree to 1e-5; a member that read other rows is far outside."""
    assert {row["member"] for row in found.rows} == {row["member"] for row in alone.rows}
    for name in {row["member"] for row in alone.rows}:
        rows, expected = found.rows_of(name), alone.rows_of(name)
        assert [row["epoch"] for row in rows] == [row["epoch"] for row in expected]
        for figure in ("lr", "train_loss", "validation_loss"):
            pairs = [(row[figure], there[figure]) for row, there in zip(rows, expected, strict=True)]
            assert all(a == b or abs(a - b) <= 1e-5 * abs(b) for a, b in pairs), (name, figure, pairs)


@pytest.mark.parametrize("other", LAYOUTS)
def test_how_members_are_laid_out_changes_no_loss(crew, train, alone, other):
    losses_agree(train(crew[0].values(), **laid_out(crew, other)), alone)


@pytest.mark.parametrize("other", LAYOUTS)
def test_how_members_with_a_column_reader_are_laid_out_changes_no_loss(crew, reading, train, read_alone, other):
    losses_agree(train(reading[0], **reading[1], **laid_out(crew, other)), read_alone)
