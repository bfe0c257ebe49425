"""Groups of rows in which a run's errors are counted."""

import numpy as np

from benchmarks.error_groups import by_edges, by_name, print_groups


def test_groups_of_whole_numbers_cover_all_of_them_once():
    values = np.array([1, 4, 5, 8, 9, 300])
    groups = by_edges(values, (1, 5, 9), "atoms")
    assert list(groups) == ["1 to 4 atoms", "5 to 8 atoms", "9 and more atoms"]
    assert np.stack(list(groups.values())).sum(axis=0).tolist() == [1] * 6
    assert groups["5 to 8 atoms"].tolist() == [False, False, True, True, False, False]


def test_names_stand_by_how_common_they_are():
    groups = by_name(np.array(["TI", "trivial", "trivial", "TCI", "trivial", "TI"]))
    assert list(groups) == ["trivial", "TI", "TCI"] and groups["TI"].tolist() == [
        True,
        False,
        False,
        False,
        False,
        True,
    ]


def test_a_line_has_the_share_of_errors_and_of_rows(capsys):
    right = np.array([1.0, 0.0, 0.0, 1.0])
    rows = {"first": np.array([True, True, False, False]), "empty": np.zeros(4, bool)}
    print_groups("half", rows, right, np.array(["A", "B", "C", "D"]))
    header, line = capsys.readouterr().out.strip().splitlines()
    assert header.split() == ["half", "rows", "accuracy", "of", "errors", "of", "rows"]
    assert line.split() == ["first", "2", "50.0", "+-", "50.0", "50.0%", "50.0%"]
