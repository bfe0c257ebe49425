"""What is refused before any compute, with the folder as it was."""

import csv
import os
import signal
from pathlib import Path

import numpy as np
import pyarrow.parquet as pq
import pytest
from ml_collections import ConfigDict

from configs import quick
from jaxboost import recipe, rows, settings
from jaxboost.crystal import Structure
from jaxboost.data.dataset import Dataset
from jaxboost.data.embedded import EmbeddedSettings
from jaxboost.data.materials import read_table
from jaxboost.data.splits import Splits, make_splits, splits_to_json
from jaxboost.errors import InputError
from jaxboost.physics.tight_binding_elements import learned_split
from jaxboost.rows import split_table, splits_of_rows
from jaxboost.run_folder import RunLock, write_json
from tests.crystals import LABELS, prototype, small_table, write_cif, write_parquet


@pytest.fixture
def config(tmp_path, monkeypatch) -> ConfigDict:
    """Of the small table; a structure that is featurised would fail the test."""
    monkeypatch.setattr(recipe, "features_of", lambda *arguments: pytest.fail("it computes"))
    monkeypatch.setattr(recipe, "environment", lambda: pytest.fail("it asks for the devices"))
    config = quick.get_config()
    config.tight_binding.enabled = False  # the datasets here have no features
    config.data.path = str(small_table(tmp_path / "table.parquet"))
    config.data.label_column = "kind"
    config.data.classes = LABELS
    with config.unlocked():
        config.data.rules = ConfigDict()
        config.data.groupings = ConfigDict()
    config.data.vote_fraction = 0.2
    config.data.cache_dir = str(tmp_path / "cache")
    return config


def edited(config: ConfigDict, change) -> ConfigDict:
    """`config` with a table to whose columns `change` was done."""
    columns = pq.read_table(config.data.path).to_pydict()
    change(columns)
    rows = [
        (name, Structure(np.reshape(lattice, (3, 3)), np.reshape(coords, (-1, 3)), np.array(numbers)))
        for name, lattice, coords, numbers in zip(
            *(columns.pop(key) for key in ("material_id", "lattice", "frac_coords", "atomic_numbers")), strict=True
        )
    ]
    path = Path(config.data.path).with_name("edited.parquet")
    config.data.path = str(write_parquet(path, rows, columns))
    return config


def refused(config: ConfigDict, workdir: Path, said: str) -> None:
    with pytest.raises(InputError, match=said):
        recipe.train(config, workdir)
    assert not workdir.exists() or [path.name for path in workdir.iterdir()] == [".lock"]


def test_a_wrong_value(config, tmp_path):
    config.views.count = 0
    refused(config, tmp_path / "run", "config.views.count = 0")


def test_no_path_with_other_classes_or_a_missing_one(config, tmp_path):
    config.data.path = ""
    refused(config, tmp_path / "run", "config.data.path is empty, and the embedded table has the classes trivial, TI")
    config.data.path = str(tmp_path / "nowhere.parquet")
    refused(config, tmp_path / "run", "nowhere.parquet: no such file or folder")


def test_no_path_is_the_embedded_table(config, tmp_path, monkeypatch):
    asked = {}

    def table(settings, *, cache_dir, workers, progress):
        asked.update(settings=settings, cache_dir=cache_dir, workers=workers)
        return read_table(given, label_column="kind")

    given, config.data.path, config.data.classes = config.data.path, "", ()
    config.seed, config.data.embedded_crystals, config.data.workers = 4, 7, 3
    monkeypatch.setattr(rows, "embedded_table", table)
    assert len(split_table(config, tmp_path)[0]) == 79
    assert asked == {"settings": EmbeddedSettings(7, 4), "cache_dir": tmp_path / "cache", "workers": 3}


def test_an_unreadable_file(config, tmp_path):
    Path(config.data.path).write_bytes(b"PAR1, or not")
    refused(config, tmp_path / "run", "table.parquet: not a parquet file")


def test_an_unknown_label_column(config, tmp_path):
    config.data.label_column = "knd"
    refused(config, tmp_path / "run", "no column 'knd'.*Did you mean 'kind'.*Set config.data.label_column")


def test_an_unknown_label(config, tmp_path):
    config.data.classes = LABELS[:2]
    refused(config, tmp_path / "run", "1 unknown labels: 'semimetal'")


def test_a_class_with_fewer_rows_than_folds(config, tmp_path):
    config.kfold.folds = 30
    refused(config, tmp_path / "run", "too few rows for 30 folds")


def test_a_duplicate_id(config, tmp_path):
    def repeat(columns):
        columns["material_id"][3] = columns["material_id"][2]

    refused(edited(config, repeat), tmp_path / "run", "1 ids stand more than once: rocksalt_1_4.3")


def test_a_formula_on_both_sides_of_a_given_split(config, tmp_path):
    def split(columns):
        columns["split"] = ["test" if i == 0 else "train" for i in range(len(columns["kind"]))]

    refused(edited(config, split), tmp_path / "run", "puts 1 formulas on both sides: ")


def test_rules_of_other_classes(config, tmp_path):
    with config.unlocked():
        config.data.rules = ConfigDict({"TI": "insulator"})
    refused(config, tmp_path / "run", "config.data.rules has 'TI'")


def test_a_folder_without_labels(config, tmp_path):
    folder = tmp_path / "cifs"
    folder.mkdir()
    write_cif(folder / "one.cif", prototype("rocksalt", (11, 17), 5.6), ["Na", "Cl"])
    config.data.path = str(folder)
    refused(config, tmp_path / "run", "no id_prop.csv there")


def test_a_run_of_another_config_is_left_as_it_is(config, tmp_path):
    workdir = tmp_path / "run"
    write_json(workdir / "config.json", settings.plain(config))
    was, config.optimizer.batch = config.optimizer.batch, 64
    before = (workdir / "config.json").read_bytes()
    with pytest.raises(InputError, match=rf"(?s)another config.*optimizer.batch: {was} -> 64.*--workdir"):
        recipe.train(config, workdir)
    assert (workdir / "config.json").read_bytes() == before


def test_two_runs_in_one_folder(config, tmp_path):
    with RunLock(tmp_path / "run"), pytest.raises(InputError, match="in use by another run"):
        recipe.train(config, tmp_path / "run")


def test_the_splits_that_are_stored_are_taken(config, tmp_path):
    table, drawn = split_table(config, tmp_path)
    assert (drawn.fold >= 0).sum() + drawn.vote.sum() + drawn.test.sum() == len(table) == 79
    write_json(tmp_path / "splits.json", splits_to_json(drawn, list(table.ids)))
    config.seed = 1
    stored = split_table(config, tmp_path)[1]
    assert (stored.fold == drawn.fold).all() and (stored.test == drawn.test).all()
    (tmp_path / "splits.json").unlink()
    assert (split_table(config, tmp_path)[1].fold != drawn.fold).any()


def test_rejected_rows_leave_every_part():
    formulas = [f"F{i}" for i in range(40)]
    splits = make_splits(formulas, np.arange(40) % 2, folds=2, ensemble_members=1, vote_fraction=0.2)
    kept = np.flatnonzero(np.arange(40) % 7 != 0)
    dataset = Dataset(kept, kept, kept, ("a", "b"), None, kept, (("x", "bad"),), "table", "")
    found = splits_of_rows(splits, dataset)
    assert isinstance(found, Splits)
    assert (found.fold == splits.fold[kept]).all() and (found.test == splits.test[kept]).all()
    assert found.ensemble_validation.shape == (1, len(kept))
    kept = np.flatnonzero(splits.fold != 1)
    with pytest.raises(InputError, match="table: every row of fold 1 is rejected"):
        splits_of_rows(splits, Dataset(kept, kept, kept, ("a", "b"), None, kept, (), "table", ""))


def test_strict_stops_at_the_first_structure_that_cannot_be_used(config, tmp_path, monkeypatch):
    rejected = (("broken", "two atoms on one place"), ("other", "no cell"))
    kept = np.arange(79)
    dataset = Dataset(kept, kept, kept, LABELS, None, kept, rejected, "table", "")
    monkeypatch.setattr(recipe, "features_of", lambda *arguments: dataset)
    monkeypatch.setattr(recipe, "environment", dict)
    monkeypatch.setattr(settings, "compilation_cache", lambda config: None)
    with pytest.raises(InputError, match=r"broken: two atoms on one place \(--strict\)"):
        recipe.train(config, tmp_path / "run", strict=True)
    with (tmp_path / "run" / "rejected.csv").open() as file:
        assert list(csv.reader(file))[1:] == [list(pair) for pair in rejected]


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_a_signal_while_crystals_are_featurised_ends_it_in_order(config, tmp_path, monkeypatch, capsys, number):
    def signalled(config, table, should_stop):
        assert not should_stop()
        os.kill(os.getpid(), number)
        assert should_stop()
        raise KeyboardInterrupt

    monkeypatch.setattr(recipe, "features_of", signalled)
    monkeypatch.setattr(recipe, "environment", dict)
    assert recipe.train(config, tmp_path / "run") == 128 + number
    assert "stopped by a signal; the same command goes on" in capsys.readouterr().out


def test_an_interrupt_without_a_signal_is_not_taken_for_one(config, tmp_path, monkeypatch):
    def interrupted(config, table, should_stop):
        raise KeyboardInterrupt

    monkeypatch.setattr(recipe, "features_of", interrupted)
    monkeypatch.setattr(recipe, "environment", dict)
    with pytest.raises(KeyboardInterrupt):
        recipe.train(config, tmp_path / "run")


@pytest.mark.parametrize(
    "table, seed, parameters, warned",
    [
        ("own", 0, "learned", False),
        ("own", 1, "learned", True),
        ("other", 0, "learned", True),
        ("other", 0, "published", False),
    ],
)
def test_figures_learned_on_another_split_are_warned_of(table, seed, parameters, warned, capsys):
    config = quick.get_config()
    config.seed, config.tight_binding.parameters = seed, parameters
    recipe._warn_of_another_split(config, learned_split()["sha256"] if table == "own" else table)
    assert ("fitted to the training rows of another" in " ".join(capsys.readouterr().out.split())) == warned
