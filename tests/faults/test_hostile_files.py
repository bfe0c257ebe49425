"""Row 19, and what the package never does: files that would run code, grow without end, or lead outside."""

import ast
import io
import logging
import pickle  # to write what must not be read
import re
import zipfile
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from jaxboost.array_file import UnreadableArrays, open_arrays
from jaxboost.data.embedded import EmbeddedSettings, embedded_table
from jaxboost.data.isopointal import read_reference
from jaxboost.data.materials import read_table
from jaxboost.errors import InputError
from jaxboost.inputs import find_inputs
from jaxboost.modalities.feature_cache import open_cache, structure_key
from jaxboost.modalities.featurize import FeaturizerSettings, featurize
from tests.crystals import prototype

ROOT = Path(__file__).parents[2]
SALT = prototype("rocksalt", (11, 17), 5.6)


class Trap:
    """Runs code when it is unpickled."""

    def __reduce__(self):
        return (pytest.fail, ("it was unpickled",))


def pickled_arrays(path: Path) -> Path:
    """An archive whose one array is a pickle."""
    np.savez(path, keys=np.array([Trap()], dtype=object))
    return path


def bomb(path: Path) -> Path:
    """A megabyte that would become 300."""
    block = np.zeros(1 << 20, np.uint8).tobytes()
    header = io.BytesIO()
    np.lib.format.write_array_header_1_0(header, {"descr": "|u1", "fortran_order": False, "shape": (300 << 20,)})
    with (
        zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED, compresslevel=1) as archive,
        archive.open("keys.npy", "w", force_zip64=True) as member,
    ):
        member.write(header.getvalue())
        for _ in range(300):
            member.write(block)
    return path


def test_arrays_are_read_as_they_were_written(tmp_path):
    np.savez(tmp_path / "a.npz", x=np.arange(3), names=np.array(["a", "b"]))
    with open_arrays(tmp_path / "a.npz") as stored:
        assert sorted(stored) == ["names", "x"] and stored["x"].tolist() == [0, 1, 2]


def test_what_is_pickled_damaged_or_swollen_is_refused(tmp_path):
    (tmp_path / "pickle.npz").write_bytes(pickle.dumps(Trap()))
    np.savez(tmp_path / "whole.npz", keys=np.arange(1000))
    whole = (tmp_path / "whole.npz").read_bytes()
    flipped = bytearray(whole)
    flipped[len(whole) // 2] ^= 1
    (tmp_path / "flipped.npz").write_bytes(flipped)
    (tmp_path / "torn.npz").write_bytes(whole[:-30])
    (tmp_path / "empty.npz").write_bytes(b"")
    pickled_arrays(tmp_path / "objects.npz")
    bomb(tmp_path / "bomb.npz")
    with zipfile.ZipFile(tmp_path / "claims.npz", "w") as archive:  # an array of a terabyte, in 128 bytes
        archive.writestr("keys.npy", whole[whole.index(b"\x93NUMPY") :][:118].replace(b"(1000,), ", b"(10**12,)"))
    for name in ("pickle", "flipped", "torn", "empty", "objects", "bomb", "claims", "absent"):
        with pytest.raises(UnreadableArrays, match=f"{name}.npz"), open_arrays(tmp_path / f"{name}.npz") as stored:
            stored["keys"]
        with pytest.raises(InputError, match=f"{name}.npz.*training command again"):
            read_reference(tmp_path / f"{name}.npz")


def test_names_in_an_archive_lead_nowhere(tmp_path):
    whole = io.BytesIO()
    np.save(whole, np.arange(3))
    with zipfile.ZipFile(tmp_path / "a.npz", "w") as archive:
        archive.writestr("../outside.npy", whole.getvalue())
        archive.writestr(str(tmp_path / "absolute.npy"), whole.getvalue())
    with open_arrays(tmp_path / "a.npz") as stored:
        assert all(stored[name].tolist() == [0, 1, 2] for name in stored)
    assert [path.name for path in tmp_path.iterdir()] == ["a.npz"]
    assert not (tmp_path.parent / "outside.npy").exists()


@pytest.mark.parametrize("hostile", [pickled_arrays, lambda path: path.write_bytes(b"PK\x03\x04"), Path.touch, bomb])
def test_a_hostile_file_in_the_cache_is_passed_over_and_made_anew(tmp_path, caplog, hostile):
    settings = FeaturizerSettings(neighbors=4, cutoff=5.0)
    folder = tmp_path / settings.digest[:16]
    expected, _, _ = featurize([SALT], settings, cache_dir=tmp_path)
    (good,) = folder.iterdir()
    good.unlink()
    hostile(folder / "hostile.npz")
    found, _, rejected = featurize([SALT], settings, cache_dir=tmp_path)
    assert "hostile.npz" in caplog.text and "computed again" in caplog.text and not rejected
    np.testing.assert_array_equal(found.scalars, expected.scalars)
    assert structure_key(SALT) in open_cache(folder, {structure_key(SALT)}).places


def test_a_hostile_embedded_table_is_made_anew(tmp_path, caplog):
    caplog.set_level(logging.WARNING)
    settings = EmbeddedSettings(0, 0)
    path = tmp_path / "embedded" / f"{settings.digest[:16]}.npz"
    path.parent.mkdir()
    pickled_arrays(path)
    with pytest.raises(InputError, match="above 0"):  # nothing is read where nothing is asked for
        embedded_table(settings, cache_dir=tmp_path, workers=1)
    from jaxboost.data import embedded

    assert embedded._read(path) == [] and "made anew" in caplog.text


def test_a_table_that_swells_in_memory_is_refused(tmp_path):
    """A column of one number many times takes some bytes of a file, however many times it is."""
    many = 1_000_000
    column = pa.ListArray.from_arrays(pa.array([0, many], pa.int32()), pa.array(np.zeros(many, np.int8)))
    lists = {"lattice": [[0.0] * 9], "frac_coords": [[0.0] * 3]}
    table = pa.table({"material_id": ["a"], **lists, "atomic_numbers": column, "topology": ["trivial"]})
    path = tmp_path / "bomb.parquet"
    pq.write_table(table, path, compression="zstd")
    assert path.stat().st_size < 10_000
    with pytest.raises(InputError, match="'atomic_numbers': 1,000,000 numbers in 1 rows"):
        read_table(path, label_column="topology")
    with pytest.raises(InputError, match="'atomic_numbers'"):
        find_inputs([str(path)])


def calls(tree: ast.AST):
    """(dotted name, call) of every call."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Call):
            yield ast.unparse(node.func), node


SOURCES = sorted([*ROOT.glob("jaxboost/**/*.py"), ROOT / "main.py", *ROOT.glob("configs/*.py")])
FORBIDDEN_MODULES = {"pickle", "cPickle", "dill", "cloudpickle", "shelve", "marshal", "yaml", "tarfile"}
FORBIDDEN_CALLS = {
    "eval", "exec", "compile", "__import__", "os.system", "os.popen", "joblib.load", "joblib.dump", "torch.load",
    "pd.read_pickle", "pandas.read_pickle", "shutil.unpack_archive", "np.fromfile",
}  # fmt: skip


@pytest.mark.parametrize("path", SOURCES, ids=lambda path: str(path.relative_to(ROOT)))
def test_no_module_unpickles_evaluates_or_unpacks(path):
    tree = ast.parse(path.read_text())
    for node in ast.walk(tree):
        names = [alias.name for alias in node.names] if isinstance(node, ast.Import) else []
        names += [node.module or ""] if isinstance(node, ast.ImportFrom) else []
        assert not {name.split(".")[0] for name in names} & FORBIDDEN_MODULES, path
    for name, call in calls(tree):
        assert name not in FORBIDDEN_CALLS, f"{path}:{call.lineno} calls {name}"
        assert not name.endswith((".extractall", ".extract")), f"{path}:{call.lineno}"
        if name in ("np.load", "numpy.load"):
            given = {keyword.arg: ast.unparse(keyword.value) for keyword in call.keywords}
            assert given.get("allow_pickle") == "False", f"{path}:{call.lineno} may unpickle"
        if name.rsplit(".", 1)[-1] == "Environment":
            given = {keyword.arg: ast.unparse(keyword.value) for keyword in call.keywords}
            assert given.get("autoescape") == "True", f"{path}:{call.lineno} does not escape"


def test_the_rules_see_what_they_forbid():
    source = "import pickle\nnp.load(path)\nx.extractall()\nEnvironment()\neval('1')\n"
    assert [name for name, _ in calls(ast.parse(source))] == ["np.load", "x.extractall", "Environment", "eval"]


def test_one_module_starts_a_program_and_it_is_always_the_same_one():
    """moyo in a process of its own; nothing of a structure is in the command."""
    starting = {
        path.relative_to(ROOT).as_posix(): [
            ast.unparse(call.args[0]) for name, call in calls(ast.parse(path.read_text())) if name == "subprocess.Popen"
        ]
        for path in SOURCES
        if re.search(r"\bsubprocess\b|\bos\.(exec|spawn|posix_spawn)", path.read_text())
    }
    assert starting == {"jaxboost/crystal/symmetry_search.py": ["[sys.executable, '-P', str(_PROGRAM)]"]}


def test_a_config_is_the_one_file_whose_code_is_run():
    """And `docs/reliability.md` says so: a config from a stranger is a program from a stranger."""
    running = {
        path.relative_to(ROOT).as_posix()
        for path in SOURCES
        for name, _ in calls(ast.parse(path.read_text()))
        if name.startswith("runpy.") or name.startswith("importlib.import_module")
    }
    assert running <= {"jaxboost/command_line.py"}
    assert "runs whatever is written in it" in " ".join((ROOT / "docs" / "reliability.md").read_text().split())
