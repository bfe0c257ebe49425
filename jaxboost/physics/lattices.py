"""Exact integer linear algebra of lattices: Smith invariants, rank and the lattice's own symmetry."""

from itertools import product

import numpy as np


def smith_form(matrix: np.ndarray) -> tuple[tuple[int, ...], list[list[int]]]:
    """The Smith normal form of an integer matrix, and the change of columns that leads to it.

    The quotient of `Z^n` by the span of the rows is `Z^(n - r) x Z_d1 x ... x Z_dr`. Python integers
    throughout, since intermediate entries outgrow 64 bits.

    Args:
        matrix: integers `[row, column]`, any shape; zero rows are allowed.

    Returns:
        The invariant factors `d_1 | d_2 | ... | d_r`, all positive, `r` the rank; and n vectors `v_i` `[column]`, a
        basis of `Z^n`, such that an integer vector b is in the span of the rows where `b v_i` is a multiple of `d_i`
        for `i <= r` and zero for the others.
    """
    rows = [[int(entry) for entry in row] for row in np.asarray(matrix)]
    columns = [[int(i == c) for i in range(np.shape(matrix)[1])] for c in range(np.shape(matrix)[1])]
    diagonal: list[int] = []
    vectors: list[list[int]] = []
    while any(any(row) for row in rows):
        # The smallest entry as pivot keeps numbers short; each round clears a cross or shrinks the pivot.
        _, i, j = min((abs(v), i, j) for i, row in enumerate(rows) for j, v in enumerate(row) if v)
        pivot = rows[i][j]
        for r, row in enumerate(rows):
            if r != i and row[j]:
                factor = row[j] // pivot
                rows[r] = [a - factor * b for a, b in zip(row, rows[i], strict=True)]
        if any(row[j] for r, row in enumerate(rows) if r != i):
            continue
        for c in range(len(rows[i])):
            if c != j:
                factor = rows[i][c] // pivot
                for row in rows:
                    row[c] -= factor * row[j]
                columns[c] = [a - factor * b for a, b in zip(columns[c], columns[j], strict=True)]
        if any(v for c, v in enumerate(rows[i]) if c != j):
            continue
        offender = next((r for r, row in enumerate(rows) if r != i and any(v % pivot for v in row)), None)
        if offender is not None:
            # An entry the pivot does not divide: fold its row in, and the next round finds a smaller pivot.
            rows[i] = [a + b for a, b in zip(rows[i], rows[offender], strict=True)]
            continue
        diagonal.append(abs(pivot))
        vectors.append(columns.pop(j))
        rows = [[v for c, v in enumerate(row) if c != j] for r, row in enumerate(rows) if r != i]
    return tuple(diagonal), vectors + columns


def torsion(matrix: np.ndarray) -> tuple[int, ...]:
    """Cyclic orders of the torsion of `Z^n / rows(matrix)`, each dividing the next; `()` when trivial."""
    return tuple(d for d in smith_form(matrix)[0] if d > 1)


def rank(matrix: np.ndarray) -> int:
    """Exact rank of an integer matrix `[row, column]`."""
    return len(smith_form(matrix)[0])


def generic_metric(rotations: np.ndarray) -> np.ndarray:
    """A metric tensor `[3, 3]` that `rotations` leave alone and that has no more symmetry than they force.

    Args:
        rotations: integer matrices `[operation, 3, 3]` acting on column coordinates, a whole group.
    """
    seed = np.array([[1.0, 0.0913, 0.0571], [0.0913, 1.2177, 0.1339], [0.0571, 0.1339, 1.4871]])
    return np.einsum("nji,jk,nkl->il", rotations, seed, rotations) / len(rotations)


def generic_lattice(rotations: np.ndarray) -> np.ndarray:
    """Lattice vectors as rows `[3, 3]` in which `rotations` are orthogonal: a root of `generic_metric`."""
    return np.linalg.cholesky(generic_metric(rotations))


def holohedry(rotations: np.ndarray) -> np.ndarray:
    """All point symmetries `[operation, 3, 3]` of a generic lattice that carries `rotations`."""
    metric = generic_metric(rotations)
    candidates = np.array(list(product((-1, 0, 1), repeat=9))).reshape(-1, 3, 3)
    kept = np.einsum("nji,jk,nkl->nil", candidates, metric, candidates)
    return candidates[np.all(np.abs(kept - metric) < 1e-9, axis=(1, 2))]
