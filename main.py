"""jaxboost on the command line: train, evaluate, predict. Flags and nothing else; the story is in jaxboost/recipe.py."""

import os
import sys
from pathlib import Path

from absl import app, flags
from ml_collections import config_flags

from jaxboost.errors import InputError

_CONFIG = config_flags.DEFINE_config_file("config", None, "recipe to train, as configs/quick.py")
_MODE = flags.DEFINE_enum("mode", "train", ["train", "evaluate", "predict"], "what to do")
_WORKDIR = flags.DEFINE_string("workdir", None, "folder of the run; by default runs/<config.name>")
_INPUTS = flags.DEFINE_list("inputs", [], "what to evaluate or predict; further paths may follow the flags")
_OUTPUT = flags.DEFINE_string("output", None, "where --mode=predict writes its CSV")
_STRICT = flags.DEFINE_bool("strict", False, "stop at the first structure that cannot be used")
_ALLOW_PARTIAL = flags.DEFINE_bool("allow_partial", False, "vote without the members whose checkpoint is missing")


def main(argv: list[str]) -> int:
    """Runs one mode; an `InputError` becomes its message and exit status 2."""
    import jax  # here, so that --help does not wait for it

    # On a CPU every core is a device, so that members train side by side; accelerators do not read this.
    jax.config.update("jax_num_cpu_devices", len(os.sched_getaffinity(0)))
    from jaxboost import recipe

    try:
        return _run(recipe, [*_INPUTS.value, *argv[1:]])
    except InputError as error:
        print(f"error: {error}", file=sys.stderr)
        return 2


def _run(recipe, inputs: list[str]) -> int:
    if _MODE.value == "train":
        if _CONFIG.value is None:
            raise InputError("--mode=train needs --config, as --config=configs/quick.py")
        return recipe.train(_CONFIG.value, Path(_WORKDIR.value or f"runs/{_CONFIG.value.name}"))
    if _WORKDIR.value is None and _CONFIG.value is None:
        raise InputError(f"--mode={_MODE.value} needs --workdir, the folder of a finished run")
    workdir = Path(_WORKDIR.value or f"runs/{_CONFIG.value.name}")
    if _MODE.value == "evaluate":
        return recipe.score_run(workdir, inputs, allow_partial=_ALLOW_PARTIAL.value)
    output = None if _OUTPUT.value is None else Path(_OUTPUT.value)
    return recipe.predict(workdir, inputs, output, strict=_STRICT.value, allow_partial=_ALLOW_PARTIAL.value)


if __name__ == "__main__":
    app.run(main)
