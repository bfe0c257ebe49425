"""What is printed: short lines, and durations that a person reads."""

import os
import pty
import re
import subprocess
import sys
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


def on_a_terminal(code: str) -> str:
    """What a terminal of 80 columns shows of standard error while `code` runs, standard output being a file."""
    controller, terminal = pty.openpty()
    size = {"COLUMNS": "80", "LINES": "24", "TERM": "xterm"}
    process = subprocess.Popen(
        [sys.executable, "-c", code], stderr=terminal, stdout=subprocess.PIPE, text=True, env=os.environ | size
    )
    os.close(terminal)
    shown = b""
    while True:
        try:
            part = os.read(controller, 4096)
        except OSError:  # the other end is closed
            break
        if not part:
            break
        shown += part
    os.close(controller)
    printed = process.communicate()[0]
    assert process.returncode == 0 and printed == "a line\n"
    return re.sub(r"\x1b\[[0-9;?]*[a-zA-Z]", "", shown.decode())


def test_on_a_terminal_the_bar_says_what_is_done_and_left_and_files_get_their_lines():
    shown = on_a_terminal(
        "import time\n"
        "from jaxboost.console import bar, say\n"
        "with bar('compiling', None) as move:\n"
        "    time.sleep(0.2)\n"
        "    move(250, total=1000, title='epoch 1/24, 9 members, best 0.5000')\n"
        "    say('a line')\n"
        "    time.sleep(0.2)\n"
    )
    assert "compiling" in shown and "?" not in shown
    assert "epoch 1/24, 9 members, best 0.5000" in shown and "250/1000" in shown and "a line" not in shown
    assert all(len(line) <= 80 for line in re.split(r"[\r\n]+", shown))
