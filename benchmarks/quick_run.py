"""A whole run from a cold start beside the same run with warm caches: seconds of each stage, both sides and the ratio.

    python -m benchmarks.quick_run
    python -m benchmarks.quick_run --config=configs/quick.py --data=path/to/materials.parquet

Both are `python main.py` in a process of its own and in folders that are removed at the end. The cold one finds no
cache: it makes or reads the table, featurises it and compiles. The warm one is another run, which finds the features
and the compiled programs of the first. The bar is 3 minutes for a cold run of `configs/embedded.py` on two cores, the
installation not counted; wall time, so it says something only where nothing else runs.
"""

import argparse
import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from jaxboost.environment import git_commit
from jaxboost.run_folder import read_json

ROOT = Path(__file__).parents[1]
STAGES = ("start", "featurize", "teach", "compile", "train", "evaluate", "rest", "all")
BAR = 180.0


def whole_run(config: str, overrides: list[str], workdir: Path, cache: Path) -> dict[str, float]:
    """Seconds of each of `STAGES` of one run, which must succeed."""
    command = [sys.executable, "main.py", f"--config={config}", f"--workdir={workdir}"]
    began = time.perf_counter()
    subprocess.run([*command, f"--config.data.cache_dir={cache}", *overrides], cwd=ROOT, check=True)
    wall = time.perf_counter() - began
    return stages(read_json(workdir / "metrics.json")["timing_s"], wall)


def stages(timing: dict[str, float], wall: float) -> dict[str, float]:
    """`timing_s` of a run that took `wall` seconds, with what came before it and what it does not name."""
    named = {name: timing[name] for name in ("featurize", "teach", "compile", "train", "evaluate")}
    rest = timing["total"] - sum(named.values())
    return {"start": wall - timing["total"], **named, "rest": rest, "all": wall}


def table(cold: dict[str, float], warm: dict[str, float]) -> list[str]:
    """Lines of both sides and their ratio; none where the warm one took no time that could be told."""
    lines = [f"{'seconds':12}{'cold':>10}{'warm':>10}{'cold / warm':>14}"]
    for name in STAGES:
        ratio = f"{cold[name] / warm[name]:.1f}" if warm[name] >= 0.05 else "-"
        lines.append(f"{name:12}{cold[name]:10.1f}{warm[name]:10.1f}{ratio:>14}")
    return lines


def main() -> None:
    """Runs twice, prints."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--config", default="configs/embedded.py")
    parser.add_argument("--data", default="", help="a labelled table; by default the crystals that a run makes")
    parser.add_argument("overrides", nargs="*", help="fields, after --, as -- --config.kfold.epochs=2")
    arguments = parser.parse_args()
    overrides = [f"--config.data.path={Path(arguments.data).absolute()}"] if arguments.data else []
    overrides += arguments.overrides
    with tempfile.TemporaryDirectory() as folder:
        place = Path(folder)
        cold, warm = (
            whole_run(arguments.config, overrides, place / name, place / "cache") for name in ("cold", "warm")
        )
    load = os.getloadavg()[2]
    print(f"\n{arguments.config} {' '.join(overrides)}".rstrip())
    print(f"commit {git_commit(ROOT)}; {os.cpu_count()} cores, load {load:.1f} over the last 15 minutes")
    print("\n".join(table(cold, warm)))
    if not overrides and Path(arguments.config).stem == "embedded":
        print(f"bar: cold in {BAR:.0f} s, {'held' if cold['all'] <= BAR else 'MISSED'}: {cold['all'] / BAR:.2f} of it")


if __name__ == "__main__":
    main()
