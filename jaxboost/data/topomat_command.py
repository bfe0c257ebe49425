"""The command line of `python -m jaxboost.data.topomat`: its flags, and mistakes on it as one clear message."""

from __future__ import annotations

import argparse
import os
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

from jaxboost.data.materials_project import KEY_PAGE, KEY_VARIABLE, URL, MaterialsProject
from jaxboost.data.structure_cache import StructureCache
from jaxboost.data.topology_labels import CLASS_FIELDS, ID_FIELDS, WITHOUT_SOC_FIELDS, LabelFile, read_labels
from jaxboost.data.topomat_build import COMMAND, Sources, build
from jaxboost.errors import InputError
from jaxboost.run_folder import explained

LABELS_BY_HAND = f"""\
Labels are those of the Materiae database, http://materiae.iphy.ac.cn (look at its terms; it may
want an account). Get the class of each material there, and save them as a CSV file with a header,
as JSON (a list of objects) or as JSONL (an object a line), with the fields
  {" or ".join(ID_FIELDS):40} id of the Materials Project, as mp-149
  {" or ".join(CLASS_FIELDS):40} class with spin-orbit coupling
  {" or ".join(WITHOUT_SOC_FIELDS):40} class without it; may be absent
Other fields are left alone. No address that gives all of it at once is documented: it is not
fetched here."""

_DESCRIPTION = f"""\
Builds the labelled table of real materials: classes of the Materiae database, structures of the
Materials Project.

{LABELS_BY_HAND}

Structures are taken from --structures, then from what was fetched before (--cache), then from the
Materials Project's API, if the environment variable {KEY_VARIABLE} holds the key of an account
({KEY_PAGE}). Started again, it goes on where it was stopped. Beside
the table are written FILE.sources.json (SHA-256 of everything) and FILE.rejected.csv (labels
without a row, and why)."""

_EPILOG = f"""\
examples
  {COMMAND} --labels=labels.csv --structures=cifs
  {COMMAND} --labels=labels.csv --output=materials.parquet
  python main.py --config=configs/quick.py --config.data.path=materials.parquet

Neither server has been tried. The API is asked as the Materials Project's own client asks it, and
tests answer in its place. docs/table.md says what is known of both."""


def parser() -> argparse.ArgumentParser:
    """Of the flags; nothing is required, since what is missing is explained."""
    flags = argparse.ArgumentParser(
        prog=COMMAND,
        description=_DESCRIPTION,
        epilog=_EPILOG,
        formatter_class=argparse.RawDescriptionHelpFormatter,
        allow_abbrev=False,
    )
    flags.add_argument("--labels", type=Path, metavar="FILE", help="classes by id: .csv, .json or .jsonl")
    flags.add_argument("--expect-sha256", metavar="HEX", help="refuse another file of labels than this one")
    flags.add_argument("--structures", type=Path, metavar="FOLDER", help="of mp-<number>.cif (or .vasp, .json)")
    flags.add_argument("--output", type=Path, metavar="FILE", default=Path("materials.parquet"), help="the table")
    flags.add_argument("--cache", type=Path, metavar="FOLDER", help="of what is fetched; by default FILE.structures")
    flags.add_argument("--api", metavar="URL", default=URL, help=f"of the Materials Project; by default {URL}")
    return flags


def run(
    arguments: Sequence[str],
    aliases: Mapping[str, str],
    *,
    connect: Callable[[str, str], MaterialsProject] = MaterialsProject,
    sleep: Callable[[float], None] = time.sleep,
) -> int:
    """Builds the table that `arguments` ask for; returns the exit status, 2 for what a person is to mend.

    Args:
      arguments: without the program's name.
      aliases: what a source may call a class -> the class.
      connect: key and address -> how the API is asked.
      sleep: waits some seconds before it is asked again.
    """
    asked = parser().parse_args(arguments)
    try:
        labels, sources = _inputs(asked, aliases, connect)
        build(labels, sources, asked.output, sleep=sleep, say=_say)
    except InputError as error:
        return _refuse(error)
    except OSError as error:
        if (reason := explained(error)) is None:
            raise
        return _refuse(reason)
    except KeyboardInterrupt:
        print("stopped; what was fetched is kept, and the same command goes on", file=sys.stderr)
        return 130
    return 0


def _inputs(
    asked: argparse.Namespace, aliases: Mapping[str, str], connect: Callable[[str, str], MaterialsProject]
) -> tuple[LabelFile, Sources]:
    output: Path = asked.output
    if output.is_dir() or output.suffix.lower() not in (".parquet", ".pq"):
        raise InputError(f"--output={output}: give the name of a parquet file, as materials.parquet")
    if asked.labels is None:
        how = f"{LABELS_BY_HAND}\nThen\n{_commands(output)}"
        raise InputError(f"no labels: give --labels=FILE. Nothing was fetched.\n{how}")
    key = os.environ.get(KEY_VARIABLE, "").strip()
    cache = asked.cache or output.with_name(f"{output.name}.structures")
    sources = Sources(asked.structures, StructureCache(cache), connect(key, asked.api) if key else None)
    return read_labels(asked.labels, aliases, asked.expect_sha256), sources


def _commands(output: Path) -> str:
    return (
        f"  {COMMAND} --labels=labels.csv --structures=cifs --output={output}\n"
        f"where `cifs` is a folder of mp-<number>.cif; or, with {KEY_VARIABLE} set to a key from\n"
        f"{KEY_PAGE}, logged in,\n"
        f"  {COMMAND} --labels=labels.csv --output={output}"
    )


def _say(text: str) -> None:
    print(text, flush=True)


def _refuse(error: InputError) -> int:
    print(f"error: {error}", file=sys.stderr)
    return 2
