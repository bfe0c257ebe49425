"""What was fetched, kept in a folder with a checksum a file: an interrupted start goes on, a flipped bit is found.

```
materials.parquet.structures/mp-149.json  pymatgen's Structure.as_dict(), which jaxboost reads like any structure file
materials.parquet.structures/SHA256SUMS   a line a file, as sha256sum writes and checks it (sha256sum -c SHA256SUMS)
```
"""

from __future__ import annotations

import hashlib
import json
import os
import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

SUMS = "SHA256SUMS"

_LINE = re.compile(rb"([0-9a-f]{64})  ([^/\n]+)")


@dataclass(frozen=True)
class StructureCache:
    """The structures in a folder, which is made with the first of them.

    Attributes:
      folder: where; of one process at a time.
    """

    folder: Path

    def path(self, name: str) -> Path:
        """Of the file of a material's id."""
        return self.folder / f"{name}.json"

    def look(self) -> tuple[dict[str, str], list[str]]:
        """id -> SHA-256 of each file that is what was written, and the ids of those that are there and are not."""
        sums, whole, damaged = self._sums(), {}, []
        for path in sorted(self.folder.glob("*.json")):
            found = sha256_of(path)
            if found == sums.get(path.name):
                whole[path.stem] = found
            else:
                damaged.append(path.stem)
        return whole, damaged

    def add(self, structures: Mapping[str, Mapping[str, Any]]) -> dict[str, str]:
        """Writes a file each, and then their sums: a file that was cut short has none, or another one.

        Returns:
          id -> SHA-256.

        Raises:
          OSError: no space, no permission.
        """
        self.folder.mkdir(parents=True, exist_ok=True)
        added = {}
        for name, structure in structures.items():
            data = json.dumps(structure).encode()
            unfinished = self.folder / f".{name}.tmp"
            unfinished.write_bytes(data)
            os.replace(unfinished, self.path(name))
            added[name] = hashlib.sha256(data).hexdigest()
        sums = self.folder / SUMS
        torn = sums.is_file() and not sums.read_bytes().endswith(b"\n")  # by a kill in the middle of a line
        with sums.open("ab") as file:
            file.write(b"\n" * torn + "".join(f"{total}  {name}.json\n" for name, total in added.items()).encode())
            file.flush()
            os.fsync(file.fileno())
        return added

    def _sums(self) -> dict[str, str]:
        """File -> sum, the last one where a file was written again; what is no such line is passed over."""
        sums = self.folder / SUMS
        lines = sums.read_bytes().split(b"\n") if sums.is_file() else []
        found = [match for line in lines if (match := _LINE.fullmatch(line))]
        return {match[2].decode(errors="replace"): match[1].decode() for match in found}


def sha256_of(path: Path) -> str:
    """Hex, of a file's bytes.

    Raises:
      OSError: it cannot be read.
    """
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
