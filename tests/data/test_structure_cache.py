"""What was fetched is used if it is what was written, and only then."""

import shutil
import subprocess

import pytest

from jaxboost.crystal import read_structure
from jaxboost.data.structure_cache import SUMS, StructureCache, sha256_of
from tests.crystals import prototype
from tests.data.fake_materials_project import as_dict

SALTS = {f"mp-{n}": prototype("rocksalt", (11, 17), 5 + 0.1 * n) for n in range(1, 4)}


@pytest.fixture
def cache(tmp_path):
    found = StructureCache(tmp_path / "new" / "cache")
    for name, structure in SALTS.items():
        found.add({name: as_dict(structure)})
    return found


def test_it_is_a_folder_of_structure_files_with_their_sums(cache):
    whole, damaged = cache.look()
    assert whole == {name: sha256_of(cache.path(name)) for name in SALTS} and damaged == []
    for name, structure in SALTS.items():
        assert read_structure(cache.path(name)).lattice.tolist() == structure.lattice.tolist()
    assert sorted(path.name for path in cache.folder.iterdir()) == [SUMS, *(f"{name}.json" for name in SALTS)]


@pytest.mark.skipif(shutil.which("sha256sum") is None, reason="no sha256sum here")
def test_the_sums_are_those_of_sha256sum(cache):
    done = subprocess.run(["sha256sum", "-c", "--strict", SUMS], cwd=cache.folder, capture_output=True, text=True)
    assert done.returncode == 0 and done.stdout.count(": OK") == 3


def test_no_folder_is_an_empty_cache(tmp_path):
    assert StructureCache(tmp_path / "absent").look() == ({}, [])


@pytest.mark.parametrize("place", range(0, 400, 37))
def test_a_flipped_bit_is_found_and_the_file_written_anew(cache, place):
    path = cache.path("mp-2")
    data = bytearray(path.read_bytes())
    data[place % len(data)] ^= 1
    path.write_bytes(data)
    whole, damaged = cache.look()
    assert set(whole) == {"mp-1", "mp-3"} and damaged == ["mp-2"]
    added = cache.add({"mp-2": as_dict(SALTS["mp-2"])})
    assert cache.look() == (whole | added, [])


def test_files_without_a_sum_and_sums_without_a_file_count_as_not_fetched(cache):
    cache.path("mp-9").write_bytes(cache.path("mp-1").read_bytes())  # killed before its sum was written
    cache.path("mp-3").write_bytes(b"")
    cache.path("mp-1").unlink()
    whole, damaged = cache.look()
    assert set(whole) == {"mp-2"} and damaged == ["mp-3", "mp-9"]


def test_a_line_that_a_kill_cut_short_spoils_no_other(cache):
    sums = cache.folder / SUMS
    sums.write_bytes(sums.read_bytes()[:-20])
    assert set(cache.look()[0]) == {"mp-1", "mp-2"}
    cache.add({"mp-4": as_dict(SALTS["mp-1"])})
    assert set(cache.look()[0]) == {"mp-1", "mp-2", "mp-4"}
    sums.write_bytes(b"\xff\x00 no sums at all\n" + sums.read_bytes())
    assert set(cache.look()[0]) == {"mp-1", "mp-2", "mp-4"}
