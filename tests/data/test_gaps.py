"""Known gaps by id."""

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from jaxboost.data.gaps import known_gaps
from jaxboost.errors import InputError


def test_gaps_are_found_by_id_and_those_of_magnets_are_not_known(tmp_path):
    path = tmp_path / "table.parquet"
    columns = {
        "material_id": ["a", "b", "c", "d"],
        "dft_band_gap_ev": [1.5, 0.0, None, 2.0],
        "dft_total_magnetization": [0.0, 0.01, 0.0, 3.0],
    }
    pq.write_table(pa.table(columns), path)
    np.testing.assert_array_equal(known_gaps(path, ["d", "b", "a", "c", "x"]), [np.nan, 0.0, 1.5, np.nan, np.nan])
    pq.write_table(pa.table({"material_id": ["a"]}), path)
    with pytest.raises(InputError, match="dft_band_gap_ev, dft_total_magnetization"):
        known_gaps(path, ["a"])
