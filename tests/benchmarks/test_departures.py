"""What the predecessor had in place of a setting: configs that can be used."""

import pytest

from benchmarks.departures import Departure, departures
from configs import extreme, quick
from jaxboost.limits import check_config

RECIPE = Departure("the recipe", {})


@pytest.fixture(scope="module")
def config():
    return quick.get_config()


def test_each_departure_changes_its_fields_and_the_length_of_the_cosine_alone(config):
    plain = flat(RECIPE.undone(config))
    for one in departures(config):
        check_config(one.undone(config))
        changed = {path for path, value in flat(one.undone(config)).items() if value != plain[path]}
        assert one.fields.keys() <= changed, one.name
        assert changed - one.fields.keys() <= {"kfold.cycle_epochs", "kfold.patience"}, one.name
    assert flat(config) == flat(quick.get_config())


def test_the_last_is_all_the_others_together(config):
    *single, whole = departures(config)
    assert whole.fields.keys() == {path for one in single for path in one.fields}
    # A warmup that is a quarter of the epochs is one of more epochs here.
    assert {path for one in single for path, value in one.fields.items() if whole.fields[path] != value} == {
        "optimizer.warmup_epochs"
    }


@pytest.mark.parametrize("recipe", [quick, extreme])
def test_layers_taper_as_the_predecessor_s(recipe):
    by_name = {one.name: one for one in departures(recipe.get_config())}
    fields = by_name["layers of equal width"].fields
    first, last = fields["network.scalar_widths"], fields["network.classifier_widths"]
    assert [width / first[0] for width in first] == [1, 0.75, 0.5]
    assert [width / last[0] for width in last] == [1, 0.5, 0.25, 0.125]
    if recipe is extreme:
        assert (first, last) == ((1024, 768, 512), (1024, 512, 256, 128))


def flat(config) -> dict[str, object]:
    """Path -> value."""
    found: dict[str, object] = {}
    for name, value in config.items():
        below = flat(value) if hasattr(value, "items") else None
        found |= {name: value} if below is None else {f"{name}.{path}": own for path, own in below.items()}
    return found
