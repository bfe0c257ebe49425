"""scikit-learn's conventions, and that a fit is the recipe: one small fit in a process of its own, looked at here."""

import json
import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pyarrow.parquet as pq
import pytest
from ml_collections import ConfigDict
from sklearn.base import clone, is_classifier
from sklearn.exceptions import NotFittedError
from sklearn.utils import estimator_checks as checks

import jaxboost
from configs import quick
from jaxboost import TopologyClassifier
from jaxboost.crystal import StructureError
from jaxboost.data.topomat import CLASSES, GROUPINGS, RULES
from jaxboost.errors import InputError
from jaxboost.limits import check_classes, check_config
from tests.crystals import LABELS, prototype, write_cif

ROOT = Path(__file__).parents[1]
SALT = prototype("rocksalt", (11, 17), 5.6)
# Labels that are numbers, whose order as text is another: '10' < '2'.
NUMBERS = {"trivial": 2, "insulator": 10, "semimetal": 33}
SCRIPT = """
import copy, json, shutil, sys
from pathlib import Path

import numpy as np
from sklearn.model_selection import GridSearchCV
from sklearn.pipeline import Pipeline

from jaxboost import TopologyClassifier, recipe, screening
from jaxboost.data.materials import read_table
from tests.crystals import write_parquet
from tests.test_classifier import NUMBERS
from tests.tiny_run import tiny_config


def main(folder):
    config = tiny_config(folder)
    for kind in (config.kfold, config.ensemble, config.full):
        kind.epochs, kind.cycle_epochs = 6, 5
    config.optimizer.batch, config.optimizer.max_lr = 8, 3e-3  # few crystals, few steps
    table = read_table(config.data.path, label_column="kind")
    rows = np.flatnonzero(table.ids != "broken")
    X = [table.structures[row] for row in rows]
    y = np.array([NUMBERS[table.classes[table.labels[row]]] for row in rows])

    fitted = TopologyClassifier(config, random_state=3, workdir=folder / "run").fit(X, y)
    probabilities = fitted.predict_proba(X)
    details = fitted.predict_details(X)  # as many as before: another number would be another program
    fitted.save(folder / "saved")
    loaded = TopologyClassifier.load(folder / "saved")
    copied = copy.deepcopy(fitted)
    found = {
        "classes": fitted.classes_.tolist(),
        "labels": y.tolist(),
        "probabilities": probabilities.tolist(),
        "predicted": fitted.predict(X).tolist(),
        "score": fitted.score(X, y),
        "details": {name: column[:5].tolist() for name, column in details.items()},
        "loaded": loaded.predict_proba(X).tolist(),
        "loaded_classes": loaded.classes_.tolist(),
        "copied": copied.predict_proba(X).tolist(),
    }
    write_parquet(folder / "X.parquet", [(str(row), x) for row, x in enumerate(X)], {})
    screening.predict(folder / "saved", [str(folder / "X.parquet")], folder / "predicted.parquet")

    seeds = []
    def trained_before(config, workdir, table):
        seeds.append((config.seed, len(table)))
        shutil.copytree(folder / "run" / "members", workdir / "members")
        shutil.copy(folder / "run" / "config.json", workdir)

    recipe.fit = trained_before
    pipeline = Pipeline([("classify", TopologyClassifier(config))])
    # All crystals, in two orders: as many as before, or another program would be compiled.
    cv = [(np.arange(0, 78, 2), np.arange(78)), (np.arange(1, 78, 2), np.arange(78)[::-1])]
    search = GridSearchCV(pipeline, {"classify__random_state": [5, 6]}, cv=cv, n_jobs=1).fit(X, y)
    found |= {"seeds": seeds, "searched": search.cv_results_["mean_test_score"].tolist(), "best": search.best_score_}
    (folder / "found.json").write_text(json.dumps(found))


main(Path(sys.argv[1]))
"""


@pytest.fixture(scope="module")
def folder(tmp_path_factory) -> Path:
    """Where the script has run."""
    folder = tmp_path_factory.mktemp("classifier")
    environment = os.environ | {"PYTHONPATH": str(ROOT), "PYTHONWARNINGS": "error"}
    done = subprocess.run(
        [sys.executable, "-c", SCRIPT, str(folder)], env=environment, capture_output=True, text=True, cwd=folder
    )
    assert done.returncode == 0, done.stdout + done.stderr
    said = done.stdout.split()
    assert said[:4] == ["78", "inputs,", "0", "rejected:"] and len(said) == 5, "an estimator is quiet"
    return folder


@pytest.fixture(scope="module")
def found(folder) -> dict:
    return json.loads((folder / "found.json").read_text())


def test_predictions_follow_the_conventions(found):
    assert found["classes"] == sorted(NUMBERS.values())
    probabilities = np.array(found["probabilities"])
    assert probabilities.shape == (78, 3)
    np.testing.assert_allclose(probabilities.sum(1), 1, atol=1e-6)
    likeliest = np.array(found["classes"])[probabilities.argmax(1)]
    assert found["predicted"] == likeliest.tolist()
    assert found["score"] == pytest.approx(np.mean(likeliest == found["labels"])) and found["score"] > 0.5


def test_a_fit_is_a_run_of_the_recipe(folder, found):
    members = {"kfold_0", "kfold_1", "ensemble_0", "full", "reference.npz", "vote.json"}
    for place in ("run", "saved"):
        assert {path.name for path in (folder / place / "members").iterdir()} == members
    config = json.loads((folder / "run" / "config.json").read_text())
    assert config["seed"] == 3 and config["data"]["classes"] == ["2", "10", "33"] and config["data"]["rules"] == {}
    splits = json.loads((folder / "run" / "splits.json").read_text())
    assert splits["test"] == [] and len(splits["vote"]) + sum(map(len, splits["folds"])) == 78 and splits["vote"]
    ids = {int(name.split("-")[0]): part for part in ("vote", 0, 1) for name in
           (splits["vote"] if part == "vote" else splits["folds"][part])}  # fmt: skip
    assert all(ids[row] == ids[row + 1] for row in range(0, 78, 2)), "rows of one formula stand together"
    log = [json.loads(line) for line in (folder / "run" / "log.jsonl").read_text().splitlines()]
    assert {row["member"] for row in log} == {"kfold_0", "kfold_1", "ensemble_0", "full"}


def test_what_is_saved_predicts_the_same_here_and_on_the_command_line(folder, found):
    np.testing.assert_allclose(found["loaded"], found["probabilities"], atol=1e-6)
    np.testing.assert_allclose(found["copied"], found["probabilities"], atol=1e-6)
    assert found["loaded_classes"] == found["classes"]
    table = pq.read_table(folder / "predicted.parquet")
    columns = np.stack([table[f"p_{name}"].to_numpy() for name in found["classes"]], 1)
    np.testing.assert_allclose(columns, found["probabilities"], atol=1e-5)


def test_details_are_those_of_a_prediction(found):
    details = found["details"]
    assert details["formula"] == ["FLi", "FLi", "ClLi", "ClLi", "BrLi"] and details["space_group"] == [225] * 5
    assert set(details) >= {"prediction", "uncertainty", "epistemic", "agreement", "rule", "weight_kspace", "p_33"}
    np.testing.assert_allclose([details[f"p_{name}"] for name in (2, 10, 33)], np.array(found["probabilities"])[:5].T,
                               atol=1e-5)  # fmt: skip


def test_it_is_searched_in_a_pipeline(found):
    assert found["seeds"] == [[5, 39], [5, 39], [6, 39], [6, 39], [5, 78]]
    assert found["searched"] == pytest.approx([found["score"]] * 2) and found["best"] == max(found["searched"])


@pytest.mark.parametrize(
    "check",
    [
        checks.check_estimator_cloneable,
        checks.check_estimator_repr,
        checks.check_get_params_invariance,
        checks.check_set_params,
        checks.check_no_attributes_set_in_init,
        checks.check_parameters_default_constructible,
        checks.check_valid_tag_types,
        checks.check_mixin_order,
        checks.check_estimators_unfitted,
    ],
)
def test_the_checks_of_scikit_learn_that_apply(check):
    check("TopologyClassifier", TopologyClassifier())


def test_a_config_of_ones_own_is_cloned():
    config = quick.get_config()
    config.seed = 7
    copy = clone(TopologyClassifier(config, n_jobs=1))
    assert copy.config.seed == 7 and copy.config is not config and copy.n_jobs == 1
    assert is_classifier(copy) and "TopologyClassifier(" in repr(copy)


def test_nothing_is_said_of_crystals_before_a_fit(tmp_path):
    for method in ("predict", "predict_proba", "predict_details", "save"):
        with pytest.raises(NotFittedError):
            getattr(TopologyClassifier(), method)(str(tmp_path / "x"))
    with pytest.raises(InputError, match="no run is here"):
        TopologyClassifier.load(tmp_path)


@pytest.mark.parametrize("name", ["quick", "extreme", "embedded"])
def test_the_rules_of_the_recipe_go_with_its_classes(name, tmp_path):
    classifier = TopologyClassifier(name, random_state=np.random.RandomState(1), cache_dir=tmp_path, n_jobs=3)
    config = classifier._recipe(tuple(sorted(CLASSES)))
    assert config.data.rules.to_dict() == RULES and config.data.groupings.to_dict() == GROUPINGS
    assert (config.data.workers, config.data.cache_dir) == (3, str(tmp_path)) and 0 < config.seed < 400_000
    some = classifier._recipe(("TI", "trivial"))
    assert some.data.rules.to_dict() == {"TI": "insulator", "trivial": "trivial"}
    assert some.data.groupings["binary"].to_dict() == {"TI": "topological", "trivial": "trivial"}
    other = classifier._recipe(("metal", "trivial"))
    assert len(other.data.rules) == len(other.data.groupings) == 0
    for one in (config, some, other):
        check_config(one)
        check_classes(one, one.data.classes)
    with pytest.raises(InputError, match="config = 'quik': give one of quick, extreme, embedded"):
        TopologyClassifier("quik").fit([SALT, SALT], [0, 1])


def test_what_is_no_crystal_is_refused_by_its_place(tmp_path):
    file = write_cif(tmp_path / "salt.cif", SALT, ["Na", "Cl"])
    (tmp_path / "POSCAR").write_text("")
    with pytest.raises(StructureError, match="crystal 1 of X cannot be used: .*POSCAR: cut short"):
        TopologyClassifier().fit([file, tmp_path / "POSCAR"], [0, 1])
    with pytest.raises(TypeError, match="give a sequence of crystals"):
        TopologyClassifier().fit(str(file), [0])
    with pytest.raises(TypeError, match="ndarray is no structure"):
        TopologyClassifier().fit(np.zeros((2, 3)), [0, 1])
    with pytest.raises(ValueError, match="X is empty"):
        TopologyClassifier().fit([], [])


@pytest.mark.parametrize(
    ("y", "said"),
    [
        (None, "y is None"),
        ([0], "inconsistent numbers of samples"),
        ([0.5, 1.5], "Unknown label type"),
        ([1, 1], "one class only: all 2 labels are 1"),
        ([[1, 2], [2, 1]], "1d array"),
    ],
)
def test_labels_that_cannot_be_learned(y, said, tmp_path):
    with pytest.raises(ValueError, match=said):
        TopologyClassifier(workdir=tmp_path / "run").fit([SALT, SALT], y)
    assert not (tmp_path / "run" / "config.json").exists()


def test_importing_the_package_loads_no_jax():
    code = "import sys, jaxboost; print('jax' in sys.modules, 'TopologyClassifier' in dir(jaxboost))"
    done = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True)
    assert done.stdout == "False True\n" and done.stderr == ""
    with pytest.raises(AttributeError, match="no attribute 'TopologyClasifier'"):
        jaxboost.TopologyClasifier  # noqa: B018
    assert isinstance(quick.get_config(), ConfigDict) and set(NUMBERS) == set(LABELS)
