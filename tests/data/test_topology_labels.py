"""Files of labels: every form that a person may have, and a reason for each row that says nothing."""

import hashlib
import json

import pytest

from jaxboost.data import topology_labels as module
from jaxboost.data.topology_labels import Label, read_labels
from jaxboost.data.topomat import ALIASES, CLASSES
from jaxboost.errors import InputError

CSV = "material_id,topology,topology_without_soc\nmp-2,TI,HSP_SM\nmp-10,Triv_Ins,\nmvc-1,HSLSM,Triv_Ins\n"
LABELS = (Label("mp-2", "TI", "HSP_SM"), Label("mp-10", "trivial", None), Label("mvc-1", "HSLSM", "Triv_Ins"))
MATERIAE = [
    {
        "id": "MAT0001",
        "mp_id": "mp-2",
        "formula": "XY",
        "soc_topo_class": "TI",
        "nsoc_topo_class": "HSP_SM",
        "nelec": 8,
    },
    {"id": "MAT0002", "mp_id": "mp-10", "soc_topo_class": "Triv_Ins", "nsoc_topo_class": ""},
    {"id": "MAT0003", "mp_id": "mvc-1", "soc_topo_class": "HSL_SM", "nsoc_topo_class": "Triv_Ins"},
]


def read(folder, text, name="labels.csv", **options):
    path = folder / name
    path.write_bytes(text if isinstance(text, bytes) else text.encode())
    return read_labels(path, ALIASES, **options)


@pytest.mark.parametrize(
    "name,text",
    [
        ("a.csv", CSV),
        ("a.csv", "\ufeff" + CSV.replace("\n", "\r\n")),
        ("a.CSV", CSV.replace("mp-2,", " mp-2 ,")),
        ("a.json", json.dumps(MATERIAE)),
        ("a.json", json.dumps({"count": 3, "materials": MATERIAE})),
        ("a.jsonl", "\n".join(map(json.dumps, MATERIAE)) + "\n\n"),
    ],
)
def test_forms_of_one_file(tmp_path, name, text):
    found = read(tmp_path, text, name)
    assert found.labels == LABELS and found.rejected == () and found.rows == 3
    assert found.sha256 == hashlib.sha256(text.encode()).hexdigest()


def test_names_of_classes():
    assert {ALIASES[name] for name in ALIASES} == set(CLASSES) and all(ALIASES[name] == name for name in CLASSES)
    # As the database's web page has them.
    assert [ALIASES[name] for name in ("Triv_Ins", "TI", "TCI", "HSP_SM", "HSL_SM")] == list(CLASSES)
    assert "GM_SM" not in ALIASES


def test_a_row_that_says_nothing_usable_is_rejected_with_its_reason(tmp_path):
    text = CSV + "mp-3,GM_SM,\nmp-4,,TI\n,TI,\nSi,TI,\n../mp-5,TI,\nmp-6\nmp-7,TI,a,b,c\n"
    found = read(tmp_path, text)
    assert found.labels == (*LABELS, Label("mp-7", "TI", "a")) and found.rows == 10
    reasons = dict(found.rejected)
    assert "unknown class 'GM_SM'; known are 'trivial', 'TI'" in reasons["mp-3"]
    assert reasons["mp-4"] == reasons["mp-6"] == "no class with spin-orbit coupling"
    assert reasons["row 6"] == reasons["Si"] == reasons["../mp-5"] == "no id of the Materials Project, as mp-149"
    assert len(reasons) == len(found.rejected) == 6


def test_an_id_twice(tmp_path):
    found = read(tmp_path, CSV + "mp-2,TI,Triv_Ins\nmp-10,TCI,\nmp-10,trivial,\n")
    assert found.labels == (LABELS[0], LABELS[2])
    assert dict(found.rejected) == {
        "mp-2": "listed 2 times with one class: the first is kept",
        "mp-10": "listed 3 times with different classes: TCI, trivial",
    }


def test_fields_of_json_may_hold_anything(tmp_path):
    odd = [{"mp_id": value, "soc_topo_class": value} for value in (None, 5, 1.5, True, [1], {"a": 1}, "TI")]
    found = read(tmp_path, json.dumps(odd), "a.json")
    assert found.labels == () and len(found.rejected) == 7


def test_another_file_than_was_expected(tmp_path):
    total = hashlib.sha256(CSV.encode()).hexdigest()
    assert read(tmp_path, CSV, expect_sha256=f" {total.upper()} ").labels == LABELS
    with pytest.raises(InputError, match=f"its SHA-256 is {total}, not {64 * '0'}: this is another file"):
        read(tmp_path, CSV, expect_sha256=64 * "0")


@pytest.mark.parametrize(
    "name,text,reason",
    [
        ("a.csv", "", "no row"),
        ("a.csv", "material_id,topology\n", "no row"),
        (
            "a.csv",
            "id,topology\nmp-1,TI\n",
            "no field 'material_id' or 'mp_id'; there are: id, topology. The database's list",
        ),
        ("a.csv", "mp_id,class\nmp-1,TI\n", "no field 'topology' or 'soc_topo_class'; there are: class, mp_id$"),
        ("a.csv", b"mp_id,topology\nmp-1,\xff\n", "damaged, or no CSV"),
        ("a.csv", "mp_id,topology\nmp-1," + 200_000 * "x" + "\n", "damaged, or no CSV .field larger than"),
        ("a.json", '[{"mp_id": "mp-1"', "damaged, or no JSON"),
        ("a.json", 100_000 * "[", "damaged, or no JSON"),
        ("a.json", '{"mp-1": {}}', "neither a list nor an object that holds one under 'materials'"),
        ("a.json", "[1]", "entry 1 is no object"),
        ("a.jsonl", '{"mp_id": "mp-1", "topology": "TI"}\n[]', "entry 2 is no object"),
        ("a.xlsx", "x", "labels are read from .csv, .json, .jsonl files"),
        ("a.pkl", b"\x80\x04.", "labels are read from"),
    ],
)
def test_a_file_that_is_no_list_of_labels(tmp_path, name, text, reason):
    with pytest.raises(InputError, match=reason):
        read(tmp_path, text, name)


def test_a_file_that_is_absent_or_far_too_large(tmp_path, monkeypatch):
    for path in (tmp_path / "absent.csv", tmp_path):
        with pytest.raises(InputError, match="cannot be opened"):
            read_labels(path, ALIASES)
    monkeypatch.setattr(module, "LARGEST", 10)
    with pytest.raises(InputError, match="no file of labels is that large"):
        read(tmp_path, CSV)
