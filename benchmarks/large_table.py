"""What a large table costs before anything is computed: reading it, and splitting it by formula.

    python -m benchmarks.large_table [--rows=200000] [--chunk=1024]

Rows are small cells of drawn elements, ten of a formula on average. Seconds are processor time; memory is the peak of a
process of its own: of one that reads and splits all, as training does, and of one that walks through, as prediction
does.
"""

import argparse
import multiprocessing
import resource
import tempfile
import time
from itertools import islice
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from configs import quick
from jaxboost.crystal import reduced_formula
from jaxboost.data.materials import read_table
from jaxboost.data.splits import make_splits
from jaxboost.inputs import find_inputs

CLASSES = ("trivial", "TI", "TCI")


def write_table(path: Path, rows: int) -> None:
    """Cells of 2 to 12 atoms."""
    rng = np.random.default_rng(0)
    atoms = rng.integers(2, 13, rows)
    ends = np.concatenate([[0], np.cumsum(atoms)])
    elements = rng.integers(1, 90, (max(rows // 10, 1), 3))[rng.integers(0, max(rows // 10, 1), rows)]
    numbers = np.take_along_axis(np.repeat(elements, atoms, axis=0), (np.arange(ends[-1]) % 3)[:, None], 1)[:, 0]
    lists = {
        "lattice": (np.arange(rows + 1) * 9, (np.eye(3) * rng.uniform(4, 9, (rows, 1, 1))).ravel()),
        "atomic_numbers": (ends, numbers),
        "frac_coords": (ends * 3, rng.random(3 * ends[-1])),
    }
    columns = {name: pa.ListArray.from_arrays(pa.array(at, pa.int32()), pa.array(x)) for name, (at, x) in lists.items()}
    labels = np.array(CLASSES)[rng.integers(0, len(CLASSES), rows)]
    pq.write_table(pa.table({"material_id": [f"m{i}" for i in range(rows)], **columns, "topology": labels}), path)


def read_and_split(path: Path) -> str:
    """All rows at once."""
    began = time.process_time()
    table = read_table(path, label_column="topology")
    read = time.process_time()
    formulas = [reduced_formula(structure.atomic_numbers) for structure in table.structures]
    splits = make_splits(formulas, table.labels, folds=quick.get_config().kfold.folds, classes=table.classes)
    split = time.process_time()
    parts = f"{(splits.fold >= 0).sum():,} train, {splits.vote.sum():,} vote, {splits.test.sum():,} test"
    return f"read {len(table):,} rows in {read - began:.1f} s, split them in {split - read:.1f} s ({parts})"


def walk_through(path: Path, chunk: int) -> str:
    """A chunk at a time."""
    began = time.process_time()
    rows, seen = find_inputs([str(path)]).read(), 0
    while part := list(islice(rows, chunk)):
        seen += len(part)
    return f"walked through {seen:,} rows in {time.process_time() - began:.1f} s"


def _measured(task: str, path: Path, chunk: int) -> None:
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    said = read_and_split(path) if task == "train" else walk_through(path, chunk)
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    print(f"{said}, peak {peak / 1024:,.0f} MiB, {before / 1024:,.0f} of them before", flush=True)


def main() -> None:
    """Writes the table and measures both."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rows", type=int, default=200_000)
    parser.add_argument("--chunk", type=int, default=1024)
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "large.parquet"
        write_table(path, arguments.rows)
        print(f"{arguments.rows:,} rows, {path.stat().st_size / 2**20:,.0f} MiB on disk", flush=True)
        for task in ("train", "predict"):
            process = multiprocessing.get_context("spawn").Process(target=_measured, args=(task, path, arguments.chunk))
            process.start()
            process.join()
            if process.exitcode:
                raise SystemExit(process.exitcode)


if __name__ == "__main__":
    main()
