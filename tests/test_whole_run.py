"""The whole recipe on a table that the tests write, in processes of its own: train, go on, evaluate, predict."""

import csv
import json
import os
import signal
import socket
import time
from collections import Counter
from pathlib import Path

import numpy as np
import pyarrow.parquet as pq
import pytest

from tests.crystals import LABELS, prototype, write_cif, write_parquet
from tests.trained_run import call, start

CANDIDATES = ["kfold_best", "kfold_vote", "ensemble", "full", "super_ensemble"]
SCORE = {
    "n", "accuracy", "accuracy_ci95", "macro_f1", "balanced_accuracy", "roc_auc", "log_loss", "brier", "ece",
    "confusion", "by_grouping", "members",
}  # fmt: skip


def rows_of(path: Path) -> list[dict[str, str]]:
    with path.open(newline="") as file:
        return list(csv.DictReader(file))


def without_timing(path: Path) -> dict:
    metrics = json.loads(path.read_text())
    del metrics["timing_s"]
    return metrics


@pytest.fixture(scope="module")
def place(trained) -> Path:
    """A folder with a table and a config."""
    return trained


@pytest.fixture(scope="module")
def run(trained) -> Path:
    """The folder of a run that was trained without a stop."""
    return trained / "run"


@pytest.fixture(scope="module")
def metrics(run) -> dict:
    return json.loads((run / "metrics.json").read_text())


def test_the_folder_holds_what_the_contract_says(run):
    members = ["ensemble_0", "full", "kfold_0", "kfold_1"]
    assert sorted(path.name for path in run.iterdir()) == [
        ".lock", "config.json", "environment.json", "figures", "log.jsonl", "members", "metrics.json",
        "predictions.csv", "rejected.csv", "report.html", "splits.json", "taught", "tensorboard", "without_bands.csv",
    ]  # fmt: skip
    assert sorted(path.name for path in (run / "members").iterdir()) == [*members, "reference.npz", "vote.json"]
    assert sorted(path.stem for path in (run / "taught").iterdir()) == members
    for member in members:
        folder = run / "members" / member
        step = str(json.loads((folder / "LAST_GOOD").read_text())["step"])
        assert {"MANIFEST", "fitted.json", "arrays"} <= {path.name for path in (folder / step).iterdir()}
    log = [json.loads(line) for line in (run / "log.jsonl").read_text().splitlines()]
    assert Counter(row["member"] for row in log) == dict.fromkeys(members, 3)
    assert {"member", "epoch", "lr", "train_loss", "train_accuracy", "validation_loss", "validation_accuracy"} == set(
        log[0]
    )
    assert not list(run.rglob("*.tmp")) and not list(run.rglob("*.partial"))
    rejected = rows_of(run / "rejected.csv")
    assert [row["input"] for row in rejected] == ["broken"] and "on one place" in rejected[0]["reason"]


def test_metrics_follow_the_schema(metrics):
    assert list(metrics) == [
        "task", "data", "cross_validation", "out_of_fold", "vote", "test", "best", "importance", "timing_s",
    ]  # fmt: skip
    assert metrics["task"]["label"] == "kind" and tuple(metrics["task"]["classes"]) == LABELS
    assert set(metrics["task"]["groupings"]) == {"binary", "3-class"}
    assert metrics["data"]["grouped_by"] == "formula" and len(metrics["data"]["sha256"]) == 64
    assert sum(metrics["data"]["rows"].values()) == 78 and metrics["data"]["rejected"] == 1
    parts = metrics["importance"]["parts"]
    assert set(parts) == {"crystal", "kspace", "scalars", "electrons", "rules", "relatives"}
    assert metrics["importance"]["rows"] == metrics["vote"]["full"]["n"]
    assert any(part["log_loss"] != 0 for part in parts.values())
    assert list(metrics["test"]) == list(metrics["vote"]) == CANDIDATES and metrics["best"] in CANDIDATES
    assert len(metrics["cross_validation"]["folds"]) == 2
    scores = [metrics["out_of_fold"], *metrics["test"].values(), *metrics["vote"].values()]
    for score in scores:
        assert set(score) >= SCORE
        assert {"binary", "3-class"} <= set(score["by_grouping"])
        assert {"accuracy", "macro_f1", "roc_auc"} <= set(score["by_grouping"]["binary"])
        assert score["by_grouping"]["3-class"]["accuracy"] == pytest.approx(score["accuracy"])
        assert np.sum(score["confusion"]) == score["n"]
    assert metrics["test"]["super_ensemble"]["members"] == ["ensemble_0", "kfold_0", "kfold_1", "full"]
    assert metrics["test"]["kfold_best"]["members"][0] in ("kfold_0", "kfold_1")
    assert set(metrics["timing_s"]) == {"featurize", "teach", "compile", "train", "evaluate", "total"}
    assert sum(metrics["timing_s"].values()) <= 2 * metrics["timing_s"]["total"]


def test_splits_predictions_and_metrics_agree(run, metrics):
    splits = json.loads((run / "splits.json").read_text())
    predictions = rows_of(run / "predictions.csv")
    by_split = {
        part: [r["material_id"] for r in predictions if r["split"] == part] for part in ("train", "vote", "test")
    }
    assert sorted(by_split["test"]) == sorted(splits["test"]) and sorted(by_split["vote"]) == sorted(splits["vote"])
    trained = sorted(name for fold in splits["folds"] for name in fold if name != "broken")
    assert sorted(by_split["train"]) == trained
    formula = {name: name.rsplit("_", 1)[0] for row in predictions if (name := row["material_id"])}
    sides = [{formula[name] for name in part if name != "broken"} for part in (*by_split.values(),)]
    assert not (sides[0] & sides[1] or sides[0] & sides[2] or sides[1] & sides[2])
    assert metrics["out_of_fold"]["n"] == len(trained)
    assert metrics["test"]["full"]["n"] == len(splits["test"]) == metrics["data"]["rows"]["test"]
    assert metrics["vote"]["full"]["n"] == len(splits["vote"])
    probabilities = np.array([[float(row[f"p_{name}"]) for name in LABELS] for row in predictions])
    assert np.allclose(probabilities.sum(1), 1)
    hits = [LABELS[i] == row["label"] for i, row in zip(probabilities.argmax(1), predictions, strict=True)]
    of_train = [hit for hit, row in zip(hits, predictions, strict=True) if row["split"] == "train"]
    assert np.mean(of_train) == pytest.approx(metrics["out_of_fold"]["accuracy"])
    known = {row["material_id"]: row["rule"] for row in predictions}
    # Sodium chloride: 8 electrons, centrosymmetric; americium's valence electrons are not known.
    assert known["rocksalt_4_4.6"] != "" and {known[name] for name in known if name.startswith("cscl_12")} == {""}


def test_the_same_command_says_that_it_is_done(place, run):
    before = (run / "metrics.json").stat().st_mtime_ns
    out = call(f"--config={place / 'tiny.py'}", f"--workdir={run}")
    assert "is done" in out and "epoch" not in out
    assert (run / "metrics.json").stat().st_mtime_ns == before


def test_a_new_process_evaluates_to_the_last_digit(run):
    call("--mode=evaluate", f"--workdir={run}")
    again = run / "evaluation" / "test"
    assert without_timing(again / "metrics.json") == without_timing(run / "metrics.json")
    assert (again / "predictions.csv").read_bytes() == (run / "predictions.csv").read_bytes()


def test_another_table_is_evaluated(place, run, metrics):
    """Its figures are those of the run's test rows where it holds these rows."""
    test = set(json.loads((run / "splits.json").read_text())["test"])
    table = pq.read_table(place / "table.parquet")
    pq.write_table(table.filter([name in test for name in table["material_id"].to_pylist()]), place / "other.parquet")
    out = call("--mode=evaluate", f"--workdir={run}", f"--inputs={place / 'other.parquet'}")
    assert "0 of" in out  # formulas of the training
    found = json.loads((run / "evaluation" / "other" / "metrics.json").read_text())
    assert found["cross_validation"] is None and found["out_of_fold"] is None and found["vote"] is None
    assert found["best"] == metrics["best"] and set(found["test"]) == set(metrics["test"])
    for candidate, score in found["test"].items():
        assert score["confusion"] == metrics["test"][candidate]["confusion"]
        assert score["log_loss"] == pytest.approx(metrics["test"][candidate]["log_loss"], abs=1e-5)


@pytest.fixture(scope="module")
def structures(place) -> Path:
    folder = place / "structures"
    folder.mkdir()
    write_cif(folder / "a_salt.cif", prototype("rocksalt", (11, 17), 5.6), ["Na", "Cl"])
    (folder / "b_broken.cif").write_text("data_x\n_cell_length_a 4.0\n")
    write_cif(folder / "c_unknown.cif", prototype("cscl", (95, 13), 3.4), ["Am", "Al"])
    write_cif(folder / "d_close.cif", prototype("rocksalt", (11, 17), 0.5), ["Na", "Cl"])
    write_cif(folder / "e_gas.cif", prototype("zincblende", (31, 33), 5.65), ["Ga", "As"])
    return folder


def test_every_input_gets_a_row_with_a_status(place, run, structures):
    table = write_parquet(place / "new.parquet", [("mine", prototype("diamond", (14,), 5.43))], {})
    output = place / "predicted.csv"
    call("--mode=predict", f"--workdir={run}", f"--inputs={structures},{table}", f"--output={output}")
    rows = rows_of(output)
    names = [Path(row["input"]).stem for row in rows]
    assert names == ["a_salt", "b_broken", "c_unknown", "d_close", "e_gas", "mine"]
    assert [row["status"] for row in rows] == ["ok", "rejected", "ok", "rejected", "ok", "ok"]
    for row in rows:
        if row["status"] == "ok":
            assert row["reason"] == "" and row["prediction"] in LABELS
            probabilities = [float(row[f"p_{name}"]) for name in LABELS]
            assert sum(probabilities) == pytest.approx(1) and row["prediction"] == LABELS[np.argmax(probabilities)]
            weights = [float(row[f"weight_{name}"]) for name in ("crystal", "kspace", "scalars", "electrons")]
            assert sum(weights) == pytest.approx(1, abs=1e-5)
            is_unknown = "unknown" in row["input"]
            assert (weights[3] == 0) == is_unknown == (row["rule"] == "")
        else:
            assert row["reason"] != "" and row["prediction"] == ""


def test_strict_stops_at_the_first_bad_structure(place, run, structures):
    process = start("--mode=predict", f"--workdir={run}", f"--inputs={structures}", "--strict")
    _, err = process.communicate()
    assert process.returncode == 2 and "b_broken.cif" in err and "Traceback" not in err
    assert not list((run / "predicted").iterdir())


def test_a_stopped_run_goes_on_to_the_same_bytes(place, run):
    workdir = place / "stopped"
    arguments = f"--config={place / 'tiny.py'}", f"--workdir={workdir}"
    process = start(*arguments)
    while process.poll() is None and not (workdir / "log.jsonl").exists():
        time.sleep(0.02)
    os.kill(process.pid, signal.SIGTERM)
    out, err = process.communicate()
    assert process.returncode == 143, out + err
    assert not (workdir / "metrics.json").exists()
    call(*arguments)
    assert (workdir / "predictions.csv").read_bytes() == (run / "predictions.csv").read_bytes()
    assert without_timing(workdir / "metrics.json") == without_timing(run / "metrics.json")


def test_two_processes_make_the_run_of_one(place, run):
    """Losses of every member and epoch, in one folder; the second process says and leaves nothing."""
    with socket.socket() as free:
        free.bind(("localhost", 0))
        address = f"localhost:{free.getsockname()[1]}"
    shared = {"JAX_COORDINATOR_ADDRESS": address, "JAX_NUM_PROCESSES": "2"}
    workdirs = [place / "two", place / "nowhere"]
    # Gloo says on standard output who is connected, in several threads that break each other's lines.
    spoken = [place / f"spoken_{number}" for number in (0, 1)]
    processes = [
        start(
            f"--config={place / 'tiny.py'}", f"--workdir={workdir}",
            spoken=spoken[number], **shared, JAX_PROCESS_ID=str(number),
        )
        for number, workdir in enumerate(workdirs)
    ]  # fmt: skip
    ends = [process.communicate() for process in processes]
    assert [process.returncode for process in processes] == [0, 0], ends
    assert "report: " in spoken[0].read_text() and spoken[1].read_text() == ""
    assert not workdirs[1].exists()
    # Tests before this one evaluated and predicted there.
    names = {path.name for path in run.iterdir()} - {"evaluation", "predicted"}
    assert {path.name for path in workdirs[0].iterdir()} == names
    logs = [
        {(row["member"], row["epoch"]): row for row in map(json.loads, (folder / "log.jsonl").read_text().splitlines())}
        for folder in (run, workdirs[0])
    ]
    assert logs[0].keys() == logs[1].keys()
    for key, row in logs[0].items():
        for name in ("train_loss", "validation_loss"):  # nothing validates the full model
            wanted = row[name] if row[name] is None else pytest.approx(row[name], rel=1e-5)
            assert logs[1][key][name] == wanted, (key, name)


def test_a_missing_member_is_refused_unless_partial_is_allowed(place, run):
    # The last test of the file: it changes the run.
    (run / "members" / "kfold_0").rename(place / "kfold_0")
    process = start("--mode=evaluate", f"--workdir={run}")
    _, err = process.communicate()
    assert process.returncode == 2 and "kfold_0" in err and "--allow_partial" in err
    out = call("--mode=evaluate", f"--workdir={run}", "--allow_partial", f"--inputs={place / 'other.parquet'}")
    assert "3 of 4 members vote" in out
    (place / "kfold_0").rename(run / "members" / "kfold_0")
