"""A cache that exists stays valid: its folder, its keys and its arrays keep their names."""

from dataclasses import fields, replace

import numpy as np

from jaxboost.modalities.feature_cache import FeatureCache, open_cache, structure_key
from jaxboost.modalities.features import Features
from jaxboost.modalities.featurize import FeaturizerSettings, featurize, featurize_one
from tests.crystals import prototype

SETTINGS = FeaturizerSettings(neighbors=6, cutoff=5.0)
SALT, GALLIUM_ARSENIDE = prototype("rocksalt", (12, 8), 4.21), prototype("zincblende", (31, 33), 5.65)
TOO_CLOSE = prototype("rocksalt", (12, 8), 0.5)
SALT_KEY = "3adc2fa1161a51fb50a933cf82afb7bc2804f0bfbb6e4b0b129ef5b9fef4c771"


def test_the_digest_and_the_keys_are_those_of_the_caches_that_exist():
    # A new `featurize.VERSION` makes another digest, and only that should.
    assert FeaturizerSettings().digest == "3863a872bf17913201bf17d0d956a5ba0b22b1e82a435b36dfa6ab61b2674ad0"
    assert structure_key(SALT) == SALT_KEY
    moved = replace(SALT, frac_coords=SALT.frac_coords + 1e-9)
    assert len({structure_key(one) for one in (SALT, moved, GALLIUM_ARSENIDE, TOO_CLOSE)}) == 4


def test_a_file_of_the_cache_holds_the_arrays_the_keys_and_the_reasons(tmp_path):
    _, _, ((_, reason),) = featurize([SALT, TOO_CLOSE], SETTINGS, cache_dir=tmp_path)
    (path,) = (file for file in tmp_path.rglob("*") if file.is_file())
    assert path.parent == tmp_path / SETTINGS.digest[:16]
    with np.load(path, allow_pickle=False) as shard:
        further = {"keys", "refused_keys", "refused_reasons"}
        assert set(shard.files) == {f.name for f in fields(Features)} | further
        assert shard["keys"].tolist() == [SALT_KEY.encode()]
        assert shard["refused_keys"].tolist() == [structure_key(TOO_CLOSE).encode()]
        assert shard["refused_reasons"].tolist() == [reason]


def test_what_is_asked_for_comes_from_several_files_in_the_order_asked(tmp_path):
    tables = {name: featurize_one(structure, SETTINGS) for name, structure in (("a", SALT), ("b", GALLIUM_ARSENIDE))}
    written = FeatureCache(tmp_path / "new")
    written.add([("a", tables["a"]), ("x", "no crystal")])
    written.add([("b", tables["b"])])
    for cache in (written, open_cache(tmp_path / "new", {"a", "b", "x"})):
        assert [key in cache for key in "abxy"] == [True, True, True, False]
        assert cache.refused == {"x": "no crystal"}
        assert cache.take(["b", "a", "b"]).formula.tolist() == ["AsGa", "MgO", "AsGa"]
    assert list(open_cache(tmp_path / "new", {"b"}).places) == ["b"]


def test_without_a_folder_all_is_in_memory(tmp_path):
    cache = open_cache(None, {"a"})
    cache.add([("a", featurize_one(SALT, SETTINGS))])
    assert len(cache.take(["a"])) == 1 and "a" in cache
    assert not open_cache(tmp_path / "nowhere", {"a"}).places and not list(tmp_path.iterdir())
