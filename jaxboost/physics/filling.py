"""What the electron count and the space group leave possible, without any calculation of bands.

H. Watanabe, H. C. Po, M. P. Zaletel, A. Vishwanath, Phys. Rev. Lett. 117, 096404 (2016), for the filling;
H. C. Po, A. Vishwanath, H. Watanabe, Nature Communications 8, 50 (2017), for the indicators. Spin-orbit
coupling and time reversal are assumed, no magnetism.
"""

from jaxboost.errors import InputError
from jaxboost.physics.partitions import reachable
from jaxboost.physics.space_groups import SpaceGroup

VERDICTS = ("metal", "semimetal", "trivial", "no semimetal", "no insulator", "undecided")
"""The codes of `verdict`, from the strongest statement to the weakest."""


def smallest_filling(group: SpaceGroup) -> int:
    """The bound: electrons in a primitive cell below which no atomic insulator has its bands full (but zero)."""
    return group.ebr_dims[0]


def has_atomic_insulator(valence_electrons: int, group: SpaceGroup) -> bool:
    """Whether some atomic insulator has this many electrons: a sum of dimensions of band representations.

    Then the filling is a multiple of the step, and with few exceptions the reverse holds: the multiples 4 in
    groups 199, 214; 4, 8, 20 in 220; 8 in 230. Band insulators can have those, so they are not forbidden.

    Args:
        valence_electrons: electrons in one primitive cell, zero or more.
        group: its space group.
    """
    pieces = [(dim, valence_electrons // dim) for dim in group.ebr_dims]
    return bool(reachable(pieces, valence_electrons) >> valence_electrons & 1)


def is_forbidden(valence_electrons: int, group: SpaceGroup) -> bool:
    """Whether no band insulator has this many electrons: `nu mod m != 0`.

    Args:
        valence_electrons: `nu`, electrons in one primitive cell.
        group: its space group; `m` is `group.filling_step`.

    Raises:
        InputError: where the count is negative or no whole number.
    """
    if not valence_electrons >= 0 or valence_electrons % 1 != 0:  # `not >=` catches NaN too
        raise InputError(
            f"{valence_electrons!r} valence electrons in a primitive cell: give a whole number, zero or more"
        )
    return int(valence_electrons) % group.filling_step != 0


def allowed_classes(valence_electrons: int, group: SpaceGroup) -> tuple[bool, bool, bool]:
    """Which of (trivial, topological insulator, semimetal) theory leaves possible.

    - A forbidden filling leaves only the semimetal (an odd count, by Kramers' theorem, only a metal: the
      same class).
    - A trivial X_BS excludes a topological (crystalline) insulator that symmetry eigenvalues could indicate.
    - Without freedom against the compatibility relations an allowed filling can't be an enforced semimetal.

    The rules speak of what symmetry eigenvalues can tell: a label found by other means may contradict them.

    Args:
        valence_electrons: electrons in one primitive cell.
        group: its space group.

    Raises:
        InputError: where the count is negative or no whole number.
    """
    if is_forbidden(valence_electrons, group):
        return False, False, True
    return True, group.indicator_order > 1, group.compatibility_freedom > 0


def verdict(valence_electrons: int, group: SpaceGroup) -> str:
    """The same as one of `VERDICTS`, for a column of a table.

    `metal`: odd count. `semimetal`: even count, forbidden. Else the filling is allowed, and `trivial`:
    neither other class is possible; `no semimetal` or `no insulator`: that one is excluded; `undecided`:
    nothing is.

    Args:
        valence_electrons: electrons in one primitive cell.
        group: its space group.

    Raises:
        InputError: where the count is negative or no whole number.
    """
    trivial, insulator, semimetal = allowed_classes(valence_electrons, group)
    if not trivial:
        return "metal" if valence_electrons % 2 else "semimetal"
    if insulator and semimetal:
        return "undecided"
    if insulator:
        return "no semimetal"
    return "no insulator" if semimetal else "trivial"
