"""Row 16: what a checkpoint was made for is compared field by field."""

import pytest

from jaxboost.errors import InputError
from jaxboost.training.member_checkpoint import check_identity

IDENTITY = {
    "classes": ["trivial", "TI"],
    "featurizer": "ab12",
    "relatives": 64,
    "network": {"token": 8, "dtype": "float32", "scalar_widths": [8], "recall_width": None},
}


def test_the_same_is_accepted(tmp_path):
    check_identity(tmp_path, IDENTITY, IDENTITY)


@pytest.mark.parametrize(
    ("change", "line"),
    [
        ({"classes": ["TI", "trivial"]}, "classes: ['trivial', 'TI'] there, ['TI', 'trivial'] wanted"),
        ({"featurizer": "cd34"}, "featurizer: ab12 there, cd34 wanted"),
        ({"network": {**IDENTITY["network"], "dtype": "bfloat16"}}, "network.dtype: float32 there, bfloat16 wanted"),
        ({"network": {**IDENTITY["network"], "token": 16}}, "network.token: 8 there, 16 wanted"),
        (
            {"network": {"token": 8, "dtype": "float32", "scalar_widths": [8]}},
            "network.recall_width: None there, absent wanted",
        ),
        ({"bands": True}, "bands: absent there, True wanted"),
    ],
)
def test_a_difference_is_one_line_and_what_agrees_is_none(tmp_path, change, line):
    with pytest.raises(InputError) as refused:
        check_identity(tmp_path / "full", IDENTITY, IDENTITY | change)
    assert [text.strip() for text in str(refused.value).splitlines()[1:-1]] == [line]
    assert str(tmp_path / "full") in str(refused.value) and "another --workdir" in str(refused.value)
