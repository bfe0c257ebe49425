"""Where a finished run is wrong: its out-of-fold rows by class, symmetry, size, elements and what was known of them.

    python -m benchmarks.errors runs/quick --config=configs/quick.py --config.data.path=TABLE

A line a group: rows, accuracy of five classes in per cent with its standard error by formula, the share of all errors
that fall there, and the share of rows. A group whose share of the errors is well above that of the rows is where the
run is weak. The last table has the commonest confusions. Only rows that no member of the prediction was trained on are
read, and of those not the test rows.
"""

from collections import Counter
from pathlib import Path

import numpy as np
from absl import app
from ml_collections import config_flags

from benchmarks.compare_runs import read_predictions
from benchmarks.error_groups import Groups, by_edges, by_name, print_groups
from benchmarks.networks import load
from benchmarks.row_sets import FAMILIES, elements_of, with_family
from jaxboost.data.isopointal import find_relatives, make_reference
from jaxboost.errors import InputError
from jaxboost.evaluation import rules_of
from jaxboost.modalities import bands, electrons, valence_bands
from jaxboost.modalities.scalars import column_names

_CONFIG = config_flags.DEFINE_config_file("config", "configs/quick.py")

SIZES = (1, 5, 9, 13, 25, 49)
"""Least atoms of a primitive cell in each group of sizes."""


def main(arguments: list[str]) -> None:
    """Reads the predictions, groups, prints."""
    if len(arguments) != 2:
        raise InputError("give the folder of one finished run")
    table, dataset, splits = load(_CONFIG.value)
    found = read_predictions(Path(arguments[1]))
    rows = np.array([i for i in np.flatnonzero(splits.fold >= 0) if ("train", str(dataset.ids[i])) in found])
    if not len(rows):
        raise InputError(f"{arguments[1]}: no out-of-fold prediction of a row of this table")
    classes, features = np.array(dataset.classes), dataset.features.take(rows)
    chosen = [found["train", str(name)][1] for name in dataset.ids[rows]]
    guess = np.array([max(one, key=lambda name: one[name]) for one in chosen])
    confidence = np.array([max(one.values()) for one in chosen])
    truth, formulas = classes[dataset.labels[rows]], dataset.formulas[rows]
    right = (guess == truth).astype(float)
    print(f"{len(rows)} out-of-fold rows, {100 * right.mean():.2f}% right, {int((right == 0).sum())} errors")

    names = column_names()
    systems = [name for name in names if name.startswith("system_")]
    system = np.array(systems)[features.scalars[:, [names.index(name) for name in systems]].argmax(axis=1)]
    inversion = features.scalars[:, names.index("inversion")] > 0
    atoms = np.add.reduceat(features.multiplicity, features.offset[:-1])
    elements = elements_of(table, dataset.kept[rows])
    relatives = find_relatives(features, make_reference(dataset.features, dataset.labels, rows), 64)
    for title, groups in {
        "class": by_name(truth),
        "what symmetry and filling allow": by_name(np.array(rules_of(dataset.features, rows))),
        "crystal system": by_name(np.char.replace(system, "system_", "")),
        "inversion": {"yes": inversion, "no": ~inversion},
        "primitive cell": by_edges(atoms, SIZES, "atoms"),
        "bands": band_groups(features.electrons, truth, classes),
        "isopointal relatives": by_edges((relatives.index >= 0).sum(axis=1), (0, 1, 5, 20, 64), "crystals"),
        "with": {name: with_family(elements, family) for name, family in FAMILIES.items()},
        "confidence": {
            f"{low:.2f} to {high:.2f}": (confidence > low) & (confidence <= high)
            for low, high in ((0.0, 0.5), (0.5, 0.7), (0.7, 0.9), (0.9, 0.98), (0.98, 1.0))
        },
    }.items():
        print_groups(title, groups, right, formulas)
    print(f"\n{'truth taken for':34}{'rows':>7}{'of errors':>11}")
    wrong = Counter(zip(truth[right == 0].tolist(), guess[right == 0].tolist(), strict=True))
    for (label, taken), count in wrong.most_common(8):
        print(f"  {f'{label} for {taken}':32}{count:7}{100 * count / (right == 0).sum():10.1f}%")


def band_groups(electron_columns: np.ndarray, truth: np.ndarray, classes: np.ndarray) -> Groups:
    """Rows by what tight binding knows of them; without bands among the features all are 'none'."""
    start = len(electrons.COLUMNS) + len(valence_bands.CRYSTAL_COLUMNS)
    if electron_columns.shape[1] == start:
        return {"none": np.ones(len(truth), bool)}
    column = lambda name: electron_columns[:, start + bands.ELECTRON_COLUMNS.index(name)]  # noqa: E731
    known = column("bands_known") > 0
    whole = known & (column("spin_orbit") > 0)
    rule = classes[np.stack([np.nan_to_num(column(f"rule_{name}")) for name in classes], axis=1).argmax(axis=1)]
    return {
        "none": ~known,
        "without spin-orbit coupling": known & ~whole,
        "whole, their rule is right": whole & (rule == truth),
        "whole, their rule is wrong": whole & (rule != truth),
    }


if __name__ == "__main__":
    app.run(main)
