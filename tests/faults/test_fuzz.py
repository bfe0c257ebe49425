"""A few of the inputs of `benchmarks/fuzz.py`, the same every time: used or refused, each with a reason."""

import pytest
from hypothesis import HealthCheck, given, settings

from benchmarks import fuzz

few = settings(max_examples=40, deadline=None, derandomize=True, database=None, suppress_health_check=list(HealthCheck))


@few
@given(fuzz.STRUCTURES)
def test_crystals(structure):
    assert fuzz.try_structure(structure)


@few
@given(fuzz.TABLES)
def test_tables(tmp_path_factory, table):
    assert fuzz.try_table(table, tmp_path_factory.getbasetemp() / "fuzzed.parquet")


@settings(few, max_examples=200)
@given(fuzz.CIF_BYTES)
def test_cif_files(tmp_path_factory, content):
    assert fuzz.try_cif(content, tmp_path_factory.getbasetemp() / "fuzzed.cif")


@pytest.mark.parametrize("content", fuzz.CIFS)
def test_what_is_changed_was_valid(tmp_path, content):
    assert fuzz.try_cif(content, tmp_path / "a.cif") == fuzz.ACCEPTED


def test_sound_crystals_and_tables_are_accepted():
    assert fuzz.try_structure(fuzz.draw_structure(1, 4, "box", "anywhere")) == fuzz.ACCEPTED
    refused = {
        cell: fuzz.kind_of(fuzz.try_structure(fuzz.draw_structure(1, 2, cell, "anywhere")))
        for cell in ("flat", "tiny", "huge")
    }
    assert fuzz.ACCEPTED not in refused.values()


def test_reasons_are_counted_by_their_kind():
    assert fuzz.kind_of("file: unknown element 'Qq' at site 'Q1'") == fuzz.kind_of(
        "file: unknown element 'X' at site 'b'"
    )
    assert fuzz.kind_of("8 atoms are listed") != fuzz.kind_of("no atom: give one")
