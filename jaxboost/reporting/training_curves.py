"""How the members of a run learnt: one figure from the lines of `log.jsonl`."""

import re
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.lines import Line2D
from matplotlib.ticker import MaxNLocator, PercentFormatter

from jaxboost.errors import InputError
from jaxboost.reporting.canvas import COLOURS, DASHES, GREY, as_it_stands, empty_figure, write_png


def learning_curves(log: Sequence[Mapping[str, Any]], path: Path) -> Path:
    """Loss (training dashed, validation solid) and validation accuracy of every member against the epoch.

    Args:
        log: one dict a member and epoch: member, epoch, train_loss, validation_loss, validation_accuracy. A
            value that is absent or None (a member without validation rows) is left out. Members named alike
            up to a number (kfold_0, kfold_1) are a family: one colour, thin lines, a thick one for the mean.

    Raises:
        InputError: the log is empty.
    """
    if not log:
        raise InputError("learning_curves: the log is empty; give the lines of log.jsonl")
    families: dict[str, dict[str, list[Mapping[str, Any]]]] = {}
    for line in log:
        member = str(line["member"])
        families.setdefault(re.sub(r"_?\d+$", "", member), {}).setdefault(member, []).append(line)
    figure, (loss, accuracy) = empty_figure(7.4, 3.9, columns=2)
    panels = (
        (loss, "train_loss", DASHES[1]),
        (loss, "validation_loss", "-"),
        (accuracy, "validation_accuracy", "-"),
    )
    for number, members in enumerate(families.values()):
        for axes, field, dash in panels:
            _family(axes, members, field, COLOURS[number % len(COLOURS)], dash)
    for axes, title in ((loss, "loss (nats)"), (accuracy, "validation accuracy")):
        axes.set(xlabel="epoch", ylabel=title)
        axes.xaxis.set_major_locator(MaxNLocator(integer=True, steps=[1, 2, 5, 10]))
    accuracy.yaxis.set_major_formatter(PercentFormatter(1.0, decimals=None))
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
    figure.legend(handles=handles, loc="outside upper center", ncols=min(len(handles), 5), frameon=False, fontsize=9)
    return write_png(figure, path)


def _family(axes: Axes, members: Mapping[str, list[Mapping[str, Any]]], field: str, colour: str, dash: Any) -> None:
    """A thin line a member and, where there are several, a thick one: their mean at each epoch."""
    by_epoch: dict[float, list[float]] = {}
    for lines in members.values():
        points = sorted((line["epoch"], line[field]) for line in lines if line.get(field) is not None)
        for epoch, value in points:
            by_epoch.setdefault(epoch, []).append(value)
        alone = len(members) == 1
        axes.plot(
            *np.reshape(points, (-1, 2)).T,
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
