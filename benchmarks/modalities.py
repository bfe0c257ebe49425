"""The four modalities of a crystal, as a figure: what each network reads of it, before columns are standardised.

    python -m benchmarks.modalities --output=modalities.png
    python -m benchmarks.modalities --structure=crystal.cif --output=modalities.png

Without a structure it is bismuth selenide.
"""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

import numpy as np
from matplotlib.axes import Axes

from benchmarks.known_materials import MATERIALS
from jaxboost.crystal import Crystal, make_crystal, read_structure
from jaxboost.crystal.elements import SYMBOLS
from jaxboost.crystal.point_groups import POINT_GROUPS
from jaxboost.errors import InputError
from jaxboost.modalities.crystal_graph import crystal_graph, shells
from jaxboost.modalities.electrons import valence_electrons
from jaxboost.modalities.scalars import LATTICE_COLUMNS, column_names, scalars
from jaxboost.physics.filling import allowed_classes, verdict
from jaxboost.physics.space_groups import space_group
from jaxboost.reporting.canvas import COLOURS, GREY, empty_figure, write_png

CUTOFF, NEIGHBORS = 8.0, 16  # as `config.crystal` of jaxboost/configs/extreme.py
_SHOWN = 14  # scalars


def draw_crystal_graph(axes: Axes, crystal: Crystal) -> None:
    """A line an orbit, a mark a shell of neighbours: the larger, the more there are."""
    graph = crystal_graph(crystal, cutoff=CUTOFF, neighbors=NEIGHBORS)
    elements = sorted(set(graph.element.tolist()))
    for orbit, (distances, targets) in enumerate(zip(graph.distance, graph.target, strict=True)):
        first = 0
        for distance, count in shells(distances):
            element = int(graph.element[targets[first]])
            colour = COLOURS[elements.index(element) % len(COLOURS)]
            axes.scatter(distance, orbit, s=45 + 30 * count, color=colour, alpha=0.85, zorder=3)
            axes.text(distance, orbit - 0.36, str(count), ha="center", fontsize=8, zorder=4)
            first += count
    for number, element in enumerate(elements):
        axes.scatter([], [], color=COLOURS[number % len(COLOURS)], label=f"to {SYMBOLS[element]}")
    names = [
        f"{SYMBOLS[z]}, {POINT_GROUPS[site]}, {count} a cell"
        for z, site, count in zip(graph.element, graph.site_group, graph.multiplicity, strict=True)
    ]
    axes.set_yticks(range(len(names)), names)
    axes.set(xlabel=f"distance of the {NEIGHBORS} nearest images (Angstrom)", ylim=(len(names) - 0.4, -0.7))
    axes.legend(frameon=False, fontsize=8, loc="lower right")
    axes.set_title("crystal graph: inequivalent atoms", loc="left", fontsize=11)


def draw_kspace_graph(axes: Axes, crystal: Crystal) -> None:
    """High-symmetry points on a circle with the group that keeps each and its representations; lines between them."""
    group = space_group(crystal.space_group_number)
    count = len(group.kpoints)
    angle = np.pi / 2 - 2 * np.pi * np.arange(count) / count
    places = np.stack([np.cos(angle), np.sin(angle)], 1)
    for line in group.lines:
        if line.i != line.j:
            (x0, y0), (x1, y1) = places[line.i], places[line.j]
            axes.plot([x0, x1], [y0, y1], color=GREY, linewidth=0.6 + 0.7 * np.log2(line.order + 1), zorder=1)
    for (x, y), point in zip(places, group.kpoints, strict=True):
        axes.scatter(x, y, s=150, color=COLOURS[0] if point.is_trim else COLOURS[1], zorder=3)
        frac = ", ".join(f"{value:.3g}" for value in point.frac)
        dims = ", ".join(map(str, point.dims))
        said = f"({frac})\n{POINT_GROUPS[point.little_co_group]}, dims {dims}"
        side = "center" if abs(x) < 0.3 else "left" if x > 0 else "right"
        axes.text(1.12 * x, 1.22 * y, said, ha=side, va="center", fontsize=7.5)
    axes.scatter([], [], color=COLOURS[0], label="-k is k")
    axes.scatter([], [], color=COLOURS[1], label="it is not")
    axes.set(xlim=(-2.1, 2.1), ylim=(-1.5, 1.5))
    axes.set_axis_off()
    axes.legend(frameon=False, fontsize=8, loc="lower right")
    axes.set_title(f"k-space graph: space group {group.number}", loc="left", fontsize=11)


def draw_scalars(axes: Axes, crystal: Crystal) -> None:
    """Some of the columns by name."""
    graph = crystal_graph(crystal, cutoff=CUTOFF, neighbors=NEIGHBORS)
    row = dict(zip(column_names(), scalars(crystal, graph.distance[:, 0]), strict=True))
    names = [name for name in LATTICE_COLUMNS if row[name] != 0][:_SHOWN]
    axes.barh(range(len(names)), [row[name] for name in names], color=COLOURS[2])
    axes.set_yticks(range(len(names)), [name.replace("_", " ") for name in names], fontsize=8)
    axes.invert_yaxis()
    axes.axvline(0, color=GREY, linewidth=0.8)
    axes.set(xlabel="value")
    axes.set_title(f"scalars: {len(names)} of {len(row)} columns", loc="left", fontsize=11)


def draw_electrons(axes: Axes, crystal: Crystal) -> None:
    """The count, and what it allows."""
    group, count = space_group(crystal.space_group_number), valence_electrons(crystal)
    lines = ["the valence electrons of an element are not known"]
    if count is not None:
        allowed = zip(("trivial", "insulator", "semimetal"), allowed_classes(count, group), strict=True)
        lines = [
            f"{count} valence electrons a primitive cell",
            f"an atomic insulator has a multiple of {group.filling_step}",
            f"symmetry indicators: {' x '.join(f'Z{order}' for order in group.indicator_group) or 'none'}",
            f"relations that bands may break: {group.compatibility_freedom}",
            *(f"{name}: {'possible' if is_possible else 'excluded'}" for name, is_possible in allowed),
            f"verdict of the rules: {verdict(count, group)}",
        ]
    for place, line in enumerate(lines):
        axes.text(0.03, 0.88 - 0.115 * place, line, fontsize=10, transform=axes.transAxes)
    axes.set_axis_off()
    axes.set_title("electrons: their number and what it allows", loc="left", fontsize=11)


def main() -> int:
    """Draws the figure."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--structure", help="a CIF file")
    parser.add_argument("--output", type=Path, default=Path("modalities.png"))
    given = parser.parse_args()
    default = next(known.structure for known in MATERIALS if known.name == "Bi2Se3")
    try:
        crystal = make_crystal(default if given.structure is None else read_structure(given.structure))
    except InputError as error:
        print(f"error: {error}", file=sys.stderr)
        return 2
    figure, panels = empty_figure(11, 8, 2, 2)
    draws = (draw_crystal_graph, draw_kspace_graph, draw_scalars, draw_electrons)
    for axes, draw in zip(panels, draws, strict=True):
        draw(axes, crystal)
    figure.suptitle(f"{crystal.formula}: what the four encoders read")
    print(f"written to {write_png(figure, given.output)}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
