"""jaxboost as a program: its flags and modes; the story is in jaxboost/recipe.py."""

import logging
import sys
from pathlib import Path

from absl import app, flags
from ml_collections import config_flags

from jaxboost.command_line import HELP, asks_for_help, parse_flags, with_paths
from jaxboost.console import wrapped
from jaxboost.environment import found_devices
from jaxboost.errors import InputError
from jaxboost.limits import check_config
from jaxboost.run_folder import explained

_CONFIG = config_flags.DEFINE_config_file("config", None, "recipe to train, as configs/quick.py or quick")
_MODE = flags.DEFINE_enum("mode", "train", ["train", "evaluate", "predict", "doctor"], "what to do")
_WORKDIR = flags.DEFINE_string("workdir", None, "folder of the run; by default runs/<config.name>")
_INPUTS = flags.DEFINE_list("inputs", [], "what to evaluate or predict; may follow the flags too")
_OUTPUT = flags.DEFINE_string("output", None, "where --mode=predict writes: a .parquet table, or CSV")
_CHUNK = flags.DEFINE_integer("chunk", 1024, "structures that --mode=predict has in memory at a time")
_STRICT = flags.DEFINE_bool("strict", False, "stop at the first structure that cannot be used")
_ALLOW_PARTIAL = flags.DEFINE_bool("allow_partial", False, "vote without the members that are missing")
_DISTRIBUTED = flags.DEFINE_bool("distributed", False, "one of several processes that train one run together")


def main(argv: list[str]) -> int:
    """Runs one mode; an `InputError` becomes its message and exit status 2."""
    try:
        return _run([*_INPUTS.value, *argv[1:]])
    except InputError as error:
        return _refuse(error)
    except OSError as error:
        if (reason := explained(error)) is None:
            raise
        return _refuse(reason)


def _run(inputs: list[str]) -> int:
    config, workdir = _CONFIG.value, _WORKDIR.value
    if _MODE.value == "doctor":
        from jaxboost import doctor

        return doctor.examine(config, None if workdir is None else Path(workdir))
    if config is None and (workdir is None or _MODE.value == "train"):
        needed = "--config=FILE, as --config=configs/quick.py"
        other = "" if _MODE.value == "train" else "--workdir=FOLDER, that of a run, or "
        raise InputError(f"--mode={_MODE.value} needs {other}{needed}")
    if config is not None:
        check_config(config)
    folder = Path(workdir or f"runs/{config.name}")
    if _DISTRIBUTED.value and _MODE.value != "train":
        raise InputError(f"--mode={_MODE.value} is one process alone, without --distributed: give each its own inputs")

    # When it is imported for the first time, it would announce that it has looked for fonts.
    logging.getLogger("matplotlib").setLevel(logging.WARNING)
    from jaxboost import recipe, scoring, screening, settings  # here: an error or --help need not wait for them
    from jaxboost.training.processes import join

    settings.start_jax()
    if _MODE.value == "train":
        join(_DISTRIBUTED.value)
        return recipe.train(config, folder, strict=_STRICT.value)
    found_devices()  # a device that is named and absent is said before anything is read
    if _MODE.value == "evaluate":
        return scoring.score_run(folder, inputs, allow_partial=_ALLOW_PARTIAL.value)
    output, partial = None if _OUTPUT.value is None else Path(_OUTPUT.value), _ALLOW_PARTIAL.value
    return screening.predict(folder, inputs, output, strict=_STRICT.value, allow_partial=partial, chunk=_CHUNK.value)


def _parse(argv: list[str]) -> list[str]:
    if asks_for_help(argv):
        print(HELP)
        sys.exit(0)
    sys.argv[:] = with_paths(argv)  # config_flags reads them there
    try:
        return parse_flags(flags.FLAGS, sys.argv)
    except InputError as error:
        sys.exit(_refuse(error))


def _refuse(error: InputError) -> int:
    print(wrapped(f"error: {error}"), file=sys.stderr)
    return 2


def run() -> None:
    """The program, by the command line's arguments; it ends the process."""
    app.run(main, flags_parser=_parse)
