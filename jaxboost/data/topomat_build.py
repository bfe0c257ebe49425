"""A file of labels, and structures of a folder or of the Materials Project -> the reference table."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import pyarrow as pa

from jaxboost import __version__
from jaxboost.crystal import Structure, StructureError, read_structure
from jaxboost.crystal.readers import SUFFIXES
from jaxboost.data.materials_project import KEY_PAGE, KEY_VARIABLE, MaterialsProject, Unreachable, fetch_structures
from jaxboost.data.structure_cache import StructureCache, sha256_of
from jaxboost.data.topology_labels import LabelFile
from jaxboost.data.topomat_table import Rows, make_rows, rejected_of, sources_of, write_table
from jaxboost.errors import InputError
from jaxboost.run_folder import RunLock, write_text

COMMAND = "python -m jaxboost.data.topomat"

_SAID_EVERY = 10.0  # seconds


@dataclass(frozen=True)
class Sources:
    """Where structures are looked for, in this order.

    Attributes:
      folder: of files named by id, `mp-149.cif` or another kind that jaxboost reads; None: there is none.
      cache: of what was fetched before.
      api: asked for the rest; None: it is not asked.
    """

    folder: Path | None
    cache: StructureCache
    api: MaterialsProject | None


def build(
    labels: LabelFile,
    sources: Sources,
    output: Path,
    *,
    sleep: Callable[[float], None] = time.sleep,
    say: Callable[[str], None] = print,
) -> Rows:
    """Builds the table and writes it, with what it was made of and what was left out beside it.

    Returns:
      the rows, with every label that has none.

    Raises:
      InputError: no structure of any label can be had, with what to get by hand; the API refuses or does not answer
        (what was fetched is kept, and the same call goes on); no row is left; another process is fetching there.
      OSError: no space, no permission; a table of before is untouched.
    """
    ids = [label.material_id for label in labels.labels]
    files = {} if sources.folder is None else files_of(sources.folder, ids)
    missing = [name for name in ids if name not in files]
    if missing:
        files |= _fetched_files(labels, sources, missing, output, sleep, say)
    if ids and not files:
        raise InputError(by_hand(labels.path, missing, output))
    if files:
        say(f"reading {len(files):,} structures and looking for their symmetry")
    structures, sums = _read(files)
    structures |= {name: _why_missing(sources) for name in ids if name not in files}
    rows = make_rows(labels.labels, structures)
    rejected = (*labels.rejected, *rows.rejected)
    if not len(rows.table):
        first = "; ".join(f"{name}: {reason}" for name, reason in rejected[:3])
        raise InputError(f"{labels.path}: none of its {labels.rows} rows can be used ({first}); correct them")
    described = {
        "labels": {"file": labels.path, "sha256": labels.sha256, "rows": labels.rows, "left_out": len(rejected)},
        "structures": {
            "folder": None if sources.folder is None else str(sources.folder),
            "cache": str(sources.cache.folder),
            "api": None if sources.api is None else sources.api.url,
            "sha256": dict(sorted(sums.items())),
        },
        "written_by": {"jaxboost": __version__, "pyarrow": pa.__version__},
    }
    total = write_table(output, rows, rejected, described)
    missing_of(output).unlink(missing_ok=True)
    say(_summary(output, rows, rejected, total))
    return Rows(rows.table, rejected)


def files_of(folder: Path, ids: Sequence[str]) -> dict[str, Path]:
    """id -> its file, of those that a folder has; a CIF before other kinds.

    Raises:
      InputError: no such folder.
    """
    if not folder.is_dir():
        raise InputError(f"--structures={folder}: no such folder; give that of the files mp-<number>.cif")
    present = {path.name for path in folder.iterdir()}
    endings = [f"{suffix}{packed}" for suffix in SUFFIXES for packed in ("", ".gz")]
    named = {name: [name + ending for ending in endings if name + ending in present] for name in ids}
    return {name: folder / found[0] for name, found in named.items() if found}


def _fetched_files(
    labels: LabelFile,
    sources: Sources,
    missing: Sequence[str],
    output: Path,
    sleep: Callable[[float], None],
    say: Callable[[str], None],
) -> dict[str, Path]:
    """id -> its file in the cache, which the API fills first where there is one."""
    cache = sources.cache
    if sources.api is None and not cache.folder.is_dir():
        return {}
    with RunLock(cache.folder, flag="--cache"):
        whole, damaged = cache.look()
        if damaged:
            say(f"{cache.folder}: not what was fetched, and not used: {', '.join(damaged[:5])} ({len(damaged)} in all)")
        absent = [name for name in missing if name not in whole]
        if sources.api is not None and absent:
            asked, said = 0, time.monotonic()
            try:
                for found in fetch_structures(sources.api, absent, sleep=sleep, say=say):
                    whole |= cache.add(found)
                    asked = min(asked + sources.api.batch, len(absent))
                    if asked == len(absent) or time.monotonic() - said > _SAID_EVERY:
                        say(f"asked for {asked:,} of {len(absent):,} structures")
                        said = time.monotonic()
            except Unreachable as error:
                kept = f"What was fetched is kept in {cache.folder}: the same command goes on from there."
                raise InputError(f"{error}.\n{kept}\n{by_hand(labels.path, absent[asked:], output)}") from error
    return {name: cache.path(name) for name in missing if name in whole}


def _read(files: Mapping[str, Path]) -> tuple[dict[str, Structure | str], dict[str, str]]:
    """id -> structure, or why there is none; and the SHA-256 of each file that could be read, by its name."""
    structures: dict[str, Structure | str] = {}
    sums: dict[str, str] = {}
    for name, path in files.items():
        try:
            sums[path.name] = sha256_of(path)
            structures[name] = read_structure(path)
        except StructureError as error:
            structures[name] = str(error)
        except OSError as error:
            structures[name] = f"{path}: cannot be opened ({error.strerror or error})"
    return structures, sums


def _why_missing(sources: Sources) -> str:
    if sources.api is None:
        return f"no structure: no file of that name, and {KEY_VARIABLE} is not set"
    return f"no structure: {sources.api.url} has none of that id (any more)"


def missing_of(table: Path) -> Path:
    """Where the ids are listed whose structures are to be had by hand."""
    return table.with_name(f"{table.name}.missing.txt")


def by_hand(labels: str, missing: Sequence[str], output: Path) -> str:
    """What to do without a network or a key; the ids, which may be many, are written to a file.

    Raises:
      OSError: it cannot be written.
    """
    listed = missing_of(output)
    write_text(listed, "".join(f"{name}\n" for name in missing))
    command = f"{COMMAND} --labels={labels} --output={output}"
    return (
        f"{len(missing):,} structures are missing: the ids in {listed}, one a line. Nothing is fetched without a key.\n"
        f"Either get a key ({KEY_PAGE}, logged in; it is free) and, where there is a network,\n"
        f"with {KEY_VARIABLE} set to it in the environment:\n"
        f"  {command}\n"
        f"or save the structure of each id from its page (https://materialsproject.org/materials/{missing[0]} and so\n"
        f"on) as {missing[0]}.cif and so on in one folder, here `cifs`, and then, without a network:\n"
        f"  {command} --structures=cifs"
    )


def _summary(output: Path, rows: Rows, rejected: Sequence[tuple[str, str]], total: str) -> str:
    classes = ", ".join(f"{name} {count:,}" for name, count in rows.counts("topology").items())
    parts = ", ".join(f"{name} {count:,}" for name, count in rows.counts("split").items())
    unknown = rows.table["space_group_number"].null_count
    lines = [
        f"{output}: {len(rows.table):,} rows ({classes}; {parts})",
        f"  SHA-256 {total}; what it was made of is in {sources_of(output).name}",
    ]
    if rejected:
        lines.append(f"  {len(rejected):,} labels were left out or listed twice; why is in {rejected_of(output).name}")
    if unknown:
        lines.append(f"  {unknown:,} rows are without a space group: no symmetry was found, or the cell is too large")
    return "\n".join(lines)
