"""Whether a run needs more memory the longer it trains.

    python -m benchmarks.steady_memory [--epochs=200]

The small run of the tests, for as many epochs, in a process of its own: what is resident after some of them.
"""

import argparse
import tempfile
import time
from pathlib import Path

from benchmarks.forked_main import Call, ForkedMain
from jaxboost.run_folder import read_log
from tests.trained_run import write_config

SHARES = (0.05, 0.1, 0.25, 0.5, 0.75, 1.0)


def resident(pid: int) -> float:
    """MiB of a process that are in memory."""
    lines = Path(f"/proc/{pid}/status").read_text().splitlines()
    return next(int(line.split()[1]) / 1024 for line in lines if line.startswith("VmRSS"))


def watch(call: Call, log: Path, epochs: int) -> list[tuple[int, float]]:
    """(epoch, MiB) at each of `SHARES` of the epochs."""
    found: list[tuple[int, float]] = []
    while Path(f"/proc/{call.pid}").exists() and len(found) < len(SHARES):
        rows = read_log(log)
        epoch = max((row["epoch"] for row in rows), default=0)
        if epoch >= SHARES[len(found)] * epochs:
            found.append((epoch, resident(call.pid)))
            print(f"epoch {epoch:>4}: {found[-1][1]:,.0f} MiB", flush=True)
        time.sleep(0.05)
    return found


def main() -> None:
    """Trains, watches, compares the second half with the first."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--epochs", type=int, default=200)
    epochs = parser.parse_args().epochs
    with tempfile.TemporaryDirectory() as folder, ForkedMain() as forked:
        place = Path(folder)
        kinds = [f"--config.{kind}.epochs={epochs}" for kind in ("kfold", "ensemble", "full")]
        kinds += [f"--config.{kind}.patience={epochs}" for kind in ("kfold", "ensemble")]
        arguments = (f"--config={write_config(place)}", f"--workdir={place / 'run'}", *kinds)
        call = forked.start(*arguments, "--config.population.checkpoint_every=50", log=place / "log")
        found = watch(call, place / "run" / "log.jsonl", epochs)
        if call.wait() != 0:
            raise SystemExit(call.said())
    if len(found) < len(SHARES):
        raise SystemExit("too few epochs were seen: give more")
    print(f"from half of the epochs to all: {found[-1][1] - found[3][1]:+.1f} MiB")


if __name__ == "__main__":
    main()
