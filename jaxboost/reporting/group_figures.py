"""Figures of accuracy by kind of crystal: dots with intervals, and the periodic table as a heat map.

Every function writes `path`, a PNG, and an SVG beside it, and returns it.
"""

from collections.abc import Mapping, Sequence
from pathlib import Path

import matplotlib as mpl
import numpy as np
from matplotlib.cm import ScalarMappable
from matplotlib.colors import Normalize
from matplotlib.patches import Rectangle
from matplotlib.ticker import PercentFormatter

from jaxboost.errors import InputError
from jaxboost.reporting.canvas import (
    COLOURS,
    GREY,
    GRID,
    ON_DARK,
    ON_LIGHT,
    as_it_stands,
    empty_figure,
    write_figure,
)
from jaxboost.reporting.groups import Group

# A period a line, a place a group; the f block stands below, La and Ac first.
_TABLE = """
H  .  .  .  .  .  .  .  .  .  .  .  .  .  .  .  .  He
Li Be .  .  .  .  .  .  .  .  .  .  B  C  N  O  F  Ne
Na Mg .  .  .  .  .  .  .  .  .  .  Al Si P  S  Cl Ar
K  Ca Sc Ti V  Cr Mn Fe Co Ni Cu Zn Ga Ge As Se Br Kr
Rb Sr Y  Zr Nb Mo Tc Ru Rh Pd Ag Cd In Sn Sb Te I  Xe
Cs Ba .  Hf Ta W  Re Os Ir Pt Au Hg Tl Pb Bi Po At Rn
Fr Ra .  .  .  .  .  .  .  .  .  .  .  .  .  .  .  .
.  .  La Ce Pr Nd Pm Sm Eu Gd Tb Dy Ho Er Tm Yb Lu .
.  .  Ac Th Pa U  Np Pu Am Cm Bk Cf Es Fm Md No Lr .
"""
_GAP = 0.35  # between the table and its f block, in cells


def element_places() -> dict[str, tuple[float, float]]:
    """Symbol -> (column, row) of its cell in the periodic table, H at (0, 0)."""
    lines = [line.split() for line in _TABLE.strip().splitlines()]
    return {
        symbol: (float(column), row + (_GAP if row > 6 else 0.0))
        for row, line in enumerate(lines)
        for column, symbol in enumerate(line)
        if symbol != "."
    }


def group_dots(series: Mapping[str, Sequence[Group]], path: Path, label: str, most: int = 20) -> Path:
    """Accuracy of each group with its 95% interval, a colour a series.

    Args:
        series: name (as 'test') -> its groups; groups of one name share a line. The first one gives the order.
        label: what the groups are, as 'space group'.
        most: groups that are drawn, the first of them.

    Raises:
        InputError: there is no group.
    """
    names = list(dict.fromkeys(group.name for groups in series.values() for group in groups))[:most]
    if not names:
        raise InputError(f"group_dots: there is no {label}; give at least one row")
    figure, (axes,) = empty_figure(5.2, 1.3 + (0.2 + 0.12 * len(series)) * len(names))
    offsets = np.linspace(-0.17, 0.17, len(series)) if len(series) > 1 else [0.0]
    rows: dict[str, list[str]] = {name: [] for name in names}
    for (title, groups), offset, colour, mark in zip(series.items(), offsets, COLOURS, "os^D", strict=False):
        found = {group.name: group for group in groups}
        shown = [(place, found[name]) for place, name in enumerate(names) if name in found]
        accuracy = np.array([group.accuracy for _, group in shown])
        low, high = np.array([(group.low, group.high) for _, group in shown]).reshape(-1, 2).T
        axes.errorbar(
            accuracy,
            [place + offset for place, _ in shown],
            xerr=[accuracy - low, high - accuracy],
            color=colour,
            fmt=mark,
            markersize=4.5,
            elinewidth=1.3,
            label=as_it_stands(title),
        )
        for name in names:
            rows[name].append(f"{found[name].rows:,}" if name in found else "0")
    axes.set_yticks(range(len(names)), [as_it_stands(f"{name} ({', '.join(rows[name])})") for name in names])
    axes.invert_yaxis()
    axes.set(xlabel="accuracy (95% interval)")
    # Above, not beside: few groups make a low figure, in which a long label would be cut.
    axes.set_title(as_it_stands(f"{label} (rows: {', '.join(series)})"), loc="left", fontsize=9)
    axes.xaxis.set_major_formatter(PercentFormatter(1.0, decimals=None))
    figure.legend(loc="outside upper center", ncols=len(series), frameon=False, fontsize=9)
    return write_figure(figure, path)


def periodic_table(groups: Sequence[Group], path: Path, fewest: int = 5) -> Path:
    """Accuracy on the rows that hold each element, as the colour of its cell; their number is in the corner.

    Args:
        groups: by symbol; other symbols are ignored.
        fewest: a cell of fewer rows is left white, since its colour would be chance.

    Raises:
        InputError: no group has an element's symbol.
    """
    places = element_places()
    found = {group.name: group for group in groups if group.name in places}
    if not found:
        raise InputError("periodic_table: no group is an element; give groups by symbol")
    shown = [group.accuracy for group in found.values() if group.rows >= fewest]
    # Colours span what is there: accuracies of 90 to 100% would look alike on a scale from 0.
    low = np.floor(min(shown, default=0.0) * 10) / 10
    scale = Normalize(min(low, 0.9), 1.0)
    colours = mpl.colormaps["viridis"]
    figure, (axes,) = empty_figure(10.4, 5.9)
    for symbol, (column, row) in places.items():
        group = found.get(symbol)
        coloured = group is not None and group.rows >= fewest
        face = colours(scale(group.accuracy)) if group is not None and coloured else "#ffffff"
        axes.add_patch(
            Rectangle((column + 0.03, row + 0.03), 0.94, 0.94, facecolor=face, edgecolor=GRID, linewidth=0.8)
        )
        ink = "#000000" if group is not None else GREY
        if coloured:
            # Luminance by Rec. 709; letters are black from the middle up.
            ink = ON_LIGHT if np.dot(face[:3], (0.2126, 0.7152, 0.0722)) > 0.45 else ON_DARK
        axes.text(column + 0.5, row + 0.46, symbol, ha="center", va="center", color=ink, fontsize=12, weight="bold")
        if group is not None:
            axes.text(column + 0.92, row + 0.09, f"{group.rows}", ha="right", va="top", color=ink, fontsize=6.5)
            said = f"{group.accuracy:.0%}" if coloured else "few"
            axes.text(column + 0.5, row + 0.82, said, ha="center", va="center", color=ink, fontsize=8)
    axes.set(xlim=(0, 18), ylim=(9 + _GAP, 0), aspect="equal")
    axes.set_axis_off()
    within = axes.inset_axes((0.21, 0.87, 0.4, 0.03))
    percent = PercentFormatter(1.0, decimals=0)
    bar = figure.colorbar(ScalarMappable(scale, colours), cax=within, orientation="horizontal", format=percent)
    bar.outline.set_visible(False)
    bar.set_label("accuracy on rows with the element")
    return write_figure(figure, path)
