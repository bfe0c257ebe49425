"""What every figure shares: colours, an empty figure that belongs to nobody, and how it is written."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import matplotlib as mpl
import numpy as np
from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from matplotlib.layout_engine import ConstrainedLayoutEngine

# Okabe and Ito, "Color Universal Design" (2008): told apart under the common colour-vision deficiencies.
COLOURS = ("#0072B2", "#D55E00", "#009E73", "#CC79A7", "#E69F00", "#56B4E9", "#000000")
# Those on which white letters are read more easily than black ones.
DARK_COLOURS = ("#0072B2", "#000000")
# Letters on a coloured ground: unlike black and white proper they stay as they are where the page is dark.
ON_LIGHT, ON_DARK = "#010101", "#fefefe"
# More dashes than one, so that a figure printed in grey can be read too.
DASHES: tuple[Any, ...] = ("-", (0, (5, 1.5)), (0, (1.5, 1.2)), (0, (5, 1.5, 1, 1.5)))
GREY = "#767676"
GRID = "#e4e4e4"
DOTS_PER_INCH = 160
# Paper and ink change places where the reader asks for a dark page; an SVG shown as an image does so by itself.
_DARK_PAGE = """<style>@media (prefers-color-scheme: dark) {
svg { fill: #e3e7eb; }
[style*="fill: #ffffff"] { fill: #14181d !important; }
[style*="stroke: #ffffff"] { stroke: #14181d !important; }
[style*="fill: #000000"] { fill: #e3e7eb !important; }
[style*="stroke: #000000"] { stroke: #e3e7eb !important; }
[style*="stroke: #e4e4e4"] { stroke: #333a42 !important; }
[style*="fill: #e4e4e4"] { fill: #333a42 !important; }
[style*="stroke: #767676"] { stroke: #9aa3ad !important; }
[style*="stroke: #0072b2"] { stroke: #3a9bdc !important; }
}</style>"""


def empty_figure(
    width: float,
    height: float,
    rows: int = 1,
    columns: int = 1,
    heights: Sequence[float] = (1,),
    sharex: bool = False,
    sharey: bool = False,
) -> tuple[Figure, list[Axes]]:
    """A figure of so many inches, unknown to pyplot, and its axes in reading order."""
    figure = Figure(figsize=(width, height), layout=ConstrainedLayoutEngine(wspace=0.06))
    FigureCanvasAgg(figure)
    ratios = heights if len(heights) == rows else [1] * rows
    grid = figure.subplots(
        rows, columns, squeeze=False, sharex=sharex, sharey=sharey, gridspec_kw={"height_ratios": ratios}
    )
    for axes in grid.flat:
        axes.spines[["top", "right"]].set_visible(False)
        axes.grid(True, color=GRID, linewidth=0.7)
        axes.set_axisbelow(True)
    return figure, list(grid.flat)


def heat_map(axes: Axes, shares: np.ndarray, text: Sequence[Sequence[str]], names: Sequence[str], slant: float) -> None:
    """Shares [m, m] as shades with `text` [m][m] on them, the first row on top, and `names` on both sides.

    Those of the columns are turned by `slant` degrees.
    """
    axes.pcolormesh(shares, cmap="Blues", vmin=0, vmax=1, edgecolor=GRID, linewidth=0.7)
    axes.invert_yaxis()
    middle, shown = np.arange(len(names)) + 0.5, [as_it_stands(name) for name in names]
    turned: dict[str, Any] = {"rotation": slant, "ha": "right", "rotation_mode": "anchor"} if slant else {}
    axes.set_xticks(middle, shown, **turned)
    axes.set_yticks(middle, shown)
    axes.grid(False)
    axes.tick_params(length=0)
    axes.spines[:].set_visible(False)
    for (row, column), share in np.ndenumerate(shares):
        colour = ON_DARK if share > 0.55 else ON_LIGHT
        axes.text(column + 0.5, row + 0.5, text[row][column], ha="center", va="center", color=colour, fontsize=9)


def write_png(figure: Figure, path: Path) -> Path:
    """Writes the figure, making its folder; the same figure gives the same bytes."""
    path.parent.mkdir(parents=True, exist_ok=True)
    figure.savefig(path, format="png", dpi=DOTS_PER_INCH, metadata={"Software": None})
    return path


def write_figure(figure: Figure, path: Path) -> Path:
    """Writes `path`, a PNG, and the same as SVG beside it, as `write_png` does.

    The SVG is light or dark as its reader prefers, the PNG light.
    """
    write_png(figure, path)
    # It is laid out already, and that is most of the time that a figure takes.
    figure.set_layout_engine("none")
    drawn = path.with_suffix(".svg")
    with mpl.rc_context({"svg.hashsalt": path.stem}):
        figure.savefig(drawn, format="svg", metadata={"Date": None, "Creator": None})
    head, defs, rest = drawn.read_text(encoding="utf-8").partition("<defs>")
    drawn.write_text(f"{head}{_DARK_PAGE}{defs}{rest}", encoding="utf-8")
    return path


def as_it_stands(name: str) -> str:
    """A name as matplotlib must be given it: a dollar sign in it would start a formula."""
    return name.replace("$", r"\$")
