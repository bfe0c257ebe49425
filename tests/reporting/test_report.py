import copy
import re
from html.parser import HTMLParser

import numpy as np
import pytest

from jaxboost.errors import InputError
from jaxboost.reporting.figures import confusion_matrix
from jaxboost.reporting.metrics import score
from jaxboost.reporting.report import CANDIDATES, Contents, Picture, Section, console_table, write_report
from tests.reporting.made_cases import CLASSES, GROUPINGS, HOSTILE


def scores(seed, groupings=GROUPINGS):
    rng = np.random.default_rng(seed)
    labels = rng.integers(0, 3, 80)
    p = 0.5 * rng.dirichlet(np.ones(3), 80) + 0.5 * np.eye(3)[labels]
    formulas = [f"F{i % 30}" for i in range(80)]
    return score(p, labels, formulas, CLASSES, groupings, members=["kfold_0", "full"], bootstrap=50)


METRICS = {
    "task": {"label": "topology", "classes": list(CLASSES), "groupings": GROUPINGS},
    "data": {
        "source": "table.parquet",
        "sha256": "ab" * 32,
        "rows": {"train": 900, "test": 80},
        "grouped_by": "formula",
    },
    "cross_validation": {"accuracy_mean": 0.8125, "accuracy_std": 0.0125, "folds": [{}, {}]},
    "out_of_fold": scores(10),
    "vote": {name: scores(seed) for seed, name in enumerate(CANDIDATES)},
    "test": {name: scores(seed + 5) for seed, name in enumerate(CANDIDATES)},
    "best": "ensemble",
    "timing_s": {"featurize": 12.34, "compile": 61.0, "train": 9000.0, "evaluate": 3.0, "total": 9076.0},
}
EVALUATION = {key: METRICS[key] for key in ("task", "data", "test", "best", "timing_s")}


class Elements(HTMLParser):
    """Tags with their attributes, the balance of open tags, and the text of a page."""

    def __init__(self, page):
        super().__init__()
        self.tags, self.open, self.text = [], [], ""
        self.feed(page)

    def handle_starttag(self, tag, attrs):
        self.tags.append((tag, dict(attrs)))
        if tag not in ("meta", "img"):
            self.open.append(tag)

    def handle_endtag(self, tag):
        assert self.open.pop() == tag

    def handle_data(self, data):
        self.text += data


def written(tmp_path, metrics=METRICS, figures=(), notes=()):
    pictures = [Picture(title, path, f"shows {title}") for title, path in figures]
    sections = [Section("Part", "A sentence.", pictures)] if pictures else []
    path = write_report(tmp_path / "run", metrics, Contents(sections=sections, notes=list(notes)))
    return path, Elements(path.read_text(encoding="utf-8"))


def test_one_file_that_refers_to_nothing_outside(tmp_path):
    figure = confusion_matrix(np.eye(3), CLASSES, tmp_path / "confusion.png")
    path, page = written(tmp_path, figures=[("Confusion", figure)])
    assert [item.name for item in path.parent.iterdir()] == ["report.html"]
    assert page.open == []
    sources = [attributes["src"] for _, attributes in page.tags if "src" in attributes]
    assert len(sources) == 1 and sources[0].startswith("data:image/svg+xml;base64,")
    assert not {tag for tag, _ in page.tags} & {"script", "link", "iframe", "object"}
    assert not re.search(r"https?:|url\(|@import", path.read_text(encoding="utf-8"))
    anchors = {attributes["id"] for _, attributes in page.tags if "id" in attributes}
    links = [attributes["href"] for tag, attributes in page.tags if tag == "a"]
    assert len(links) > 3 and {link.removeprefix("#") for link in links} <= anchors


def test_html_in_any_text_is_shown_and_not_obeyed(tmp_path):
    metrics = copy.deepcopy(METRICS)
    metrics["task"] |= {
        "label": HOSTILE,
        "classes": [HOSTILE, "b", "c"],
        "groupings": {HOSTILE: {HOSTILE: HOSTILE}},
    }
    metrics["data"] |= {"source": HOSTILE, "sha256": HOSTILE, "grouped_by": HOSTILE, "rows": {HOSTILE: 1}}
    metrics["timing_s"] = {HOSTILE: 1.0}
    for scored in metrics["test"].values():
        scored["members"] = ['" onmouseover="alert(1)', HOSTILE]
        scored["by_grouping"][HOSTILE] = scored["by_grouping"]["binary"]
    figure = confusion_matrix(np.eye(3), CLASSES, tmp_path / "confusion.png")
    _, page = written(tmp_path, metrics, [(HOSTILE, figure)], [f"the formula {HOSTILE} was left out"])
    assert page.text.count(HOSTILE) >= 10
    assert "script" not in {tag for tag, _ in page.tags}
    assert sum(tag == "img" for tag, _ in page.tags) == 1
    assert not [name for _, attributes in page.tags for name in attributes if name.startswith("on")]


@pytest.fixture(scope="module")
def whole(drawn):
    return Elements(drawn.read_text(encoding="utf-8"))


def test_a_whole_report_has_everything_and_obeys_nothing(drawn, whole):
    page = whole
    assert page.open == [] and "script" not in {tag for tag, _ in page.tags}
    for title in ("Learning curves and schedule", "Every member", "Confusion of the test rows, 3 classes",
                  "Confusion of the test rows, binary", "out of fold", "ROC", "Reliability", "least certain",
                  "By crystal system", "By atoms of the primitive cell", "By space group", "By element, test rows",
                  "Attention by modality", "Attention between modalities", "Permutation importance", "Hardest",
                  "Surest", "4,321", "3.11.2", "2 h 30 min"):  # fmt: skip
        assert title in page.text, title
    images = [attributes for tag, attributes in page.tags if tag == "img"]
    assert len(images) == 16 and all(len(attributes["alt"]) > 40 for attributes in images)
    figures = sorted(file.stem for file in drawn.parent.glob("figures/*.png"))
    assert len(figures) == 16 and figures == sorted(file.stem for file in drawn.parent.glob("figures/*.svg"))
    assert f"{HOSTILE}0" in page.text or f"{HOSTILE}1" in page.text


def test_what_scrolls_can_be_scrolled_by_keyboard(whole):
    scrolling = [attributes for _, attributes in whole.tags if "scroll" in attributes.get("class", "").split()]
    assert len(scrolling) > 10
    assert all(one["tabindex"] == "0" and one["aria-label"] for one in scrolling)


def test_every_score_is_in_the_report(tmp_path):
    _, page = written(tmp_path)
    every = [METRICS["out_of_fold"], *METRICS["vote"].values(), *METRICS["test"].values()]
    for scored in every:
        for name in ("accuracy", "macro_f1", "balanced_accuracy", "roc_auc", "log_loss", "brier", "ece"):
            assert f"{scored[name]:.4f}" in page.text
        low, high = scored["accuracy_ci95"]
        assert f"[{low:.4f}, {high:.4f}]" in page.text
    for scored in METRICS["test"].values():
        for values in scored["by_grouping"].values():
            assert all(f"{value:.4f}" in page.text for value in values.values())
    for text in (*CANDIDATES, "table.parquet", "ab" * 32, "900", "12.3 s", "2 h 30 min", "0.8125 ± 0.0125"):
        assert text in page.text


def test_an_evaluation_has_test_scores_only(tmp_path):
    _, page = written(tmp_path, EVALUATION)
    assert "Vote rows" not in page.text and "Cross-validation" not in page.text
    assert "out_of_fold" not in console_table(EVALUATION)


def test_undefined_scores_are_a_dash(tmp_path):
    metrics = copy.deepcopy(METRICS)
    metrics["test"]["full"] |= {"roc_auc": None, "ece": None}
    _, page = written(tmp_path, metrics)
    assert "None" not in page.text
    assert console_table(metrics).splitlines()[6].split()[-1] == "-"


def test_wrong_input_is_named(tmp_path):
    not_a_figure = tmp_path / "figure.png"
    not_a_figure.with_suffix(".svg").write_text("<png/>")
    with pytest.raises(InputError, match=r"figure\.svg is no SVG"):
        written(tmp_path, figures=[("Figure", not_a_figure)])
    with pytest.raises(InputError, match="no test scores"):
        written(tmp_path, {**METRICS, "test": {}})
    with pytest.raises(InputError, match="no test scores"):
        console_table({**METRICS, "test": {}})
    assert not (tmp_path / "run").exists()


def test_console_table_says_what_was_measured():
    lines = console_table(METRICS).splitlines()
    assert lines[0] == "Test: 80 rows"
    assert lines[1].split() == ["accuracy,", "%", "binary", "3-class", "log", "loss", "ECE"]
    rows = {line.split()[0]: line.replace(" * ", " ").split()[1:] for line in lines}
    for name, scored in {**METRICS["test"], "out_of_fold": METRICS["out_of_fold"]}.items():
        grouped = scored["by_grouping"]
        assert rows[name] == [
            f"{100 * grouped['binary']['accuracy']:.2f}",
            f"{100 * grouped['3-class']['accuracy']:.2f}",
            f"{scored['log_loss']:.4f}",
            f"{scored['ece']:.3f}",
        ]
    assert [line for line in lines if " * " in line][0].startswith("ensemble *")


@pytest.mark.parametrize("count", [0, 1, 2, 4, 5, 9])
def test_console_table_fits_in_80_columns(count):
    metrics = copy.deepcopy(METRICS)
    groupings = {f"a rather long grouping {i}": GROUPINGS["binary"] for i in range(count)}
    metrics["test"] = {name: scores(0, groupings) for name in CANDIDATES}
    metrics["out_of_fold"] = scores(1, groupings)
    table = console_table(metrics)
    assert max(len(line) for line in table.splitlines()) <= 80
    assert "3-class" in table
    assert ("more groupings" in table) == (count > 4)
