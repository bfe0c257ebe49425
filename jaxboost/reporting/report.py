"""The report of a run: one self-contained HTML page, and a table for the terminal.

Both read the dictionary that is written to `metrics.json`. An evaluation of another table has the same schema
but no cross-validation, out-of-fold or vote rows: these parts are then left out.
"""

import base64
import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from importlib.resources import files
from pathlib import Path
from typing import Any

from jinja2 import Environment, StrictUndefined

from jaxboost.errors import InputError
from jaxboost.reporting.cases import Case
from jaxboost.reporting.groups import Group

CANDIDATES = ("kfold_best", "kfold_vote", "ensemble", "full", "super_ensemble")
SPLITS = {
    "test": "Test rows",
    "vote": "Vote rows (seen by no member; the best candidate is chosen here)",
}
# 80 columns: a name of 16, log loss and ECE of 10 and 8, the rest for groupings of at most 12.
NAME_WIDTH, LOSS_WIDTH, ECE_WIDTH, TABLE_WIDTH = 16, 10, 8, 80
NARROWEST_COLUMN, WIDEST_COLUMN = 9, 13


@dataclass(frozen=True)
class Picture:
    """A figure of the report.

    Attributes:
      title: above it.
      path: of the PNG; the SVG of the same name beside it is what the report shows.
      description: what there is to see, for those who cannot.
      is_wide: it is not made smaller than can be read, but scrolls where the page is narrow.
    """

    title: str
    path: Path
    description: str
    is_wide: bool = False


@dataclass(frozen=True)
class Section:
    """A heading of the report with a sentence and its figures."""

    title: str
    sentence: str
    pictures: Sequence[Picture]


@dataclass(frozen=True)
class Contents:
    """What the report holds besides the metrics.

    Attributes:
      sections: figures, in their order.
      groups: by what -> rows of what split -> its groups.
      hardest, surest: rows, the most so first.
      class_rows: split -> rows of each class.
      environment: as in `environment.json`; may be empty.
      notes: sentences at the top.
    """

    sections: Sequence[Section] = ()
    groups: Mapping[str, Mapping[str, Sequence[Group]]] = field(default_factory=dict)
    hardest: Sequence[Case] = ()
    surest: Sequence[Case] = ()
    class_rows: Mapping[str, Sequence[int]] = field(default_factory=dict)
    environment: Mapping[str, Any] = field(default_factory=dict)
    notes: Sequence[str] = ()


def write_report(workdir: Path, metrics: Mapping[str, Any], contents: Contents) -> Path:
    """Write `report.html` into the folder: one page with everything inside it, no script and no outside reference.

    Every text is escaped, so a formula, class or source that holds HTML is shown as it stands. Figures and page are
    light or dark as the reader prefers.

    Args:
        workdir: the folder of the run; made if absent.
        metrics: what `metrics.json` holds.
        contents: see `Contents`.

    Returns:
        The path of the report.

    Raises:
        InputError: a figure without an SVG beside it, or metrics without any test scores.
    """
    _candidates(metrics)
    template = files("jaxboost.reporting").joinpath("report.html.jinja").read_text(encoding="utf-8")
    environment = Environment(autoescape=True, undefined=StrictUndefined, trim_blocks=True, lstrip_blocks=True)
    environment.filters |= {
        "number": _number,
        "interval": _interval,
        "duration": _duration,
        "address": _data_address,
        "anchor": _anchor,
    }
    page = environment.from_string(template).render(
        metrics=metrics,
        splits={name: title for name, title in SPLITS.items() if metrics.get(name)},
        candidates=CANDIDATES,
        contents=contents,
    )
    workdir.mkdir(parents=True, exist_ok=True)
    path = workdir / "report.html"
    unfinished = workdir / "report.html.partial"
    unfinished.write_text(page, encoding="utf-8")
    os.replace(unfinished, path)
    return path


def console_table(metrics: Mapping[str, Any]) -> str:
    """The test scores of the candidates, and the out-of-fold ones, as plain text of at most 80 columns.

    Args:
        metrics: what `metrics.json` holds.

    Returns:
        Lines without a final newline: accuracy (percent) of each grouping, log loss (nats), ECE; `*` marks
        the best candidate, chosen on the vote rows. Groupings that do not fit are counted below the table.

    Raises:
        InputError: metrics without any test scores.
    """
    test = {name: metrics["test"][name] for name in _candidates(metrics)}
    first = next(iter(test.values()))
    groupings = list(first["by_grouping"])
    room = TABLE_WIDTH - NAME_WIDTH - LOSS_WIDTH - ECE_WIDTH
    # The identity is last and always shown: it is what the network was trained for.
    shown = [*groupings[:-1][: room // NARROWEST_COLUMN - 1], groupings[-1]]
    width = min(WIDEST_COLUMN, room // len(shown))
    names = "".join(f"{_shortened(name, width - 1):>{width}}" for name in shown)
    heading = f"{'accuracy, %':<{NAME_WIDTH}}{names}{'log loss':>{LOSS_WIDTH}}{'ECE':>{ECE_WIDTH}}"
    rule = "-" * len(heading)

    def line(name: str, scores: Mapping[str, Any]) -> str:
        accuracies = "".join(f"{scores['by_grouping'][name]['accuracy'] * 100:>{width}.2f}" for name in shown)
        losses = f"{_number(scores['log_loss']):>{LOSS_WIDTH}}{_number(scores['ece'], 3):>{ECE_WIDTH}}"
        return f"{name:<{NAME_WIDTH}}{accuracies}{losses}"

    best = metrics.get("best")
    lines = [f"Test: {first['n']:,} rows", heading, rule]
    lines += [line(f"{name} *" if name == best else name, scores) for name, scores in test.items()]
    if metrics.get("out_of_fold"):
        lines += [rule, line("out_of_fold", metrics["out_of_fold"])]
    lines.append(rule)
    if best in test:
        interval = _interval(test[best]["accuracy_ci95"])
        lines.append(f"* best on the vote rows; test accuracy {_number(test[best]['accuracy'])} {interval}")
    if len(shown) < len(groupings):
        lines.append(f"{len(groupings) - len(shown)} more groupings are in metrics.json")
    return "\n".join(lines)


def _candidates(metrics: Mapping[str, Any]) -> list[str]:
    present = [name for name in CANDIDATES if name in metrics.get("test", {})]
    if not present:
        raise InputError(f"report: metrics has no test scores; give at least one of {', '.join(CANDIDATES)}")
    return present


def _data_address(path: Path) -> str:
    drawn = path.with_suffix(".svg")
    content = drawn.read_bytes() if drawn.exists() else b""
    if b"<svg" not in content[:1000]:
        raise InputError(f"report: {drawn} is no SVG; give figures written by jaxboost.reporting")
    return f"data:image/svg+xml;base64,{base64.b64encode(content).decode('ascii')}"


def _anchor(title: str) -> str:
    """Of a heading, to be linked to."""
    return "".join(letter if letter.isascii() and letter.isalnum() else "-" for letter in title.lower())


def _number(value: float | None, digits: int = 4) -> str:
    return "-" if value is None else f"{value:.{digits}f}"


def _interval(bounds: Sequence[float]) -> str:
    return f"[{bounds[0]:.4f}, {bounds[1]:.4f}]"


def _duration(seconds: float) -> str:
    if seconds < 120:
        return f"{seconds:.1f} s"
    minutes = round(seconds / 60)
    return f"{minutes} min" if minutes < 120 else f"{minutes // 60} h {minutes % 60:02d} min"


def _shortened(name: str, width: int) -> str:
    return name if len(name) <= width else name[: width - 2] + ".."
