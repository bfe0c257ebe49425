"""The bytes of a structure file, plain or gzipped, never more than any structure has."""

import gzip
from pathlib import Path

from jaxboost.crystal.checks import StructureError

LARGEST = 1 << 26
"""Bytes: 64 MiB. A file that is larger, or grows so large when it is unpacked, is no structure."""


def is_gzipped(path: str | Path) -> bool:
    """Whether the name of a file ends in `.gz`."""
    return str(path).lower().endswith(".gz")


def file_bytes(path: str | Path) -> bytes:
    """What the file holds, unpacked where its name ends in `.gz`.

    Raises:
      StructureError: it is larger than `LARGEST`.
      OSError, EOFError, zlib.error: it cannot be read or unpacked.
    """
    with gzip.open(path) if is_gzipped(path) else open(path, "rb") as file:
        data = file.read(LARGEST + 1)
    if len(data) > LARGEST:
        raise StructureError(f"more than {LARGEST >> 20} MiB: no structure file is that large")
    return data
