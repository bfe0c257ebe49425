"""How the members of a run learnt: figures from the lines of `log.jsonl`."""

import re
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.lines import Line2D
from matplotlib.ticker import MaxNLocator, PercentFormatter

from jaxboost.errors import InputError
from jaxboost.reporting.canvas import COLOURS, DASHES, GREY, as_it_stands, empty_figure, write_figure


def learning_curves(log: Sequence[Mapping[str, Any]], path: Path) -> Path:
    """Loss (training dashed, validation solid), validation accuracy and learning rate against the epoch, by family.

    Args:
        log: one dict a member and epoch: member, epoch, train_loss, validation_loss, validation_accuracy, lr. A
            value that is absent or None (a member without validation rows) is left out. Members named alike
            up to a number (kfold_0, kfold_1) are a family: one colour, thin lines, a thick one for the mean.

    Raises:
        InputError: the log is empty.
    """
    families: dict[str, dict[str, list[Mapping[str, Any]]]] = {}
    for member, lines in _by_member(log).items():
        families.setdefault(re.sub(r"_?\d+$", "", member), {})[member] = lines
    figure, (loss, accuracy, rate) = empty_figure(5.2, 6.2, rows=3, heights=(1.5, 1.5, 0.8), sharex=True)
    panels = (
        (loss, "train_loss", DASHES[1]),
        (loss, "validation_loss", "-"),
        (accuracy, "validation_accuracy", "-"),
        (rate, "lr", "-"),
    )
    for number, members in enumerate(families.values()):
        for axes, field, dash in panels:
            _family(axes, members, field, COLOURS[number % len(COLOURS)], dash)
    for axes, title in ((loss, "loss (nats)"), (accuracy, "validation accuracy"), (rate, "learning rate")):
        axes.set(ylabel=title)
        axes.xaxis.set_major_locator(MaxNLocator(integer=True, steps=[1, 2, 5, 10]))
    rate.set(xlabel="epoch")
    accuracy.yaxis.set_major_formatter(PercentFormatter(1.0, decimals=None))
    rate.ticklabel_format(axis="y", style="sci", scilimits=(0, 0), useMathText=True)
    handles = [
        Line2D(
            [],
            [],
            color=COLOURS[number % len(COLOURS)],
            linewidth=2,
            label=as_it_stands(f"{family} ({len(members)})"),
        )
        for number, (family, members) in enumerate(families.items())
    ]
    handles += [
        Line2D([], [], color=GREY, linestyle="-", label="validation"),
        Line2D([], [], color=GREY, linestyle=DASHES[1], label="training"),
    ]
    figure.legend(handles=handles, loc="outside upper center", ncols=3, frameon=False, fontsize=9)
    return write_figure(figure, path)


def member_curves(log: Sequence[Mapping[str, Any]], path: Path) -> Path:
    """A panel a member: its loss (training dashed, validation solid), dotted the epoch that was kept.

    Args:
        log: as of `learning_curves`.

    Raises:
        InputError: the log is empty.
    """
    members = _by_member(log)
    columns = min(3, len(members))
    rows = -(-len(members) // columns)
    figure, panels = empty_figure(5.6, 0.8 + 1.75 * rows, rows=rows, columns=columns, sharex=True, sharey=True)
    for axes, (member, lines) in zip(panels, members.items(), strict=False):
        for field, colour, dash in (("train_loss", COLOURS[0], DASHES[1]), ("validation_loss", COLOURS[1], "-")):
            axes.plot(*_points(lines, field).T, color=colour, linestyle=dash, linewidth=1.5)
        loss, accuracy = (_points(lines, f"validation_{what}") for what in ("loss", "accuracy"))
        axes.set_title(as_it_stands(member), fontsize=10, loc="left")
        if len(loss):
            kept = loss[:, 1].argmin()
            axes.axvline(loss[kept, 0], color=GREY, linestyle=":", linewidth=1.3)
            axes.set_title(f"{accuracy[kept, 1]:.1%}", fontsize=9, loc="right")
        axes.xaxis.set_major_locator(MaxNLocator(4, integer=True))
    for axes in panels[len(members) :]:
        axes.set_visible(False)
    for axes in panels[max(len(members) - columns, 0) : len(members)]:
        axes.set(xlabel="epoch")
        axes.tick_params(labelbottom=True)
    for axes in panels[::columns]:
        axes.set(ylabel="loss (nats)")
    handles = [
        Line2D([], [], color=COLOURS[0], linestyle=DASHES[1], label="training"),
        Line2D([], [], color=COLOURS[1], linestyle="-", label="validation"),
        Line2D([], [], color=GREY, linestyle=":", label="the epoch that was kept"),
    ]
    figure.legend(handles=handles, loc="outside upper center", ncols=3, frameon=False, fontsize=9)
    return write_figure(figure, path)


def _by_member(log: Sequence[Mapping[str, Any]]) -> dict[str, list[Mapping[str, Any]]]:
    if not log:
        raise InputError("learning_curves: the log is empty; give the lines of log.jsonl")
    members: dict[str, list[Mapping[str, Any]]] = {}
    for line in log:
        members.setdefault(str(line["member"]), []).append(line)
    # The log begins with whichever device was first; kfold_10 stands behind kfold_9.
    return {name: members[name] for name in sorted(members, key=_by_number)}


def _by_number(name: str) -> list[str | int]:
    return [int(part) if part.isdecimal() else part for part in re.split(r"(\d+)", name)]


def _points(lines: Sequence[Mapping[str, Any]], field: str) -> np.ndarray:
    """[epochs, 2] epoch and value, by epoch; of an epoch that stands twice, as after a stop, the last."""
    found = {line["epoch"]: line[field] for line in lines if line.get(field) is not None}
    return np.reshape(sorted(found.items()), (-1, 2))


def _family(axes: Axes, members: Mapping[str, list[Mapping[str, Any]]], field: str, colour: str, dash: Any) -> None:
    """A thin line a member and, where there are several, a thick one: their mean at each epoch."""
    by_epoch: dict[float, list[float]] = {}
    for lines in members.values():
        points = _points(lines, field)
        for epoch, value in points:
            by_epoch.setdefault(epoch, []).append(value)
        alone = len(members) == 1
        axes.plot(
            *points.T,
            color=colour,
            linestyle=dash,
            linewidth=1.8 if alone else 0.7,
            alpha=1.0 if alone else 0.35,
        )
    if len(members) > 1:
        epochs = sorted(by_epoch)
        axes.plot(
            epochs,
            [np.mean(by_epoch[epoch]) for epoch in epochs],
            color=colour,
            linestyle=dash,
            linewidth=1.8,
        )
