"""The table of costs: each size and each kind of coverage counted, the estimate against numbers, no line too long."""

import sys

import numpy as np
import pytest

from benchmarks import featurize as benchmark
from jaxboost.crystal import make_crystal
from jaxboost.modalities import FeaturizerSettings
from jaxboost.modalities.bands import BandSettings
from tests.crystals import prototype, small_table

SALT, PEROVSKITE = prototype("rocksalt", (12, 8), 4.21), prototype("perovskite", (38, 22, 8), 3.9)  # 8, 30 orbitals


def test_a_row_has_a_size_and_what_tight_binding_does_for_it():
    unusable, americium = prototype("rocksalt", (12, 8), 0.5), prototype("cscl", (95, 13), 3.4)
    bands = BandSettings(max_orbitals=8, max_cheap_orbitals=30)
    census = benchmark.take_census((unusable, SALT, PEROVSKITE, americium), FeaturizerSettings(), bands)
    assert census.rejected == 1 and census.row.tolist() == [1, 2, 3]
    assert [benchmark.SIZES[i] for i in census.size] == ["1-4", "5-8", "1-4"]
    assert [benchmark.COVERED[i] for i in census.covered] == ["full", "cheap", "none"]
    bands = BandSettings(max_orbitals=8, max_cheap_orbitals=29)
    census = benchmark.take_census((PEROVSKITE,), FeaturizerSettings(), bands)
    assert [benchmark.COVERED[i] for i in census.covered] == ["none"]


def test_the_estimate_weighs_each_size_by_its_rows_and_its_spread():
    hour = 3600.0
    times = [np.array([1.0, 3.0]) * hour, np.array([]), np.array([5.0]) * hour, np.array([7.0, 9.0]) * hour]
    hours, error = benchmark.core_hours(np.array([10, 0, 1, 2]), times)
    assert hours == pytest.approx(10 * 2 + 5 + 16)
    # Of the first size 2 of 10 are drawn, with a variance of 2; of the others every one.
    assert error == pytest.approx((10 * 8 * 2 / 2) ** 0.5)
    assert np.isnan(benchmark.core_hours(np.array([2]), [np.array([hour])])[1])


def test_levels_are_timed_at_the_padded_size(monkeypatch):
    monkeypatch.setattr(benchmark, "K_POINTS", 2)
    took, width = benchmark.accelerator_seconds(make_crystal(SALT), atoms=3)
    assert took > 0 and width == 54


def test_a_table_is_told_in_lines_that_fit(tmp_path, monkeypatch, capsys):
    table = small_table(tmp_path / "table.parquet")
    monkeypatch.setattr(sys, "argv", ["featurize", f"--data={table}", "--sample=1", f"--cache={tmp_path}"])
    benchmark.main()
    lines = capsys.readouterr().out.splitlines()
    assert all(len(line) <= 80 for line in lines)
    assert lines[0].startswith("78 crystals, 1 rejected; 1 of each size")
    (row,) = (line.split() for line in lines if line.split()[0] in benchmark.SIZES)
    assert row[:5] == ["1-4", "78", "97.4%", "0.0%", "2.6%"]  # americium, twice
    assert "cache with bands: 0 of 79 rows" in "\n".join(lines)
    assert lines[-1] == "no accelerator: not measured"
