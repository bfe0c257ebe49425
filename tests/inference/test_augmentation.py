"""What is refused before members are scored."""

from types import SimpleNamespace

import numpy as np
import pytest

from jaxboost.errors import InputError
from jaxboost.inference.augmentation import Scorer


def test_the_reference_of_another_run_is_refused():
    materials = SimpleNamespace(relative_label=np.zeros(5, np.int32))
    member = SimpleNamespace(name="kfold_0", normalizer=SimpleNamespace(known=np.ones(7, bool)))
    scorer = Scorer(None, None, None, None, materials, None, np.ones(3, int))
    with pytest.raises(InputError, match=r"kfold_0 knows of 7 .*reference\.npz has 5"):
        scorer([member], [np.arange(3)])
