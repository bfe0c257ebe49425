"""What `--mode=predict` costs a structure, and how much memory it takes, at growing numbers of structures.

    python -m benchmarks.screening [--counts=1000,5000,20000] [--chunk=1024] [--bands]

The structures are the embedded crystals, copied over and over with the lattice a little larger each time, in parquet
shards in a temporary folder; the run is of `configs/embedded.py` and untrained. Every count is predicted by a process
of its own, with one process that featurises. Times are processor time, so other jobs matter little. What a structure
costs is read between the smallest and the largest count: the start, and what compiling is left, cancel.
Linux only: the peak of the resident memory is read from /proc.
"""

import argparse
import contextlib
import io
import multiprocessing
import re
import shutil
import tempfile
import time
from collections.abc import Iterator
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
from ml_collections import ConfigDict

from benchmarks.untrained_run import untrained_run
from configs import embedded
from jaxboost import settings
from jaxboost.console import Stopwatch, duration, say
from jaxboost.crystal import Structure
from jaxboost.rows import split_table
from jaxboost.run_folder import write_json
from jaxboost.screening import CHUNK, predict

STAGES = {"read": "reading", "featurize": "featurising", "score": "scoring", "write": "writing"}
ON_PAPER = 10**8


@dataclass(frozen=True)
class Measured:
    """One prediction.

    Attributes:
      structures: how many.
      seconds: of processor, by stage.
      processor, wall: seconds of the whole process.
      peak: largest resident memory, MiB.
      size: of the output, bytes.
    """

    structures: int
    seconds: dict[str, float]
    processor: float
    wall: float
    peak: float
    size: int


def write_shards(folder: Path, structures: tuple[Structure, ...], count: int, shard: int) -> None:
    """`count` structures in files of `shard`; copy i of a structure is larger by i parts in 100,000."""
    folder.mkdir()
    for first in range(0, count, shard):
        numbers = range(first, min(first + shard, count))
        rows = [structures[number % len(structures)] for number in numbers]
        scales = [1 + 1e-5 * (number // len(structures)) for number in numbers]
        table = {
            "material_id": [f"s{number}" for number in numbers],
            "lattice": [(scale * row.lattice).ravel().tolist() for scale, row in zip(scales, rows, strict=True)],
            "atomic_numbers": [row.atomic_numbers.tolist() for row in rows],
            "frac_coords": [row.frac_coords.ravel().tolist() for row in rows],
        }
        pq.write_table(pa.table(table), folder / f"{first // shard:06d}.parquet")


def measure(workdir: Path, shards: Path, output: Path, count: int, chunk: int) -> Measured:
    """Predicts in this process, which must have done nothing before."""
    began, processor = time.perf_counter(), time.process_time()
    settings.start_jax()
    watch = Stopwatch(time.process_time)
    with contextlib.redirect_stdout(io.StringIO()):
        predict(workdir, [str(shards)], output, chunk=chunk, watch=watch)
    spent = time.process_time() - processor
    return Measured(count, watch.seconds, spent, time.perf_counter() - began, peak_memory(), output.stat().st_size)


def peak_memory() -> float:
    """Of this process until now, MiB."""
    # getrusage would not do: it counts what the parent held when this process began.
    (kibibytes,) = re.findall(r"VmHWM:\s+(\d+) kB", Path("/proc/self/status").read_text())
    return int(kibibytes) / 1024


def measurements(config: ConfigDict, folder: Path, counts: list[int], shard: int, chunk: int) -> Iterator[Measured]:
    """Of each count, as soon as it is known; a prediction of one chunk before them compiles the programs."""
    structures = split_table(config, folder / "run")[0].structures
    workdir = untrained_run(config, folder / "run")
    cache = folder / "cache"
    config.data.workers, config.data.cache_dir = 1, str(cache)
    write_json(workdir / "config.json", settings.plain(config))
    output = folder / "predicted.parquet"
    for number, count in enumerate([min(chunk, max(counts)), *counts]):
        shards = folder / f"shards{number}"
        write_shards(shards, structures, count, shard)
        # A small prediction is kept in the cache, which would make the next a look-up.
        shutil.rmtree(cache / settings.featurizer_settings(config).digest[:16], ignore_errors=True)
        context = multiprocessing.get_context("spawn")
        with ProcessPoolExecutor(1, mp_context=context) as pool:
            found = pool.submit(measure, workdir, shards, output, count, chunk).result()
        shutil.rmtree(shards)
        if number:
            yield found


def between(first: Measured, last: Measured) -> dict[str, float]:
    """Seconds of processor that one more structure takes, by stage and of the whole process."""
    more = last.structures - first.structures
    found = {name: (last.seconds[name] - first.seconds[name]) / more for name in STAGES}
    return found | {"all": (last.processor - first.processor) / more}


def main() -> None:
    """Predicts, prints, and multiplies."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--counts", default="1000,5000,20000", help="of structures, ascending, two or more")
    parser.add_argument("--crystals", type=int, default=2000, help="embedded crystals that are copied")
    parser.add_argument("--shard", type=int, default=1000, help="rows a parquet file")
    parser.add_argument("--chunk", type=int, default=CHUNK, help="as that of main.py")
    parser.add_argument("--bands", action="store_true", help="with config.tight_binding.enabled")
    arguments = parser.parse_args()
    counts = [int(count) for count in arguments.counts.split(",")]
    if len(counts) < 2 or counts != sorted(set(counts)):
        parser.error("--counts: give two numbers or more, ascending")

    config = embedded.get_config()
    config.data.embedded_crystals = arguments.crystals
    config.tight_binding.enabled = arguments.bands
    with tempfile.TemporaryDirectory() as folder:
        found = []
        for one in measurements(config, Path(folder), counts, arguments.shard, arguments.chunk):
            if not found:
                print("ms of processor a structure, the start included")
                print(f"{'structures':>10}{_titles()}{'wall, s':>10}{'peak, MiB':>11}")
            each = {name: one.seconds[name] / one.structures for name in STAGES} | {
                "all": one.processor / one.structures
            }
            print(f"{one.structures:>10}{_milliseconds(each)}{one.wall:>10.0f}{one.peak:>11.0f}", flush=True)
            found.append(one)
    first, last = found[0], found[-1]
    each = between(first, last)
    print(f"{'each more':>10}{_milliseconds(each)}{'':>10}{(last.peak - first.peak):>+11.0f}")
    print(f"{'a second':>10}" + "".join(f"{1 / each[name]:>13.0f}" for name in each), "(structures a core)")
    hours = {name: ON_PAPER * value / 3600 for name, value in each.items()}
    say(
        f"{ON_PAPER:,} such structures, on paper: {hours['all']:,.0f} core hours, of them featurising "
        f"{hours['featurize']:,.0f} and scoring {hours['score']:,.0f}; {duration(3600 * hours['all'] / 1000)} on 1,000 "
        f"cores that each take their shards; output {ON_PAPER * last.size / last.structures / 1e9:.1f} GB of parquet"
    )


def _titles() -> str:
    return "".join(f"{title:>13}" for title in [*STAGES.values(), "all"])


def _milliseconds(each: dict[str, float]) -> str:
    return "".join(f"{1e3 * each[name]:>13.3f}" for name in [*STAGES, "all"])


if __name__ == "__main__":
    main()
