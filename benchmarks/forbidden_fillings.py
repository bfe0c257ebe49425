"""Symmetry-enforced semimetals of a labelled table, found from the structures alone.

    python -m benchmarks.forbidden_fillings TABLE

A filling `nu mod m != 0` has no band insulator (Watanabe, Po, Zaletel, Vishwanath, PRL 117, 096404, 2016). `nu` and the
space group come from the structure. Where the table says itself how many electrons its own calculation had
(`valence_electrons`, `space_group_number`), the two are compared: what is missed, and what is found besides.
"""

import argparse
from collections import Counter
from pathlib import Path

import numpy as np
import pyarrow.parquet as pq

from configs import quick
from jaxboost.data.materials import read_table
from jaxboost.physics.filling import is_forbidden
from jaxboost.physics.space_groups import space_group
from jaxboost.rows import features_of


def forbidden(electrons: np.ndarray, groups: np.ndarray) -> np.ndarray:
    """[n] bool from [n] electrons (-1 unknown: False) and [n] space-group numbers."""
    return np.array(
        [nu >= 0 and is_forbidden(int(nu), space_group(int(g))) for nu, g in zip(electrons, groups, strict=True)]
    )


def main() -> None:
    """Prints the counts and the rows on which structure and table differ."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("table", type=Path, help="parquet, as of the README")
    path = parser.parse_args().table

    config = quick.get_config()
    config.data.path = str(path)
    config.tight_binding.enabled = False  # fillings need no bands
    table = read_table(path, label_column=config.data.label_column, classes=tuple(config.data.classes))
    dataset = features_of(config, table)
    features = dataset.features
    labels = np.array(dataset.classes)[dataset.labels]
    found = forbidden(features.valence_electrons, features.space_group)
    print(f"{len(dataset)} crystals, {len(dataset.rejected)} rejected")
    print(f"{found.sum()} with a forbidden filling, from the structures: {dict(Counter(labels[found].tolist()))}")

    columns = ("material_id", "valence_electrons", "space_group_number")
    if not set(columns) <= set(pq.read_schema(path).names):
        return
    stored = pq.read_table(path, columns=list(columns)).to_pydict()
    row_of = {name: row for row, name in enumerate(stored["material_id"])}
    rows = [row_of[name] for name in dataset.ids]
    electrons, groups = (np.array(stored[name])[rows] for name in columns[1:])
    listed = forbidden(electrons, groups)
    print(f"{listed.sum()} by the table's own columns: {dict(Counter(labels[listed].tolist()))}")
    print(f"{(listed & ~found).sum()} of these missed, {(found & ~listed).sum()} found besides:")
    print(f"{'':3}{'material':14}{'formula':18}{'class':9}{'group':>11}{'electrons':>15}   (structure, table)")
    for i in np.flatnonzero(found != listed):
        sign = "+" if found[i] else "-"
        group = f"{features.space_group[i]}, {groups[i]}"
        count = f"{features.valence_electrons[i]}, {electrons[i]}"
        print(f"{sign:3}{dataset.ids[i]:14}{dataset.formulas[i]:18}{labels[i]:9}{group:>11}{count:>15}")


if __name__ == "__main__":
    main()
