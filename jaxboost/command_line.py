"""The command line, read so that a mistake on it is one clear message."""

from __future__ import annotations

import re
import runpy
from collections.abc import Sequence
from pathlib import Path

from absl import flags
from ml_collections import ConfigDict

from jaxboost.errors import InputError
from jaxboost.limits import LIMITS, unknown_field

RECIPES = Path(__file__).parent / "configs"
"""Of the package: `--config=quick` names the one in `quick.py`, where no file has that name."""

HELP = """\
jaxboost: the topological class of a material from its crystal structure alone.

python main.py [--mode=MODE] [flags] [inputs]      (installed: jaxboost ...)

modes
  train     trains the recipe of --config and scores it (the default); the same
            command started again goes on where the first was stopped
  evaluate  scores the run in --workdir on its test rows, or on the labelled
            tables that --inputs names
  predict   tells the classes of the structures that --inputs names, by the run
            in --workdir
  doctor    says whether this machine can do all that, and what to mend

flags
  --config=FILE     recipe: configs/embedded.py (makes its own crystals),
                    configs/quick.py (two CPU cores), configs/extreme.py;
                    their names alone will do: --config=quick
  --config.SECTION.FIELD=VALUE
                    another value; jaxboost/configs/extreme.py explains all
  --workdir=FOLDER  of the run; by default runs/<name of the config>
  --inputs=PATH,... CIF, POSCAR or JSON files, parquet tables, folders, globs;
                    they may also follow the flags
  --output=FILE     where predict writes: a .parquet table, or CSV
  --chunk=1024      structures that predict has in memory at a time
  --strict          stop at the first structure that cannot be used
  --allow_partial   vote without the members that are missing
  --distributed     train as one of several processes (docs/tpu_vm.md)

examples
  python main.py --config=configs/embedded.py
  python main.py --config=configs/quick.py --config.data.path=table.parquet
  python main.py --mode=predict --workdir=runs/quick --output=out.csv cifs/*.cif
  python main.py --mode=doctor"""


def asks_for_help(argv: Sequence[str]) -> bool:
    """Whether `argv` asks for `HELP`; --helpfull is left to absl, which lists the flags of all libraries too."""
    flags_given = argv[1 : argv.index("--") if "--" in argv else None]
    return any(argument in ("--help", "-help", "-h", "--helpshort", "-?") for argument in flags_given)


def parse_flags(values: flags.FlagValues, argv: Sequence[str]) -> list[str]:
    """Parses `argv` into `values`, which has a config file's flag named `config`; returns what are no flags.

    Raises:
      InputError: an unknown flag or field, a value of the wrong type, a config file that gives no config.
    """
    path, fields = _config_arguments(argv)
    if fields and path is None:
        raise InputError(f"--config.{fields[0]} changes a config: give --config=FILE before it, as configs/quick.py")
    if path is not None:
        load_config(path)  # config_flags would say less, and later
    wrong = [unknown_field(name) for name in fields if name not in LIMITS]
    if wrong:
        raise InputError("\n".join(wrong))
    try:
        return values(argv)
    except flags.IllegalFlagValueError as error:
        field = re.match(r"flag --config\.([\w.]+)=(.*?): ", str(error))
        if field is None:
            raise InputError(f"{error}; see --help") from error
        name, value = field.groups()
        raise InputError(f"--config.{name}={value}: give {LIMITS[name].text}") from error
    except flags.Error as error:
        raise InputError(f"{error}; see --help") from error


def with_paths(argv: Sequence[str]) -> list[str]:
    """`argv` with the name of a recipe of the package, as in `--config=quick` or `--config quick`, made its path."""
    found = list(argv)
    end = found.index("--") if "--" in found else len(found)
    for place, argument in enumerate(found[:end]):
        flag, is_joined, name = argument.partition("=")
        if flag in ("--config", "-config") and is_joined:
            found[place] = f"{flag}={_path_of(name)}"
        elif flag in ("--config", "-config") and place + 1 < end:
            found[place + 1] = _path_of(found[place + 1])
    return found


def _path_of(recipe: str) -> str:
    """The package's file of that name, if there is one and no file is called so; else what was given."""
    file = RECIPES / f"{recipe}.py"
    return str(file) if recipe in _recipes() and not Path(recipe).is_file() else recipe


def _recipes() -> list[str]:
    return sorted(file.stem for file in RECIPES.glob("[!_]*.py"))


def load_config(path: str) -> ConfigDict:
    """What `get_config()` of a Python file returns.

    Raises:
      InputError: no such file, no Python, no `get_config`, or it returns something else.
    """
    if not Path(path).is_file():
        nearby = sorted(str(file) for file in Path("configs").glob("[!_]*.py")) or _recipes()
        raise InputError(f"--config={path}: no such file; there are {', '.join(nearby)}")
    try:
        get_config = runpy.run_path(path).get("get_config")
    except (SyntaxError, UnicodeDecodeError, ImportError) as error:
        raise InputError(f"--config={path}: no usable Python file ({error}); see configs/quick.py") from error
    config = get_config() if callable(get_config) else None
    if not isinstance(config, ConfigDict):
        raise InputError(f"--config={path}: it needs a get_config() that returns a ConfigDict; see configs/quick.py")
    return config


def _config_arguments(argv: Sequence[str]) -> tuple[str | None, list[str]]:
    """The file that --config names, and the fields that are overridden after it."""
    path = None
    fields: list[str] = []
    for place, argument in enumerate(argv):
        if argument == "--":
            break
        if argument in ("--config", "-config"):
            path = argv[place + 1] if place + 1 < len(argv) else None
        elif found := re.match(r"--?config=(.*)", argument):
            path = found[1]
        elif found := re.match(r"--?config\.([^=]+)", argument):
            fields.append(found[1])
            if path is None:
                break
    return path, fields
