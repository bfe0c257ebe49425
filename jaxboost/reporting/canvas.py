"""What every figure shares: colours, an empty figure that belongs to nobody, and how it is written."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from matplotlib.layout_engine import ConstrainedLayoutEngine

# Okabe and Ito, "Color Universal Design" (2008): told apart under the common colour-vision deficiencies.
COLOURS = ("#0072B2", "#D55E00", "#009E73", "#CC79A7", "#E69F00", "#56B4E9", "#000000")
# Those on which white letters are read more easily than black ones.
DARK_COLOURS = ("#0072B2", "#000000")
# More dashes than one, so that a figure printed in grey can be read too.
DASHES: tuple[Any, ...] = ("-", (0, (5, 1.5)), (0, (1.5, 1.2)), (0, (5, 1.5, 1, 1.5)))
GREY = "#767676"
DOTS_PER_INCH = 160


def empty_figure(
    width: float,
    height: float,
    rows: int = 1,
    columns: int = 1,
    heights: Sequence[float] = (1,),
    sharex: bool = False,
) -> tuple[Figure, list[Axes]]:
    """A figure of so many inches, unknown to pyplot, and its axes in reading order."""
    figure = Figure(figsize=(width, height), layout=ConstrainedLayoutEngine(wspace=0.06))
    FigureCanvasAgg(figure)
    grid = figure.subplots(rows, columns, squeeze=False, sharex=sharex, gridspec_kw={"height_ratios": heights})
    for axes in grid.flat:
        axes.spines[["top", "right"]].set_visible(False)
        axes.grid(True, color="#e4e4e4", linewidth=0.7)
        axes.set_axisbelow(True)
    return figure, list(grid.flat)


def write_png(figure: Figure, path: Path) -> Path:
    """Write the figure, making its folder; the same figure gives the same bytes."""
    path.parent.mkdir(parents=True, exist_ok=True)
    figure.savefig(path, format="png", dpi=DOTS_PER_INCH, metadata={"Software": None})
    return path


def as_it_stands(name: str) -> str:
    """A name as matplotlib must be given it: a dollar sign in it would start a formula."""
    return name.replace("$", r"\$")
