"""The embedded default: its classes by prototype, and what look-ups and boosted trees make of it.

    python -m benchmarks.embedded
    python -m benchmarks.embedded --workdir=runs/embedded    # the figures of a finished run beside it

Held-out figures are means over the folds of the training rows: settings are chosen on these, never on test rows.
"""

import argparse
import tempfile
from collections import Counter, defaultdict
from pathlib import Path

import numpy as np

from configs import embedded
from jaxboost.baselines import NAMES, baselines
from jaxboost.data.embedded import prototype_of
from jaxboost.errors import InputError
from jaxboost.rows import features_of, split_table, splits_of_rows
from jaxboost.run_folder import read_json


def main() -> None:
    """Prints the table's make-up and the baselines."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--crystals", type=int, default=embedded.get_config().data.embedded_crystals)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--folds", type=int, default=5, help="how many of the five")
    parser.add_argument("--workdir", type=Path, help="a finished run of configs/embedded.py")
    arguments = parser.parse_args()

    config = embedded.get_config()
    config.data.embedded_crystals, config.seed = arguments.crystals, arguments.seed
    with tempfile.TemporaryDirectory() as nowhere:
        table, splits = split_table(config, Path(nowhere))
    classes = np.array(table.classes)[table.labels]
    counts: dict[str, Counter] = defaultdict(Counter)
    for name, found in zip(table.ids, classes, strict=True):
        counts[prototype_of(name)][str(found)] += 1
    print(f"{'':22}" + "".join(f"{name:>9}" for name in table.classes))
    print(f"{'share, %':22}" + "".join(f"{100 * (classes == name).mean():9.1f}" for name in table.classes))
    for prototype, found in counts.items():
        print(f"{prototype:22}" + "".join(f"{found[name]:9}" for name in table.classes))

    dataset = features_of(config, table)
    splits = splits_of_rows(splits, dataset)
    held_out = []
    for fold in range(arguments.folds):
        train = np.flatnonzero((splits.fold >= 0) & (splits.fold != fold))
        held_out.append(
            baselines(dataset, train, np.flatnonzero(splits.fold == fold), config.seed, config.data.relatives)
        )
    print(f"\naccuracy, % (held out: the mean of {arguments.folds} folds){'held out':>12}{'test':>9}")
    metrics = read_json(arguments.workdir / "metrics.json") if arguments.workdir else {}
    if metrics and "baselines" not in metrics:
        raise InputError(f"{arguments.workdir}: a run on another table; give one of configs/embedded.py")
    on_test = metrics["baselines"] if metrics else {}
    for key, text in NAMES.items():
        mean = 100 * np.mean([found[key] for found in held_out])
        print(f"{text:46}{mean:12.2f}" + (f"{100 * on_test[key]:9.2f}" if on_test else ""))
    if metrics:
        single, best = metrics["out_of_fold"]["accuracy"], metrics["test"][metrics["best"]]["accuracy"]
        print(f"{'networks: one a fold; ' + metrics['best']:46}{100 * single:12.2f}{100 * best:9.2f}")


if __name__ == "__main__":
    main()
