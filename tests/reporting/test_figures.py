import subprocess
import sys

import matplotlib as mpl
import matplotlib.image
import numpy as np
import pytest

from jaxboost.errors import InputError
from jaxboost.reporting import figures
from jaxboost.reporting.training_curves import learning_curves

# As a formula the second would be an error.
CLASSES = ("trivial", r"strong $\Zz$", "weak <i>")
RNG = np.random.default_rng(0)
PROBABILITIES, LABELS = RNG.dirichlet(np.ones(3), 60), RNG.integers(0, 3, 60)
LOG = [
    {
        "member": member,
        "epoch": epoch,
        "train_loss": 1 / (1 + epoch),
        "validation_loss": None if member == "full" else 1.1 / (1 + epoch),
        "validation_accuracy": None if member == "full" else 0.5 + 0.1 * epoch,
    }
    for member in ("kfold_0", "kfold_1", "full")
    for epoch in range(3)
]
DRAW = {
    "learning_curves": lambda path: learning_curves(LOG, path),
    "confusion_matrix": lambda path: figures.confusion_matrix([[5, 1, 0], [0, 4, 2], [0, 0, 0]], CLASSES, path),
    "roc_curves": lambda path: figures.roc_curves(PROBABILITIES, LABELS, CLASSES, path),
    "reliability_diagram": lambda path: figures.reliability_diagram(PROBABILITIES, LABELS, path),
    "coverage_accuracy": lambda path: figures.coverage_accuracy(
        PROBABILITIES.argmax(1) == LABELS, 1 - PROBABILITIES.max(1), path
    ),
    "modality_attention": lambda path: figures.modality_attention(RNG.dirichlet(np.ones(4), 60), LABELS, CLASSES, path),
}


@pytest.mark.parametrize("name", DRAW)
def test_a_png_with_ink_is_written_and_no_setting_changes(name, tmp_path):
    settings = dict(mpl.rcParams)
    path = DRAW[name](tmp_path / "figures" / f"{name}.png")
    image = matplotlib.image.imread(path)
    assert path == tmp_path / "figures" / f"{name}.png"
    assert min(image.shape[:2]) > 300
    assert 0.005 < (image[..., :3].min(axis=2) < 0.9).mean() < 0.95
    assert dict(mpl.rcParams) == settings


def test_the_same_arrays_give_the_same_bytes(tmp_path):
    one, other = (DRAW["roc_curves"](tmp_path / name).read_bytes() for name in ("one.png", "other.png"))
    assert one == other


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
    figures.modality_attention([[0.5, 0.5, 0.0, 0.0]], label, CLASSES, tmp_path / "attention.png")
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
        figures.modality_attention(PROBABILITIES, LABELS, CLASSES, path)
    with pytest.raises(InputError, match="all finite"):
        figures.coverage_accuracy([True], [np.nan], path)
    with pytest.raises(InputError, match="labels \\(59,\\)"):
        figures.reliability_diagram(PROBABILITIES, LABELS[1:], path)
    assert not path.exists()


def test_neither_pyplot_nor_jax_is_imported():
    code = "import sys, jaxboost.reporting; print([n for n in ('matplotlib.pyplot', 'jax') if n in sys.modules])"
    said = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert said.stdout.strip() == "[]"
