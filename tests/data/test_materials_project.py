"""Structures by id from a server that misbehaves: asked again after what passes, told plainly of what does not."""

import ast
import time
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime
from pathlib import Path

import numpy as np
import pytest

from jaxboost.crystal.json_file import structure_from_dict
from jaxboost.data import materials_project as module
from jaxboost.data.materials_project import MaterialsProject, Unreachable, fetch_structures, legacy_id
from jaxboost.errors import InputError
from tests.crystals import prototype
from tests.data.fake_materials_project import KEY, answers, cut_short, hangs, serve, status

SALTS = {f"mp-{n}": prototype("rocksalt", (11, 17), 5 + 0.1 * n) for n in range(1, 6)}


def fetch(fake, ids=tuple(SALTS), key=KEY, **options):
    """(what came, seconds waited, what was said)."""
    waits, said = [], []
    api = MaterialsProject(key, fake.url, **options)
    found = {}
    for part in fetch_structures(api, list(ids), sleep=waits.append, say=said.append):
        found |= part
    return found, waits, said


def test_structures_come_in_batches_with_the_key_in_a_header():
    with serve(SALTS) as fake:
        found, waits, said = fetch(fake, [*SALTS, "mp-99"], batch=4)
    assert set(found) == set(SALTS) and waits == said == []
    for name, structure in SALTS.items():
        read = structure_from_dict(found[name])
        np.testing.assert_array_equal(read.lattice, structure.lattice)
        np.testing.assert_array_equal(read.frac_coords, structure.frac_coords)
        np.testing.assert_array_equal(read.atomic_numbers, structure.atomic_numbers)
    assert fake.asked == [["mp-1", "mp-2", "mp-3", "mp-4"], ["mp-5", "mp-99"]]
    assert fake.keys == [KEY, KEY]
    assert fake.queries[1] == {
        "material_ids": "mp-5,mp-99", "_fields": "material_id,structure", "_limit": "2", "id_format": "legacy"
    }  # fmt: skip


def test_no_column_of_dft_is_asked_for():
    with serve(SALTS) as fake:
        fetch(fake)
    assert {query["_fields"] for query in fake.queries} == {"material_id,structure"}


@pytest.mark.parametrize(
    "fault,reason",
    [
        (status(500, "oops"), "HTTP status 500, 'oops'"),
        (status(503), "HTTP status 503"),
        (status(408), "HTTP status 408"),
        (cut_short, "IncompleteRead"),
        (answers(b'{"data": [{"material_id": "mp-1", "struc'), "JSONDecodeError"),
        (answers(b'{"data": "\xff"}'), "UnicodeDecodeError"),
        (answers(b"[" * 100_000), "RecursionError"),
        (hangs, "TimeoutError"),
    ],
)
def test_what_may_pass_is_asked_again_later_and_later(fault, reason):
    with serve(SALTS, fault, fault) as fake:
        found, waits, said = fetch(fake, timeout=0.3, first_wait=2.0)
    assert set(found) == set(SALTS) and waits == [2.0, 4.0]
    assert fake.asked == 3 * [list(SALTS)]
    assert reason in said[0] and "attempt 2 of 6 in 2 s" in said[0] and "attempt 3 of 6 in 4 s" in said[1]


def test_the_wait_that_the_server_asks_for_is_kept():
    then = format_datetime(datetime.now(UTC) + timedelta(seconds=100), usegmt=True)
    faults = [status(429, Retry_After="17"), status(429, Retry_After=then), status(503, Retry_After="soon")]
    with serve(SALTS, *faults) as fake:
        found, waits, _ = fetch(fake, first_wait=2.0)
    assert set(found) == set(SALTS)
    assert waits[0] == 17 and 90 < waits[1] <= 100 and waits[2] == 8.0  # the last says nothing: the own wait


def test_a_date_to_wait_for_is_held_against_the_clock_of_the_server():
    there = "Mon, 01 Jan 2001 00:00:00 GMT"
    faults = [
        status(429, Date=there, Retry_After="Mon, 01 Jan 2001 00:00:30 GMT"),
        status(429, Date=there, Retry_After="Sun, 31 Dec 2000 23:59:00 GMT"),
        status(429, Date="today", Retry_After=there),
        status(429, Date=there, Retry_After=there.removesuffix("GMT") + "-0000"),
    ]
    with serve(SALTS, *faults) as fake:
        found, waits, _ = fetch(fake, first_wait=2.0)
    assert set(found) == set(SALTS) and waits == [30.0, 0.0, 8.0, 0.0]


def test_a_wait_that_is_too_long_is_told():
    with serve(SALTS, status(429, "blocked", Retry_After="86400")) as fake, pytest.raises(Unreachable) as refused:
        fetch(fake)
    assert "'blocked'" in str(refused.value) and "asks to wait 86400 s" in str(refused.value)
    assert len(fake.asked) == 1


def test_it_gives_up_after_all_attempts():
    with serve(SALTS, *(9 * [status(502)])) as fake, pytest.raises(Unreachable, match="no usable answer in 3 attempts"):
        fetch(fake, attempts=3)
    assert len(fake.asked) == 3


def test_nobody_listens():
    with serve(SALTS) as fake:
        pass
    with pytest.raises(Unreachable, match="Connection refused"):
        fetch(fake, attempts=2)


@pytest.mark.parametrize("code", [401, 403])
def test_a_refused_key_is_told_at_once_and_stands_in_no_message(code):
    key = "wrong-key-42"
    with serve(SALTS, status(code, f"Invalid API key: {key}")) as fake, pytest.raises(InputError) as refused:
        fetch(fake, key=key)
    message = str(refused.value)
    assert (
        "refuses the key in MP_API_KEY" in message and f"HTTP status {code}" in message and module.KEY_PAGE in message
    )
    assert key not in message and key not in repr(MaterialsProject(key)) and len(fake.asked) == 1
    assert not isinstance(refused.value, Unreachable)


@pytest.mark.parametrize("code", [400, 404, 414, 422])
def test_a_request_that_is_wrong_is_not_repeated(code):
    with serve(SALTS, status(code, "no")) as fake, pytest.raises(InputError, match=f"status {code}.*may have changed"):
        fetch(fake)
    assert len(fake.asked) == 1


def test_the_key_follows_no_redirection():
    with serve(SALTS) as other, serve(SALTS, status(302, Location=f"{other.url}/materials/summary/")) as fake:
        with pytest.raises(InputError, match="status 302"):
            fetch(fake)
        assert other.keys == []


@pytest.mark.parametrize("data", [b"[]", b"{}", b'{"data": {}}', b'{"data": [1]}', b"null"])
def test_an_answer_of_another_form_is_told(data):
    with serve(SALTS, answers(data)) as fake, pytest.raises(InputError, match="another form"):
        fetch(fake)


def test_materials_that_were_not_asked_for_or_have_no_structure_are_left_out():
    data = b'{"data": [{"material_id": "mp-77", "structure": {}}, {"material_id": "mp-1", "structure": null}, {}]}'
    with serve(SALTS, answers(data)) as fake:
        assert fetch(fake)[0] == {}


def test_alphabetical_ids_are_understood():
    """The pairs are the project's own examples, of its documentation and of materialsproject/api#1025."""
    pairs = {"mp-aaaaaaft": "mp-149", "mp-lxf": "mp-8039", "mp-bru": "mp-1138", "aaaaaaft": "mp-149"}
    assert {name: legacy_id(name) for name in pairs} == pairs
    assert [legacy_id(name) for name in ("mp-149", "mvc-7", "None-", "")] == ["mp-149", "mvc-7", "None-", ""]
    letters = {"mp-1": "mp-aaaaaaab", "mp-2": "mp-c"}
    with serve(SALTS, rename=lambda name: letters.get(name, name)) as fake:
        assert set(fetch(fake)[0]) == set(SALTS)


@pytest.mark.parametrize("key", ["", "two words", "line\nbreak", "schlüssel"])
def test_what_is_no_key_is_told(key):
    with pytest.raises(InputError, match="MP_API_KEY is empty, or holds a blank"):
        MaterialsProject(key)


@pytest.mark.parametrize("url", ["http://api.materialsproject.org", "ftp://x", "api.materialsproject.org", ""])
def test_the_key_is_sent_to_no_other_machine_in_clear(url):
    with pytest.raises(InputError, match="by https alone"):
        MaterialsProject(KEY, url)
    MaterialsProject(KEY, "https://elsewhere.example")


def test_nothing_is_fetched_when_modules_are_imported():
    """Nothing but functions, classes, constants and imports stands in them; and a start without a key asks nobody."""
    for name in ("materials_project", "structure_cache", "topology_labels", "topomat_build", "topomat_command"):
        tree = ast.parse(Path(module.__file__).with_name(f"{name}.py").read_text())
        assert not [node for node in tree.body if isinstance(node, ast.Expr) and isinstance(node.value, ast.Call)]


def test_waits_are_real_where_no_other_is_given():
    with serve(SALTS, status(500)) as fake:
        began = time.monotonic()
        api = MaterialsProject(KEY, fake.url, first_wait=0.2)
        assert len(list(fetch_structures(api, ["mp-1"], say=lambda _: None))) == 1
    assert time.monotonic() - began >= 0.2
