"""Arrays kept in an `.npz`: read without unpickling, and never more than a file of its size can hold."""

from __future__ import annotations

import zipfile
import zlib
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import BinaryIO

import numpy as np

from jaxboost.errors import InputError

# Arrays of crystals shrink to a tenth at the best, zeros to a thousandth.
_MOST_EXPANSION = 100
_ALWAYS_ALLOWED = 1 << 26  # bytes


class UnreadableArrays(InputError):
    """A file of arrays that is missing, damaged, holds pickled objects, or claims to be larger than it can be."""


@contextmanager
def open_arrays(path: Path) -> Iterator[Mapping[str, np.ndarray]]:
    """The arrays of a file by name, each read when it is asked for; the block is for reading them and nothing else.

    Members of the archive are read in place, so their names lead nowhere.

    Raises:
      UnreadableArrays: as its docstring says; the message names the file and the reason.
    """
    try:
        with path.open("rb") as file:
            _refuse_bomb(file, path)
            with np.load(file, allow_pickle=False) as stored:
                yield stored
    except UnreadableArrays:
        raise
    # A damaged archive fails as any of these, one encrypted by a flipped bit as a RuntimeError.
    except (
        OSError, EOFError, ValueError, KeyError, MemoryError, RuntimeError, OverflowError, SyntaxError,
        zipfile.BadZipFile, zlib.error,
    ) as error:  # fmt: skip
        raise UnreadableArrays(f"{path}: {str(error) or type(error).__name__}") from error


def _refuse_bomb(file: BinaryIO, path: Path) -> None:
    with zipfile.ZipFile(file) as archive:
        claimed = sum(member.file_size for member in archive.infolist())
    size = path.stat().st_size
    if claimed > max(_ALWAYS_ALLOWED, _MOST_EXPANSION * size):
        raise UnreadableArrays(f"{path}: it would grow from {size:,} to {claimed:,} bytes, as no table of ours does")
    file.seek(0)
