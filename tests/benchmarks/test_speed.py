"""The arithmetic of the benchmarks of whole runs, full width and devices: what is timed is not timed here."""

import jax
import pytest
from ml_collections import ConfigDict

from benchmarks import full_recipe, quick_run, scaling
from configs import extreme
from jaxboost.limits import check_config
from jaxboost.training.loop import Progress

TIMING = {"featurize": 4.0, "teach": 2.0, "compile": 28.0, "train": 50.0, "evaluate": 6.0, "total": 95.0}


def test_the_stages_of_a_run_are_all_of_its_time():
    found = quick_run.stages(TIMING, wall=100.0)
    assert tuple(found) == quick_run.STAGES
    assert found["start"] == 5.0 and found["rest"] == 5.0
    assert sum(found.values()) == 2 * found["all"] == 200.0


def test_cold_and_warm_stand_side_by_side_with_their_ratio():
    cold = quick_run.stages(TIMING, wall=100.0)
    warm = quick_run.stages(TIMING | {"featurize": 0.01, "compile": 3.0, "total": 64.01}, wall=70.0)
    lines = {line.split()[0]: line.split()[1:] for line in quick_run.table(cold, warm)}
    assert lines["compile"] == ["28.0", "3.0", "9.3"] and lines["all"] == ["100.0", "70.0", "1.4"]
    assert lines["featurize"] == ["4.0", "0.0", "-"]  # nothing to divide by


@pytest.mark.parametrize("scale", [0.01, 0.06, 0.5, 1.0])
def test_a_scaled_recipe_is_one_that_can_run(scale):
    config = extreme.get_config()
    full_recipe.scaled(config, scale)
    check_config(config)
    if scale == 1:
        assert config.network == extreme.get_config().network
    else:
        assert config.network.fusion_width == max(16, round(1024 * scale / 16) * 16)
        assert config.network.crystal_layers == (3 if scale == 0.5 else 1)


def test_an_epoch_is_the_calls_up_to_its_rows():
    epochs = full_recipe.Epochs()
    for rows, seconds in (([], 1.0), ([{}, {}], 2.0), ([], 0.5), ([{}], 0.25)):
        epochs.report(Progress(rows, steps=4, total=100, seconds=seconds))
    assert epochs.seconds == [3.0, 0.75] and epochs.members == [2, 1]


def test_the_peak_is_of_the_device_or_measured(monkeypatch):
    monkeypatch.setattr(full_recipe, "matmul_rate", lambda devices: 7.0)
    kinds = ("NVIDIA H100 80GB HBM3", "TPU v5 lite", "TPU v5", "cpu")
    assert [full_recipe.peak_of(kind) for kind in kinds] == [989e12, 197e12, 459e12, 7.0]


def test_memory_is_told_where_the_device_tells(monkeypatch):
    class Device:
        def memory_stats(self):
            return {"peak_bytes_in_use": 3 * 2**30, "bytes_limit": 80 * 2**30}

    assert full_recipe.memory() == "not told by this device"  # a CPU
    monkeypatch.setattr(jax, "local_devices", lambda: [Device()])
    assert full_recipe.memory() == "3.0 of 80 GiB"


def test_devices_are_doubled_and_all_are_timed_as_often():
    assert scaling.powers(8) == [1, 2, 4, 8] and scaling.powers(7) == [1, 2, 4]
    called = []
    found = scaling.in_turn({name: lambda name=name: called.append(name) for name in "ab"}, 2)
    assert called == ["b", "a", "a", "b"] and set(found) == {"a", "b"} and min(found.values()) >= 0


def test_benchmarks_name_fields_that_there_are():
    config = scaling.widened(16, 8, 10)
    assert isinstance(config, ConfigDict)
    check_config(config)
