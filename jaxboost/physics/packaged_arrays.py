"""Tables that ship with the package as arrays."""

from functools import cache
from importlib.resources import files

import numpy as np


@cache
def packaged_arrays(name: str) -> dict[str, np.ndarray]:
    """Name -> array of the file `name` beside this module, such as `corepresentations.npz`; read once."""
    with (
        files("jaxboost.physics").joinpath(name).open("rb") as handle,
        np.load(handle, allow_pickle=False) as table,
    ):
        return {key: table[key] for key in table.files}
