import subprocess
import sys
from xml.etree import ElementTree

import matplotlib as mpl
import matplotlib.image
import numpy as np
import pytest

from jaxboost.crystal.elements import SYMBOLS
from jaxboost.errors import InputError
from jaxboost.reporting import figures, group_figures, listening
from jaxboost.reporting.canvas import ON_DARK
from jaxboost.reporting.groups import Group
from jaxboost.reporting.training_curves import learning_curves, member_curves
from tests.reporting.made_cases import LOG, made_metrics
from tests.reporting.made_cases import made_cases as cases

# As a formula the second would be an error.
CLASSES = ("trivial", r"strong $\Zz$", "weak <i>")
RNG = np.random.default_rng(0)
PROBABILITIES, LABELS = RNG.dirichlet(np.ones(3), 60), RNG.integers(0, 3, 60)
GROUPS = [
    Group("Bi", 30, 0.9, 0.8, 0.95, 0.3),
    Group("Te", 2, 0.5, 0.1, 0.9, 0.7),
    Group(r"$\Zz$", 9, 1.0, 0.7, 1.0, 0.1),
]
DRAW = {
    "learning_curves": lambda path: learning_curves(LOG, path),
    "confusion_matrix": lambda path: figures.confusion_matrix([[5, 1, 0], [0, 4, 2], [0, 0, 0]], CLASSES, path),
    "roc_curves": lambda path: figures.roc_curves(PROBABILITIES, LABELS, CLASSES, path),
    "reliability_diagram": lambda path: figures.reliability_diagram(PROBABILITIES, LABELS, path),
    "coverage_accuracy": lambda path: figures.coverage_accuracy(
        PROBABILITIES.argmax(1) == LABELS, 1 - PROBABILITIES.max(1), path
    ),
    "modality_attention": lambda path: listening.modality_attention(
        RNG.dirichlet(np.ones(4), 60), LABELS, CLASSES, path
    ),
    "cross_attention": lambda path: listening.cross_attention(np.full((5, 4, 4), 0.25), path),
    "importance_bars": lambda path: listening.importance_bars(made_metrics(cases())["importance"], path),
    "member_curves": lambda path: member_curves(LOG, path),
    "group_dots": lambda path: group_figures.group_dots({"test": GROUPS, r"$\Zz$": GROUPS[:1]}, path, "element"),
    "periodic_table": lambda path: group_figures.periodic_table(GROUPS, path),
}


@pytest.mark.parametrize("name", DRAW)
def test_a_png_with_ink_is_written_and_no_setting_changes(name, tmp_path):
    settings = dict(mpl.rcParams)
    path = DRAW[name](tmp_path / "figures" / f"{name}.png")
    image = matplotlib.image.imread(path)
    assert path == tmp_path / "figures" / f"{name}.png"
    assert min(image.shape[:2]) > 300
    assert 0.005 < (image[..., :3].min(axis=2) < 0.9).mean() < 0.95
    drawn = ElementTree.parse(path.with_suffix(".svg")).getroot()
    assert drawn.tag.endswith("svg") and len(list(drawn.iter("{http://www.w3.org/2000/svg}path"))) > 5
    assert dict(mpl.rcParams) == settings


def test_the_same_arrays_give_the_same_bytes(tmp_path):
    one, other = (DRAW["roc_curves"](tmp_path / folder / "roc.png") for folder in ("one", "other"))
    assert one.read_bytes() == other.read_bytes()
    assert one.with_suffix(".svg").read_bytes() == other.with_suffix(".svg").read_bytes()


def test_rows_of_equal_doubt_are_refused_together_so_order_does_not_matter(tmp_path):
    right, doubt = RNG.random(60) < 0.7, np.round(RNG.random(60), 1)
    order = np.argsort(right)
    one = figures.coverage_accuracy(right, doubt, tmp_path / "one.png").read_bytes()
    assert one == figures.coverage_accuracy(right[order], doubt[order], tmp_path / "other.png").read_bytes()


def test_edges_are_drawn_without_a_warning(tmp_path):
    row, label = np.array([[0.6, 0.4, 0.0]]), np.array([0])
    figures.roc_curves(row, label, CLASSES, tmp_path / "roc.png")
    figures.reliability_diagram(row, label, tmp_path / "reliability.png")
    figures.coverage_accuracy([True], [0.4], tmp_path / "coverage.png")
    listening.modality_attention([[0.5, 0.5, 0.0, 0.0]], label, CLASSES, tmp_path / "attention.png")
    learning_curves([{"member": "full", "epoch": 0, "train_loss": 1.0}], tmp_path / "curves.png")


def test_wrong_shapes_are_named(tmp_path):
    path = tmp_path / "figure.png"
    with pytest.raises(InputError, match="log is empty"):
        learning_curves([], path)
    with pytest.raises(InputError, match="for 2 classes"):
        figures.confusion_matrix(np.eye(3), CLASSES[:2], path)
    with pytest.raises(InputError, match="for 2 classes"):
        figures.roc_curves(PROBABILITIES, LABELS, CLASSES[:2], path)
    with pytest.raises(InputError, match="for 4 modalities"):
        listening.modality_attention(PROBABILITIES, LABELS, CLASSES, path)
    with pytest.raises(InputError, match="all finite"):
        figures.coverage_accuracy([True], [np.nan], path)
    with pytest.raises(InputError, match="labels \\(59,\\)"):
        figures.reliability_diagram(PROBABILITIES, LABELS[1:], path)
    with pytest.raises(InputError, match="give \\[n, 4, 4\\]"):
        listening.cross_attention(np.zeros((5, 4, 3)), path)
    with pytest.raises(InputError, match="no space group"):
        group_figures.group_dots({"test": []}, path, "space group")
    with pytest.raises(InputError, match="no group is an element"):
        group_figures.periodic_table(GROUPS[2:], path)
    assert not path.exists()


def test_every_element_has_a_place_of_its_own():
    places = group_figures.element_places()
    assert set(places) == set(SYMBOLS[1:])
    assert len(set(places.values())) == len(places)
    assert places["H"] == (0, 0) and places["He"] == (17, 0) and places["Bi"] == (14, 5) and places["U"][0] == 5


def test_a_dark_page_changes_ink_and_paper_of_the_svg_alone(tmp_path):
    """Letters on a coloured cell keep their colour, as the cell does."""
    drawn = DRAW["periodic_table"](tmp_path / "table.png").with_suffix(".svg").read_text()
    assert drawn.count("prefers-color-scheme: dark") == 1
    assert f"fill: {ON_DARK}" in drawn and f'*="fill: {ON_DARK}"' not in drawn


def test_neither_pyplot_nor_jax_is_imported():
    code = "import sys, jaxboost.reporting; print([n for n in ('matplotlib.pyplot', 'jax') if n in sys.modules])"
    said = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert said.stdout.strip() == "[]"


def test_members_stand_in_the_order_of_their_numbers(tmp_path):
    line = {"epoch": 1, "train_loss": 1.0, "validation_loss": 1.0, "validation_accuracy": 0.5, "lr": 0.1}
    log = [line | {"member": name} for name in ("kfold_10", "full", "kfold_2", "ensemble_0")]
    member_curves(log, tmp_path / "members.png")
    page = (tmp_path / "members.svg").read_text(encoding="utf-8")
    places = [page.index(f"<!-- {name} -->") for name in ("ensemble_0", "full", "kfold_2", "kfold_10")]
    assert places == sorted(places)
