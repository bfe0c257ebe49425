"""Band columns as a switchable input: off nothing changes, on they stand behind the others, and are cached often."""

import hashlib
import json
import sys
from dataclasses import asdict, fields, replace

import numpy as np
import pytest
from joblib import parallel_config
from threadpoolctl import threadpool_info, threadpool_limits

from jaxboost.crystal import make_crystal
from jaxboost.modalities.band_rows import BAND_COLUMNS, BAND_LINE_COLUMNS, BAND_POINT_COLUMNS
from jaxboost.modalities.bands import ELECTRON_COLUMNS, BandSettings, band_features, resolved
from jaxboost.modalities.features import Features
from jaxboost.modalities.featurize import VERSION, FeaturizerSettings, featurize, featurize_one
from jaxboost.modalities.valence_bands import joined_points
from jaxboost.physics.space_groups import space_group
from jaxboost.physics.tight_binding_elements import PARAMETER_SETS, published_parameters
from tests.crystals import prototype

OFF = FeaturizerSettings(neighbors=6, cutoff=5.0)
MODULE = sys.modules["jaxboost.modalities.featurize"]  # the package has a function of that name
ON = replace(OFF, bands=BandSettings(mesh=1, parameters="published"))
SALT = prototype("rocksalt", (12, 8), 4.21)


def _without_bands(settings: FeaturizerSettings) -> dict:
    values = asdict(settings)
    del values["bands"]
    return values


def test_off_the_digest_knows_nothing_of_bands_and_on_every_setting_counts():
    text = json.dumps({"version": VERSION, **_without_bands(OFF)}, sort_keys=True)
    assert OFF.digest == hashlib.sha256(text.encode()).hexdigest()
    changed = {
        "max_orbitals": 20,
        "max_cheap_orbitals": 900,
        "window": 10.0,
        "mesh": 2,
        "parameters": "learned",
    }
    assert set(changed) == set(asdict(BandSettings()))
    others = {replace(ON, bands=replace(ON.bands, **{name: value})).digest for name, value in changed.items()}
    assert len(others | {OFF.digest, ON.digest}) == len(changed) + 2


def test_other_figures_of_the_elements_make_another_digest(monkeypatch):
    before, off = ON.digest, OFF.digest
    figures = published_parameters()
    learned = figures._replace(level=figures.level + 0.1)
    monkeypatch.setitem(PARAMETER_SETS, "published", lambda: learned)
    assert ON.digest != before and OFF.digest == off


def test_on_the_columns_stand_behind_those_of_off_and_nothing_else_changes():
    off, on = featurize_one(SALT, OFF), featurize_one(SALT, ON)
    behind = {"points": len(BAND_POINT_COLUMNS), "lines": len(BAND_LINE_COLUMNS), "electrons": len(ELECTRON_COLUMNS)}
    for name in (f.name for f in fields(Features)):
        before, after = getattr(off, name), getattr(on, name)
        if name in behind:
            assert after.shape == (*before.shape[:-1], before.shape[-1] + behind[name])
            after = after[..., : before.shape[-1]]
        assert after.dtype == before.dtype or before.dtype.kind == "U"
        np.testing.assert_array_equal(after, before)


def test_each_band_column_is_where_its_point_or_line_is():
    on = featurize_one(SALT, ON)
    group = space_group(225)
    found = band_features(make_crystal(SALT), published_parameters(), ON.bands)
    p = len(group.kpoints)
    np.testing.assert_array_equal(
        on.points[0, :p, -len(BAND_POINT_COLUMNS) :], resolved(found.points, BAND_POINT_COLUMNS)
    )
    assert not on.points[0, p:].any() and not on.lines[0, p:].any()
    np.testing.assert_array_equal(on.electrons[0, -len(BAND_COLUMNS) :], resolved(found.row, BAND_COLUMNS))
    assert on.electrons[0, -len(ELECTRON_COLUMNS)] == 1 and on.band_reason[0] == ""
    lines = on.lines[0, ..., -len(BAND_LINE_COLUMNS) :]
    joined, own = np.zeros(lines.shape[:2], bool), resolved(found.lines, BAND_LINE_COLUMNS)
    for i, j, line in joined_points(225):
        np.testing.assert_array_equal(lines[i, j], own[line])
        np.testing.assert_array_equal(lines[j, i], own[line])
        joined[i, j] = joined[j, i] = True
    assert np.nanmax(np.abs(lines[joined])) > 0 and not lines[~joined].any()


def test_energies_read_against_zero_are_stretched_there_and_nothing_else_is():
    values = resolved(np.array([[0.1, 0.1, -5.0, np.nan]]), ("gamma_gap", "valence_width", "level_1", "crossing_gap"))
    np.testing.assert_allclose(values[0], [np.log(1 + np.sqrt(2)), 0.1, -np.log(50 + np.sqrt(2501)), np.nan], rtol=1e-6)


@pytest.mark.parametrize(
    ("structure", "bounds", "reason"),
    [(SALT, BandSettings(max_orbitals=2, max_cheap_orbitals=7), "8 orbitals"),
     (prototype("cscl", (95, 13), 3.8), BandSettings(), "atomic number 95")],
)  # fmt: skip
def test_a_crystal_without_bands_has_nan_a_zero_flag_and_its_reason(structure, bounds, reason):
    on = featurize_one(structure, replace(OFF, bands=bounds))
    number = int(on.space_group[0])
    assert np.isnan(on.points[0, : len(space_group(number).kpoints), -len(BAND_POINT_COLUMNS) :]).all()
    for i, j, _ in joined_points(number):
        assert np.isnan(on.lines[0, [i, j], [j, i], -len(BAND_LINE_COLUMNS) :]).all()
    assert on.electrons[0, -len(ELECTRON_COLUMNS)] == 0 and np.isnan(on.electrons[0, -len(BAND_COLUMNS) :]).all()
    assert reason in on.band_reason[0]


def test_bands_are_written_as_they_come_and_read_back(tmp_path, monkeypatch):
    monkeypatch.setattr(MODULE, "BAND_CHUNK", 1)
    monkeypatch.setattr(MODULE, "BAND_SHARD", 2)
    settings = replace(OFF, bands=BandSettings(max_orbitals=8, max_cheap_orbitals=8, mesh=1))
    structures = [prototype("rocksalt", pair, 4.5) for pair in ((12, 8), (12, 16), (22, 7), (20, 8))]
    shards = []

    def stop_at_three(done):
        shards.append(len(list(tmp_path.rglob("*.npz"))))
        if done == 3:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        featurize(structures, settings, cache_dir=tmp_path, progress=stop_at_three)
    assert shards == [0, 0, 0, 1]
    steps = []
    first, kept, refused = featurize(structures, settings, cache_dir=tmp_path, progress=steps.append)
    assert steps == [3, 4] and len(kept) == 4 and not refused
    assert [bool(reason) for reason in first.band_reason] == [False, False, True, True]
    monkeypatch.setattr(MODULE, "featurize_one", None)  # nothing is computed again
    again, _, _ = featurize(structures, settings, cache_dir=tmp_path)
    for f in fields(Features):
        np.testing.assert_array_equal(getattr(again, f.name), getattr(first, f.name))


def test_a_cache_from_before_there_were_bands_is_read(tmp_path, monkeypatch):
    first, _, _ = featurize([SALT], OFF, cache_dir=tmp_path)
    (path,) = tmp_path.rglob("*.npz")
    with np.load(path) as shard:
        np.savez(path, **{name: shard[name] for name in shard.files if name != "band_reason"})
    monkeypatch.setattr(MODULE, "featurize_one", None)
    again, _, _ = featurize([SALT], OFF, cache_dir=tmp_path)
    np.testing.assert_array_equal(again.points, first.points)
    assert again.band_reason.tolist() == [""]


def test_one_process_has_one_thread_of_linear_algebra_and_gives_the_others_back(monkeypatch):
    def threads():
        return {library["num_threads"] for library in threadpool_info() if library["user_api"] == "blas"}

    if not threads():
        pytest.skip("the threads of this linear algebra cannot be seen")
    seen = []
    monkeypatch.setattr(MODULE, "CHUNK", 1)
    monkeypatch.setattr(MODULE, "featurize_one", lambda *given: seen.append(threads()) or featurize_one(*given))
    with threadpool_limits(2):
        featurize([SALT, prototype("rocksalt", (20, 8), 4.8)], OFF, progress=lambda done: seen.append(threads()))
    assert seen == [{2}, {1}, {2}, {1}, {2}]


def test_a_cache_that_is_only_looked_into_does_not_grow(tmp_path, monkeypatch):
    featurize([SALT], OFF, cache_dir=tmp_path)
    before = list(tmp_path.rglob("*.npz"))
    computed = []
    monkeypatch.setattr(MODULE, "featurize_one", lambda *given: computed.append(1) or featurize_one(*given))
    other = prototype("rocksalt", (20, 8), 4.8)
    _, kept, _ = featurize([SALT, other], OFF, cache_dir=tmp_path, keep=False)
    assert kept.tolist() == [0, 1] and computed == [1] and list(tmp_path.rglob("*.npz")) == before


def test_a_dask_cluster_featurises_to_the_same_arrays():
    """Through the backend that the caller chose: no more than dask, distributed and two of their processes."""
    distributed = pytest.importorskip("distributed", reason="dask and distributed are in requirements-bench.txt only")
    structures = [prototype("rocksalt", (12, 8), 4.2 + 0.01 * i) for i in range(MODULE.CHUNK)]
    structures.append(prototype("rocksalt", (12, 8), 0.5))
    here, kept, refused = featurize(structures, OFF)
    with (
        distributed.LocalCluster(n_workers=2, threads_per_worker=1, dashboard_address=None) as cluster,
        distributed.Client(cluster),
        parallel_config("dask"),
    ):
        there, *found = featurize(structures, OFF, workers=None)
    assert found[0].tolist() == kept.tolist() and found[1] == refused and len(refused) == 1
    for f in fields(Features):
        np.testing.assert_array_equal(getattr(there, f.name), getattr(here, f.name))
