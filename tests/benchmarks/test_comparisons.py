"""What benchmarks compare: scores of rows in closed form, pooling over the places that are there, runs row by row."""

import csv
import json
import sys

import numpy as np
import pytest

from benchmarks import compare_runs
from benchmarks.grouped_scores import grouped_scores
from jaxboost.data.topomat import CLASSES
from jaxboost.errors import InputError
from tests.crystals import prototype, write_parquet


def test_a_coarse_class_has_the_sum_of_its_parts():
    # TI alone is likeliest, semimetals together are: right in five classes is wrong in three.
    values = dict(zip(("trivial", "TI", "TCI", "HSPSM", "HSLSM"), (0.1, 0.3, 0.1, 0.25, 0.25), strict=True))
    row = np.array([[values[name] for name in CLASSES]])
    scores = grouped_scores(row, np.array([CLASSES.index("TI")]), CLASSES)[0]
    np.testing.assert_allclose(scores, [1, 0, 1, -np.log(0.3)])


def _write_run(folder, probabilities):
    folder.mkdir()
    with open(folder / "predictions.csv", "w", newline="", encoding="utf-8") as file:
        writer = csv.writer(file)
        writer.writerow(["material_id", "split", "label", *(f"p_{name}" for name in CLASSES)])
        for i, p in enumerate(probabilities):
            writer.writerow(
                [f"m{i}", "test", "trivial", *(p if name == "trivial" else (1 - p) / 4 for name in CLASSES)]
            )
    (folder / "splits.json").write_text(json.dumps({"folds": [["m0"], ["m1", "m2"]]}), encoding="utf-8")
    return str(folder)


def test_runs_are_compared_on_the_rows_of_both(tmp_path, monkeypatch, capsys):
    rows = [(f"m{i}", prototype("rocksalt", (z, 8), 4.2)) for i, z in enumerate((12, 20, 38))]
    table = write_parquet(tmp_path / "table.parquet", rows, {"topology": ["trivial"] * 3})
    runs = [_write_run(tmp_path / "a", [0.9, 0.1, 0.1]), _write_run(tmp_path / "b", [0.9, 0.9, 0.9])]
    monkeypatch.setattr(sys, "argv", ["compare_runs", *runs, f"--data={table}"])
    compare_runs.main()
    out = capsys.readouterr().out
    # Two of three rows become right: +66.67 points, standard error sqrt(3 / 2 * (2 / 9 + 4 / 9)) / 3 = 1 / 3.
    assert "test: 3" in out and "+66.67 +- 33.33" in out
    assert max(len(line) for line in out.splitlines()) <= 80
    (tmp_path / "b" / "predictions.csv").write_text("material_id,split,label,p_trivial\n", encoding="utf-8")
    with pytest.raises(InputError, match="share no test row"):
        compare_runs.main()
    (tmp_path / "b" / "splits.json").write_text(json.dumps({"folds": [["m0", "m1"], ["m2"]]}), encoding="utf-8")
    with pytest.raises(InputError, match="have other folds"):
        compare_runs.main()
