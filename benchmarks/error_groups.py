"""Groups of rows and the errors that fall into each."""

from collections import Counter

import numpy as np

from jaxboost.reporting.metrics import paired_difference

Groups = dict[str, np.ndarray]
"""Name -> `[n]` bool, the rows in it."""


def by_edges(values: np.ndarray, edges: tuple[int, ...], unit: str) -> Groups:
    """Groups `a to b` of whole numbers [n] from the least of each; the last is open."""
    stops = [*edges[1:], None]
    return {
        f"{first} and more {unit}" if stop is None else f"{first} to {stop - 1} {unit}": (values >= first)
        & (values < (np.inf if stop is None else stop))
        for first, stop in zip(edges, stops, strict=True)
    }


def by_name(names: np.ndarray) -> Groups:
    """A group for each different name [n], the commonest first."""
    return {str(name): names == name for name, _ in Counter(names.tolist()).most_common()}


def print_groups(title: str, groups: Groups, right: np.ndarray, formulas: np.ndarray) -> None:
    """Prints a line for each group that has rows; `right` and `formulas` are of all rows [n]."""
    print(f"\n{title:34}{'rows':>7}{'accuracy':>16}{'of errors':>11}{'of rows':>9}")
    for name, rows in groups.items():
        if rows.any():
            mean, error = paired_difference(right[rows], np.zeros(rows.sum()), formulas[rows])
            shares = (~right[rows].astype(bool)).sum() / (right == 0).sum(), rows.mean()
            print(
                f"  {name:32}{rows.sum():7}{f'{100 * mean:.1f} +- {100 * error:.1f}':>16}"
                f"{100 * shares[0]:10.1f}%{100 * shares[1]:8.1f}%"
            )
