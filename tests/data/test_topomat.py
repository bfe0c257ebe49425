from jaxboost.data.topomat import CLASSES, GROUPINGS, RULES


def test_every_class_has_a_place_in_every_grouping():
    assert set(RULES) == set(CLASSES) and set(RULES.values()) == {"trivial", "insulator", "semimetal"}
    assert {name: sorted(set(grouping)) for name, grouping in GROUPINGS.items()} == {
        "binary": sorted(CLASSES),
        "3-class": sorted(CLASSES),
    }


def test_trivial_is_alone_in_its_coarse_class():
    for grouping in GROUPINGS.values():
        assert [name for name in CLASSES if grouping[name] == "trivial"] == ["trivial"]
