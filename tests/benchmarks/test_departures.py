"""What the predecessor had in place of a setting: configs that can be used; what shares a program is one program."""

import pytest

from benchmarks.departures import Departure, by_program, departures
from configs import extreme, quick
from jaxboost import settings as of
from jaxboost.limits import check_config
from jaxboost.training.roster import figures_of

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


def test_what_shares_a_program_differs_in_members_alone(config):
    groups = by_program([RECIPE, *departures(config)])
    assert [one.name for group in groups for one in group].count("the recipe") == 1
    assert groups[0][0] is RECIPE and len(groups[0]) > 1 and all(len(group) == 1 for group in groups[1:])
    assert sum(map(len, groups)) == 1 + len(departures(config))
    configs = [one.undone(config) for one in groups[0]]
    assert len({of.network_settings(own, 5) for own in configs}) == 1
    assert len({of.training_settings(own, [4] * 1000, 1000) for own in configs}) == 1
    figures = [figures_of(own, own.kfold, 0)._replace(modalities=()) for own in configs]
    assert len(set(figures)) == len(figures)


def flat(config) -> dict[str, object]:
    """Path -> value."""
    found: dict[str, object] = {}
    for name, value in config.items():
        below = flat(value) if hasattr(value, "items") else None
        found |= {name: value} if below is None else {f"{name}.{path}": own for path, own in below.items()}
    return found
