"""A mistake on the command line is one clear message and exit status 2, before any compute."""

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest
from absl import flags
from ml_collections import config_flags

from jaxboost.command_line import HELP, RECIPES, asks_for_help, load_config, parse_flags, with_paths
from jaxboost.errors import InputError

ROOT = Path(__file__).parents[1]
# ml-collections 1.1 still loads the file by the old call.
pytestmark = pytest.mark.filterwarnings(r"ignore:the load_module\(\) method:DeprecationWarning")
QUICK = f"--config={ROOT / 'configs' / 'quick.py'}"


@pytest.fixture
def parse(monkeypatch):
    values = flags.FlagValues()
    config_flags.DEFINE_config_file("config", flag_values=values)
    flags.DEFINE_enum("mode", "train", ["train", "evaluate"], "", flag_values=values)
    flags.DEFINE_list("inputs", [], "", flag_values=values)

    def run(*arguments):
        argv = ["main.py", *arguments]
        monkeypatch.setattr(sys, "argv", argv)  # where config_flags looks for overrides
        return values, parse_flags(values, argv)

    return run


def test_a_right_line_is_taken(parse):
    values, rest = parse(QUICK, "--config.data.path=a.parquet", "--config.kfold.folds", "3", "--mode=evaluate", "b.cif")
    assert values.config.data.path == "a.parquet" and values.config.kfold.folds == 3
    assert values.mode == "evaluate" and rest[1:] == ["b.cif"]


def test_rules_can_be_emptied(parse):
    values, _ = parse(QUICK, "--config.data.rules={}", "--config.data.classes=()")
    assert len(values.config.data.rules) == 0 and values.config.data.classes == ()


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        ([QUICK, "--config.dat.path=x"], r"config.dat.path: there is no such field; did you mean config.data.path\?"),
        ([QUICK, "--config.data.pth=x"], r"did you mean config.data.path\?"),
        ([QUICK, "--config.data.pth", "x"], r"did you mean config.data.path\?"),
        ([QUICK, "--config.kfold=3"], "config.kfold is a section"),
        ([QUICK, "--config.kfold.folds=five"], "--config.kfold.folds=five: give a whole number, 2 or more"),
        ([QUICK, "--config.views.jitter=much"], "--config.views.jitter=much: give a number, 0 or more"),
        ([QUICK, "--mode=trian"], "--mode=trian: value should be one of <train|evaluate>"),
        ([QUICK, "--inpts=x"], "Unknown command line flag 'inpts'. Did you mean: inputs"),
        (["--config.data.path=x", QUICK], "give --config=FILE before it"),
        (["--config.data.path=x"], "give --config=FILE before it"),
        (["--config=configs/quik.py"], "configs/quik.py: no such file"),
        ([f"--config={ROOT / 'LICENSE'}"], "no usable Python file"),
        ([f"--config={ROOT / 'jaxboost' / 'errors.py'}"], r"needs a get_config\(\)"),
        (["--config"], "Missing value for flag --config"),
    ],
)
def test_a_mistake_is_one_message(parse, arguments, said):
    with pytest.raises(InputError, match=said):
        parse(*arguments)


def test_a_config_may_import_another_one(tmp_path, monkeypatch):
    monkeypatch.syspath_prepend(str(ROOT))  # as Python does for main.py
    file = tmp_path / "mine.py"
    file.write_text(
        "from configs import quick\ndef get_config():\n  c = quick.get_config()\n  c.seed = 5\n  return c\n"
    )
    assert load_config(str(file)).seed == 5
    file.write_text("def get_config():\n  return {}\n")
    with pytest.raises(InputError, match="returns a ConfigDict"):
        load_config(str(file))


def test_help_is_one_screen_and_leaves_no_flag_out():
    done = subprocess.run([sys.executable, str(ROOT / "main.py"), "--help"], capture_output=True, text=True)
    assert done.returncode == 0 and done.stdout == HELP + "\n"
    lines = HELP.splitlines()
    assert len(lines) <= 40 and max(map(len, lines)) <= 80
    source = (ROOT / "jaxboost" / "program.py").read_text()
    defined = re.findall(r'DEFINE_\w+\("(\w+)"', source)
    assert len(defined) >= 8 and [name for name in defined if name != "mode" and f"  --{name}" not in HELP] == []
    modes = re.search(r'DEFINE_enum\("mode", "train", \[(.*?)\]', source)[1]
    assert [mode for mode in re.findall(r"\w+", modes) if f"\n  {mode} " not in HELP] == []


@pytest.mark.parametrize(("arguments", "asked"), [(["--help"], True), (["a", "-h"], True), (["--", "--help"], False)])
def test_help_is_asked_for_before_the_inputs(arguments, asked):
    assert asks_for_help(["main.py", *arguments]) == asked


def test_a_recipe_of_the_package_goes_by_its_name(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    quick = str(RECIPES / "quick.py")
    assert with_paths(["jaxboost", "--config=quick", "--config.kfold.folds=3", "quick"]) == [
        "jaxboost", f"--config={quick}", "--config.kfold.folds=3", "quick",
    ]  # fmt: skip
    assert with_paths(["jaxboost", "-config", "quick", "--", "--config=quick"])[1:] == [
        "-config", quick, "--", "--config=quick",
    ]  # fmt: skip
    for other in ("--config=quik", "--config=__init__", "--config=configs/quick.py", "--config"):
        assert with_paths(["jaxboost", other]) == ["jaxboost", other]
    Path("quick").touch()
    assert with_paths(["jaxboost", "--config=quick"]) == ["jaxboost", "--config=quick"]


def test_where_no_configs_lie_a_wrong_name_is_answered_by_the_recipes(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    with pytest.raises(InputError, match=r"--config=quik: no such file; there are embedded, extreme, quick$"):
        load_config("quik")


@pytest.mark.parametrize("arguments", [["-m", "jaxboost"], ["-c", "from jaxboost.program import run; run()"]])
def test_an_installed_package_is_the_same_program(tmp_path, arguments):
    command = [sys.executable, *arguments, "--config=quick", "--config.data.path=nowhere.parquet"]
    done = subprocess.run(
        command, cwd=tmp_path, env=os.environ | {"PYTHONPATH": str(ROOT)}, capture_output=True, text=True
    )
    assert done.returncode == 2 and done.stdout == ""
    assert done.stderr.startswith("error: nowhere.parquet: no such file"), done.stderr


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        ([QUICK, "--config.data.pth=x"], "error: config.data.pth"),
        ([QUICK, "--config.vote.members=foo"], "error: config.vote.members = 'foo'"),
        ([QUICK, "--config.data.path=nowhere.parquet"], "error: nowhere.parquet: no such file"),
        (["--mode=predict"], "error: --mode=predict needs --workdir"),
    ],
)
def test_main_says_it_without_a_traceback(tmp_path, arguments, said):
    command = [sys.executable, str(ROOT / "main.py"), *arguments]
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True)
    assert done.returncode == 2 and done.stdout == ""
    assert done.stderr.startswith(said) and "Traceback" not in done.stderr
    assert all(len(line) <= 80 for line in done.stderr.splitlines())
