"""Fetching structures for a table: faults of the server, of the disk and of the process, and what stays of each."""

import os
import signal
import subprocess
import sys
import textwrap
import time
from pathlib import Path

import pytest

from jaxboost.run_folder import RunLock
from tests.crystals import prototype
from tests.data.fake_materials_project import KEY, hangs, serve, status
from tests.data.labelled_files import CRYSTALS, ROOT, process, rejected, sha256, sources, write_cifs, write_labels


def test_structures_are_fetched_once_and_kept(call, tmp_path):
    write_labels(tmp_path)
    write_cifs(tmp_path / "cifs", ["mp-1", "mp-2"])
    with serve(CRYSTALS, status(429, Retry_After="3"), status(500)) as fake:
        done, out, err = call("--labels=labels.csv", "--structures=cifs", f"--api={fake.url}", key=KEY)
        assert (done, err) == (0, "") and "attempt 2 of 6 in 3 s" in out and "asked for 38 of 38" in out
        first = sha256("materials.parquet")
        assert fake.asked == 3 * [list(CRYSTALS)[2:]]
        assert call("--labels=labels.csv", "--structures=cifs", f"--api={fake.url}")[0] == 0
        assert len(fake.asked) == 3 and sha256("materials.parquet") == first
    told = sources()["structures"]["sha256"]
    assert {"mp-1.cif", "mp-2.cif", "mp-3.json"} <= set(told) and len(told) == 40
    assert told["mp-3.json"] == sha256("materials.parquet.structures/mp-3.json")
    assert KEY not in "".join(path.read_text(errors="replace") for path in tmp_path.rglob("*") if path.is_file())


def test_what_was_fetched_is_enough_without_a_key_and_serves_as_a_folder(call, tmp_path, monkeypatch):
    write_labels(tmp_path)
    with serve(CRYSTALS) as fake:
        assert call("--labels=labels.csv", f"--api={fake.url}", key=KEY)[0] == 0
    first = sha256("materials.parquet")
    monkeypatch.delenv("MP_API_KEY")
    assert call("--labels=labels.csv")[0] == 0 and sha256("materials.parquet") == first
    arguments = ("--labels=labels.csv", "--structures=materials.parquet.structures", "--output=b.parquet")
    assert call(*arguments)[0] == 0 and sha256("b.parquet") == first


def test_a_flipped_byte_is_found_and_fetched_anew(call, tmp_path):
    write_labels(tmp_path)
    with serve(CRYSTALS) as fake:
        arguments = ("--labels=labels.csv", f"--api={fake.url}", "--cache=kept")
        assert call(*arguments, key=KEY)[0] == 0
        first, path = sha256("materials.parquet"), tmp_path / "kept" / "mp-3.json"
        data = path.read_bytes()
        place = data.index(b"0.5")
        path.write_bytes(data[:place] + b"0.4" + data[place + 3 :])  # still JSON, still a crystal
        done, out, _ = call(*arguments)
        assert done == 0 and "not what was fetched, and not used: mp-3 (1 in all)" in out
        assert fake.asked[1:] == [["mp-3"]]
    assert path.read_bytes() == data and sha256("materials.parquet") == first


def test_an_id_that_the_project_does_not_know_is_left_out(call, tmp_path):
    write_labels(tmp_path, extra="mp-900,TI,\n")
    with serve(CRYSTALS) as fake:
        assert call("--labels=labels.csv", f"--api={fake.url}", key=KEY)[0] == 0
        assert rejected() == {"mp-900": f"no structure: {fake.url} has none of that id (any more)"}


def test_a_server_that_stops_answering_loses_nothing(call, tmp_path):
    write_labels(tmp_path)
    with serve(CRYSTALS, lambda _: False, *(6 * [status(503, "maintenance")])) as fake:
        arguments = ("--labels=labels.csv", f"--api={fake.url}")
        done, _, err = call(*arguments, key=KEY, batch=15)
        assert done == 2 and "'maintenance'" in err and "kept in materials.parquet.structures" in err
        assert Path("materials.parquet.missing.txt").read_text().split() == list(CRYSTALS)[15:]
        assert not Path("materials.parquet").exists()  # a table of a part would pass for the whole
        before = len(fake.asked)
        assert call(*arguments)[0] == 0
        assert sum(fake.asked[before:], []) == list(CRYSTALS)[15:]
    assert sources()["table"]["rows"] == 40


def test_a_wrong_key_is_one_message(call, tmp_path):
    write_labels(tmp_path)
    with serve(CRYSTALS) as fake:
        done, out, err = call("--labels=labels.csv", f"--api={fake.url}", key="not-the-key")
    assert done == 2 and out == "" and "refuses the key in MP_API_KEY (HTTP status 401" in err and "***" in err
    assert "not-the-key" not in err and len(fake.asked) == 1 and not Path("materials.parquet").exists()


def test_an_http_address_of_another_machine_is_refused(call, tmp_path):
    write_labels(tmp_path)
    done, _, err = call("--labels=labels.csv", "--api=http://api.materialsproject.org", key=KEY)
    assert done == 2 and "by https alone" in err


@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGINT])
def test_interrupted_it_goes_on_where_it_was(tmp_path, number):
    """In the second of three requests; a third of the structures is there by then."""
    many = {f"mp-{n}": prototype("rocksalt", (11, 17), 4 + 0.01 * n) for n in range(1, 251)}
    write_labels(tmp_path, list(many))
    with serve(many, lambda _: False, *(9 * [hangs])) as fake:
        arguments = ("--labels=labels.csv", f"--api={fake.url}")
        begun = process(tmp_path, *arguments, key=KEY)
        until = time.monotonic() + 60
        while len(fake.asked) < 2 and begun.poll() is None and time.monotonic() < until:
            time.sleep(0.01)
        begun.send_signal(number)
        _, err = begun.communicate(timeout=60)
        assert len(fake.asked) == 2 and "Traceback" not in err
        assert begun.returncode == (-signal.SIGKILL if number == signal.SIGKILL else 130)
        assert not (tmp_path / "materials.parquet").exists()
        fake.faults.clear()
        again = process(tmp_path, *arguments, key=KEY)
        out, err = again.communicate(timeout=120)
        assert (again.returncode, err) == (0, "") and "250 rows" in out
        assert fake.asked[0] == list(many)[:100] and fake.asked[2:] == [list(many)[100:200], list(many)[200:]]


@pytest.mark.parametrize("beside", [True, False])
def test_a_table_of_before_is_whole_where_the_disk_is_full(call, tmp_path, beside):
    """A limit that the system enforces: no file as large as the one beside the table, or only the table too large."""
    write_labels(tmp_path)
    write_cifs(tmp_path / "cifs")
    assert call("--labels=labels.csv", "--structures=cifs")[0] == 0
    before = (tmp_path / "materials.parquet").read_bytes()
    largest = (tmp_path / "materials.parquet.sources.json").stat().st_size
    assert largest + 500 < len(before)
    limit = largest - 500 if beside else largest + 200
    program = textwrap.dedent("""
        import resource, sys
        from jaxboost.data.topomat import ALIASES
        from jaxboost.data.topomat_command import run
        resource.setrlimit(resource.RLIMIT_FSIZE, (int(sys.argv[1]), int(sys.argv[1])))
        sys.exit(run(["--labels=labels.csv", "--structures=cifs"], ALIASES))
    """)
    write_labels(tmp_path, list(CRYSTALS)[:39])
    environment = os.environ | {"PYTHONPATH": str(ROOT)}
    command = [sys.executable, "-c", program, str(limit)]
    done = subprocess.run(command, cwd=tmp_path, env=environment, capture_output=True, text=True)
    assert done.returncode == 2 and "Traceback" not in done.stderr and "File too large" in done.stderr
    assert (tmp_path / "materials.parquet").read_bytes() == before
    assert not list(tmp_path.rglob("*.tmp"))


def test_a_second_one_does_not_fetch_into_the_same_folder(call, tmp_path):
    write_labels(tmp_path)
    with serve(CRYSTALS) as fake, RunLock(tmp_path / "kept"):
        done, _, err = call("--labels=labels.csv", f"--api={fake.url}", "--cache=kept", key=KEY)
    assert done == 2 and "in use by another run" in err and "--cache" in err and fake.asked == []
