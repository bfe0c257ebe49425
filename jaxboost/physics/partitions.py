"""Totals made of whole pieces: electrons that fill representations, each piece as large as a dimension."""

from collections.abc import Iterable
from math import comb, gcd

import numpy as np


def reachable(pieces: Iterable[tuple[int, int]], most: int) -> int:
    """Which totals can be made of whole pieces.

    Args:
        pieces: (size, how many there are).
        most: largest total of interest.

    Returns:
        An integer whose bit `n` says whether the total `n <= most` can be made.
    """
    sums, mask = 1, (1 << (most + 1)) - 1
    for size, count in pieces:
        count = min(count, most // size)
        taken = 1
        while count > 0:
            taken = min(taken, count)
            sums |= (sums << (size * taken)) & mask
            count -= taken
            taken *= 2
    return sums


def distance_to_reachable(sums: int, total: int) -> int:
    """How far `total` is from the nearest set bit of `sums` (zero is always one)."""
    below = total - ((sums & ((1 << (total + 1)) - 1)).bit_length() - 1)
    above = sums >> total
    return min(below, (above & -above).bit_length() - 1) if above else below


def log_ways(pieces: Iterable[tuple[int, int]], total: int) -> float:
    """`log(1 + ways)` to make `total` of distinguishable whole pieces (size, how many there are)."""
    pieces = [(size, count) for size, count in pieces if count]
    step = gcd(*(size for size, _ in pieces))
    if not step or total % step:
        return 0.0
    length, scale = total // step + 1, 0.0
    ways = np.zeros(length)
    ways[0] = 1.0
    for size, count in pieces:
        choices = np.zeros(length)
        most = min(count, total // size)
        choices[: most * size // step + 1 : size // step] = [comb(count, n) for n in range(most + 1)]
        ways = np.convolve(ways, choices)[:length]
        # Numbers of ways outgrow floating point; their largest is divided out.
        scale += np.log(ways.max())
        ways /= ways.max()
    return float(np.logaddexp(0.0, scale + np.log(ways[-1]))) if ways[-1] > 0 else 0.0
