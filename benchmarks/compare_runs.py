"""Two finished runs on the same rows, paired: what a change of the configuration is worth.

    python -m benchmarks.compare_runs runs/one runs/other --data=TABLE

From the `predictions.csv` of both: accuracy of each grouping and log loss on the rows that both predicted, and the
difference other - one with a standard error that counts formulas, not rows. Out-of-fold rows are single fold models,
also shown fold by fold; vote and test rows are the best candidate of each run. The test rows choose nothing: tune on
the others.
"""

import argparse
import csv
from pathlib import Path

import numpy as np

from benchmarks.grouped_scores import grouped_scores, print_difference, print_header, print_means
from jaxboost.crystal import reduced_formula
from jaxboost.data.materials import read_table
from jaxboost.data.topomat import CLASSES
from jaxboost.errors import InputError
from jaxboost.run_folder import read_json


def read_predictions(run: Path) -> dict[tuple[str, str], tuple[str, dict[str, float]]]:
    """(split, id) -> (label, class -> probability)."""
    with open(run / "predictions.csv", newline="", encoding="utf-8") as file:
        return {
            (row["split"], row["material_id"]): (
                row["label"],
                {name[2:]: float(value) for name, value in row.items() if name.startswith("p_")},
            )
            for row in csv.DictReader(file)
        }


def scores(rows: list[tuple[str, dict[str, float]]]) -> np.ndarray:
    """`[row, len(SCORES)]` of rows as `read_predictions` has them."""
    classes = tuple(rows[0][1])
    probabilities = np.array([[found[name] for name in classes] for _, found in rows])
    return grouped_scores(probabilities, np.array([classes.index(label) for label, _ in rows]), classes)


def main() -> None:
    """Prints a table a split."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("one", type=Path)
    parser.add_argument("other", type=Path)
    parser.add_argument("--data", required=True, help="the table of both: its formulas")
    given = parser.parse_args()
    table = read_table(given.data, label_column="topology", classes=CLASSES)
    pairs = zip(table.ids, table.structures, strict=True)
    formula = {str(name): reduced_formula(structure.atomic_numbers) for name, structure in pairs}
    one, other = read_predictions(given.one), read_predictions(given.other)
    folds = [set(fold) for fold in read_json(given.one / "splits.json")["folds"]]
    if folds != [set(fold) for fold in read_json(given.other / "splits.json")["folds"]]:
        raise InputError(f"{given.one} and {given.other} have other folds: their out-of-fold rows do not compare")
    for split in dict.fromkeys(split for split, _ in one):
        both = [key for key in one if key[0] == split and key in other]
        if not both:
            raise InputError(f"{given.one} and {given.other} share no {split} row")
        formulas = np.array([formula[name] for _, name in both])
        results = [scores([side[key] for key in both]) for side in (one, other)]
        print_header(f"{split}: {len(both)}")
        for run, result in zip((given.one, given.other), results, strict=True):
            print_means(run.name, result)
        print_difference("difference", results[1], results[0], formulas)
        for k, fold in enumerate(folds if split == "train" else ()):
            rows = np.array([name in fold for _, name in both])
            print_difference(f"  of fold {k}", results[1][rows], results[0][rows], formulas[rows])


if __name__ == "__main__":
    main()
