"""The same crystal from every kind of file and from the objects of pymatgen and ASE."""

import gzip
import json
from dataclasses import fields

import numpy as np
import pytest

from jaxboost.crystal import Structure, StructureError, as_structure, make_crystal, read_structure
from jaxboost.crystal.json_file import parse_json
from jaxboost.crystal.poscar_file import parse_poscar
from jaxboost.crystal.readers import structure_kind
from jaxboost.modalities.featurize import FeaturizerSettings, featurize_one
from tests.crystals import prototype, write_cif

SYMBOLS = ("Sr", "Ti", "O", "O", "O")
PEROVSKITE = prototype("perovskite", (38, 22, 8), 3.905)


class Fake:
    """An object with nothing but a method that gives a dictionary."""

    def __init__(self, name, held):
        setattr(self, name, lambda: held)


def pymatgen_dict(structure, symbols):
    sites = [
        {"species": [{"element": symbol, "occu": 1}], "abc": place.tolist()}
        for symbol, place in zip(symbols, structure.frac_coords, strict=True)
    ]
    return {"lattice": {"matrix": structure.lattice.tolist()}, "sites": sites}


def ase_dict(structure):
    positions = structure.frac_coords @ structure.lattice
    return {"cell": structure.lattice, "numbers": structure.atomic_numbers, "positions": positions, "pbc": [True] * 3}


def write_poscar(path, structure, symbols):
    rows = ["written by a test", "1.0", *(" ".join(map(repr, row)) for row in structure.lattice.tolist())]
    rows += [" ".join(symbols), " ".join("1" for _ in symbols), "Direct"]
    rows += [" ".join(map(repr, row)) for row in structure.frac_coords.tolist()]
    path.write_text("\n".join(rows) + "\n")
    return path


def assert_same(found, expected=PEROVSKITE):
    """The crystal, and every array that is made of it."""
    assert make_crystal(found).content_hash == make_crystal(expected).content_hash
    settings = FeaturizerSettings(cutoff=5.0, neighbors=8)
    left, right = featurize_one(found, settings), featurize_one(expected, settings)
    for field in fields(left):
        of_both = getattr(left, field.name), getattr(right, field.name)
        if of_both[0].dtype.kind == "f":
            np.testing.assert_allclose(*of_both, atol=1e-5, err_msg=field.name)
        else:
            assert of_both[0].tolist() == of_both[1].tolist(), field.name


def test_every_file_gives_the_same_crystal(tmp_path):
    files = [
        write_cif(tmp_path / "a.CIF", PEROVSKITE, SYMBOLS),
        write_poscar(tmp_path / "CONTCAR", PEROVSKITE, SYMBOLS),
        tmp_path / "pymatgen.json",
        tmp_path / "ase.json",
    ]
    files[2].write_text(json.dumps(pymatgen_dict(PEROVSKITE, SYMBOLS)))
    held = {name: np.asarray(value).tolist() for name, value in ase_dict(PEROVSKITE).items()}
    files[3].write_text(json.dumps(held))
    for file in [*files]:
        files.append(file.with_name(f"{file.name}.gz"))
        files[-1].write_bytes(gzip.compress(file.read_bytes()))
    for file in files:
        found = read_structure(file)
        assert make_crystal(found) == make_crystal(PEROVSKITE), file
        if file.suffix != ".gz":
            assert_same(found)


@pytest.mark.parametrize(
    ("name", "kind"),
    [
        ("a/b.cif", "CIF"),
        ("B.CIF", "CIF"),
        ("b.cif.gz", "CIF"),
        ("POSCAR", "POSCAR"),
        ("poscar-7.final", "POSCAR"),
        ("CONTCAR.gz", "POSCAR"),
        ("x.vasp", "POSCAR"),
        ("POSCAR.json", "JSON"),
        ("POSCAR.parquet", None),
        ("x.xyz", None),
        ("my_POSCAR", None),
        ("cif", None),
    ],
)
def test_names_tell_the_kind(name, kind):
    assert structure_kind(name) == kind


def test_what_cannot_be_read_is_refused_by_name(tmp_path):
    with pytest.raises(StructureError, match=r"a.xyz: cannot read this kind of file, only \*\.cif, POSCAR\*"):
        read_structure(tmp_path / "a.xyz")
    for name in ("a.cif.gz", "POSCAR.gz", "a.json.gz"):
        (tmp_path / name).write_bytes(b"no gzip")
        with pytest.raises(StructureError, match=f"{name}: "):
            read_structure(tmp_path / name)
        (tmp_path / name).write_bytes(gzip.compress(b"x" * 1000)[:-12])
        with pytest.raises(StructureError, match=f"{name}: "):
            read_structure(tmp_path / name)


@pytest.mark.filterwarnings("ignore::RuntimeWarning")
def test_damage_has_no_other_end_than_a_reason(tmp_path):
    """Every text is a structure or a `StructureError`: a file that is neither would stop all the others."""
    rng = np.random.default_rng(0)
    poscar = write_poscar(tmp_path / "POSCAR", PEROVSKITE, SYMBOLS).read_text()
    held = json.dumps(pymatgen_dict(PEROVSKITE, SYMBOLS))
    pieces = ["", "-", "1e999", "nan", "[]", "{}", "null", "\n", "9" * 30, '"x"', "\0", "T", "1 ", "S\n", "C\n"]
    found = []
    for parse, text in ((parse_poscar, poscar), (parse_json, held)) * 400:
        begin, length = rng.integers(len(text)), rng.integers(12)
        try:
            parse(text[:begin] + pieces[rng.integers(len(pieces))] + text[begin + length :])
            found.append("structure")
        except StructureError:
            found.append("reason")
    assert set(found) == {"structure", "reason"}


def test_objects_are_asked_for_their_dictionary(tmp_path):
    file = write_cif(tmp_path / "a.cif", PEROVSKITE, SYMBOLS)
    ase, pymatgen = ase_dict(PEROVSKITE), pymatgen_dict(PEROVSKITE, SYMBOLS)
    for found in (PEROVSKITE, file, str(file), ase, pymatgen, Fake("todict", ase), Fake("as_dict", pymatgen)):
        structure = as_structure(found)
        assert isinstance(structure, Structure) and make_crystal(structure) == make_crystal(PEROVSKITE)
    for found in (7, None, object(), Fake("as_dict", [1]), PEROVSKITE.lattice):
        with pytest.raises(TypeError, match=f"{type(found).__name__} is no structure"):
            as_structure(found)


def test_what_ase_writes(tmp_path):
    ase = pytest.importorskip("ase", reason="ase is not installed")
    from ase.io import write
    from ase.io.jsonio import encode

    atoms = ase.Atoms(SYMBOLS, cell=PEROVSKITE.lattice, scaled_positions=PEROVSKITE.frac_coords, pbc=True)
    assert_same(as_structure(atoms))
    write(tmp_path / "row.json", atoms)
    (tmp_path / "atoms.json").write_text(encode(atoms))
    write(tmp_path / "POSCAR", atoms, format="vasp", direct=True)
    write(tmp_path / "cartesian.vasp", atoms, format="vasp")
    write(tmp_path / "a.cif", atoms)
    for file in tmp_path.iterdir():
        assert_same(read_structure(file))
    write(tmp_path / "two.json", [atoms, atoms])
    with pytest.raises(StructureError, match="2 structures"):
        read_structure(tmp_path / "two.json")
    with pytest.raises(StructureError, match="molecule|repeat"):
        as_structure(ase.Atoms("H2", [[0, 0, 0], [0, 0, 0.74]]))
    atoms.info["occupancy"] = {"0": {"Sr": 0.5}}
    with pytest.raises(StructureError, match="partial occupancy"):
        as_structure(atoms)


def test_what_pymatgen_writes(tmp_path):
    core = pytest.importorskip("pymatgen.core", reason="pymatgen is not installed")
    structure = core.Structure(PEROVSKITE.lattice, SYMBOLS, PEROVSKITE.frac_coords)
    assert_same(as_structure(structure))
    charged = structure.copy().add_oxidation_state_by_element({"Sr": 2, "Ti": 4, "O": -2})
    assert_same(as_structure(charged))
    structure.to(str(tmp_path / "a.json"))
    structure.to(str(tmp_path / "a.cif"))
    structure.to(str(tmp_path / "POSCAR"), fmt="poscar")
    for file in tmp_path.iterdir():
        assert_same(read_structure(file))
    structure[0] = {"Sr": 0.5, "Ba": 0.5}
    with pytest.raises(StructureError, match=r"site 0 has (Sr 0.5 and Ba 0.5|Ba 0.5 and Sr 0.5)"):
        as_structure(structure)
    with pytest.raises(StructureError, match="molecule"):
        as_structure(core.Molecule(["H", "H"], [[0, 0, 0], [0, 0, 0.74]]))
