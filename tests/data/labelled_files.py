"""Labels and structure files that tests write, and the command that makes a table of them."""

import csv
import hashlib
import json
import os
import subprocess
import sys
from pathlib import Path

from jaxboost.crystal.elements import SYMBOLS
from jaxboost.data.topomat import CLASSES
from tests.crystals import prototype, write_cif

ROOT = Path(__file__).parents[2]

_PAIRS = [(m, x) for m in (3, 11, 19, 37, 55) for x in (9, 17, 35, 53)]
CRYSTALS = {f"mp-{n}": prototype("rocksalt", pair, 4.5 + 0.1 * n) for n, pair in enumerate(_PAIRS, start=1)}
CRYSTALS |= {f"mp-{n + 100}": prototype("cscl", pair, 3 + 0.1 * n) for n, pair in enumerate(_PAIRS, start=1)}


def write_labels(folder, names=tuple(CRYSTALS), extra=""):
    """A file of labels, classes in turn, and further lines."""
    path = folder / "labels.csv"
    rows = [f"{name},{CLASSES[n % len(CLASSES)]},Triv_Ins\n" for n, name in enumerate(names)]
    path.write_text("material_id,topology,topology_without_soc\n" + "".join(rows) + extra)
    return path


def write_cifs(folder, names=tuple(CRYSTALS)):
    """A folder with the crystals of these ids."""
    folder.mkdir()
    for name in names:
        write_cif(folder / f"{name}.cif", CRYSTALS[name], [SYMBOLS[number] for number in CRYSTALS[name].atomic_numbers])
    return folder


def rejected(path="materials.parquet"):
    """id -> reason, of the labels without a row."""
    with open(f"{path}.rejected.csv", newline="") as file:
        rows = list(csv.DictReader(file))
    return {row["material_id"]: row["reason"] for row in rows}


def sources(path="materials.parquet"):
    """What is written down beside a table."""
    return json.loads(Path(f"{path}.sources.json").read_text())


def sha256(path):
    """Hex, of a file."""
    return hashlib.sha256(Path(path).read_bytes()).hexdigest()


def process(folder, *arguments, key=None):
    """The command as a process of its own."""
    environment = {name: value for name, value in os.environ.items() if name != "MP_API_KEY"}
    environment |= {"PYTHONPATH": str(ROOT), "PYTHONWARNINGS": "error"} | ({} if key is None else {"MP_API_KEY": key})
    command = [sys.executable, "-m", "jaxboost.data.topomat", *arguments]
    return subprocess.Popen(
        command, cwd=folder, env=environment, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    )
