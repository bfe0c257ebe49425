"""What is printed: short lines, and durations that a person reads."""

import time

import pytest

from jaxboost.console import Stopwatch, bar, duration, say, silence, wrapped


def test_long_lines_are_broken_and_others_left_alone():
    text = "short\n  " + "word " * 40
    lines = wrapped(text).splitlines()
    assert lines[0] == "short" and max(map(len, lines)) <= 80
    assert lines[1].startswith("  word") and lines[2].startswith("    word")
    assert wrapped(text).split() == text.split()
    table = "a         b\n---------------\n1         2"
    assert wrapped(table) == table


def test_a_path_stays_whole():
    path = "/" + "very-long/" * 12
    assert path in wrapped(f"written to {path}").splitlines()[-1]


def test_say_prints_at_once(capsys):
    say("x " * 60)
    assert [len(line) <= 80 for line in capsys.readouterr().out.splitlines()] == [True, True]


@pytest.mark.parametrize(
    ("seconds", "text"), [(0, "0 s"), (95, "95 s"), (720, "12 min"), (12240, "3.4 h"), (181440, "2.1 days")]
)
def test_durations(seconds, text):
    assert duration(seconds) == text


def test_a_library_is_quiet_unless_it_is_asked(capsys, monkeypatch):
    monkeypatch.setattr("sys.stderr.isatty", lambda: True, raising=False)
    with silence(), silence(False), bar("working", 3) as progress:
        progress(1)
        say("inside")
    with silence(False):
        say("loud")
    say("after")
    assert capsys.readouterr() == ("loud\nafter\n", "")


def test_without_a_terminal_the_bar_is_silent(capfd):
    with bar("working", 3) as progress:
        progress(1)
    assert capfd.readouterr() == ("", "")


def test_the_stopwatch_adds_up_by_name():
    watch = Stopwatch()
    for _ in range(2):
        with watch.measure("train"):
            time.sleep(0.01)
    with pytest.raises(KeyError), watch.measure("evaluate"):
        raise KeyError
    assert watch.seconds["train"] >= 0.02 and set(watch.seconds) == {"train", "evaluate"}
    assert watch.total() >= sum(watch.seconds.values())
