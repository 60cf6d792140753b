"""Whether a live object says what we want: no more writes than needed, and no fewer."""

from __future__ import annotations

import copy
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dgdr_operator.controller.covers import covers, differences, quantity, yielding
from tests.reconciling import worlds

Json = Any
LEAVES = st.none() | st.booleans() | st.integers(-9, 9) | st.text(max_size=4)
TREES = st.recursive(
    LEAVES,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text("abc", min_size=1, max_size=2), inner),
    max_leaves=5,
)
OBJECTS = st.dictionaries(st.text("abc", min_size=1, max_size=2), TREES, max_size=4)


@given(OBJECTS)
def test_everything_covers_itself(body: Json) -> None:
    assert covers(body, body)


@given(OBJECTS, OBJECTS)
def test_what_others_add_beside_ours_is_covered(ours: Json, theirs: Json) -> None:
    assert covers({**theirs, **ours}, ours)


@given(OBJECTS, OBJECTS, OBJECTS)
def test_covering_is_transitive(most: Json, more: Json, some: Json) -> None:
    middle = {**more, **some}

    assert covers({**most, **middle}, middle)
    assert covers({**most, **middle}, some)


@given(OBJECTS.filter(bool), st.data())
def test_a_field_that_went_missing_is_found_and_named(body: Json, data: st.DataObject) -> None:
    lost = data.draw(st.sampled_from(sorted(body)))
    body[lost] = "here"

    live = {name: value for name, value in body.items() if name != lost}

    assert list(differences(live, body)) == [lost]


def test_a_changed_leaf_is_named_by_its_path() -> None:
    live, desired = worlds.graph(), worlds.graph()
    live["spec"]["components"][1]["podTemplate"]["spec"]["containers"][0]["env"][0]["value"] = "/elsewhere"

    found = list(differences(live, desired))

    assert found == ["spec.components[worker].podTemplate.spec.containers[main].env[HF_HOME].value"]


def test_lists_that_merge_by_name_may_be_longer_and_in_another_order() -> None:
    live, desired = worlds.graph(), worlds.graph()
    live["spec"]["components"] = [worlds.component("planner", 1), *reversed(live["spec"]["components"])]

    assert covers(live, desired)


def test_arguments_are_ours_whole_or_not_at_all() -> None:
    live, desired = worlds.graph(), worlds.graph()
    live["spec"]["components"][1]["podTemplate"]["spec"]["containers"][0]["args"].append("--verbose")

    assert list(differences(live, desired)) == ["spec.components[worker].podTemplate.spec.containers[main].args"]


@pytest.mark.parametrize(("live", "desired"), [("1Gi", "1024Mi"), ("2", 2), ("0.5", "500m"), (16, "16"), ("1e3", "1k")])
def test_quantities_are_compared_as_quantities(live: object, desired: object) -> None:
    assert covers({"limits": {"x": live}}, {"limits": {"x": desired}})


@pytest.mark.parametrize(("live", "desired"), [("1Gi", "1G"), ("2", 3), ("many", "2"), (None, "2"), (True, 1)])
def test_different_quantities_are_different(live: object, desired: object) -> None:
    assert not covers({"limits": {"x": live}}, {"limits": {"x": desired}})


def test_outside_of_quantities_a_number_is_not_its_text() -> None:
    assert not covers({"replicas": "2"}, {"replicas": 2})


@pytest.mark.parametrize("text", ["", "Gi", "1Xi", "NaN", "Infinity", "1 000", [], True])
def test_what_is_no_quantity_is_none(text: object) -> None:
    assert quantity(text) is None


@given(TREES, TREES)
def test_comparing_never_raises_and_changes_nothing(live: Json, desired: Json) -> None:
    before = copy.deepcopy((live, desired))

    covers(live, desired)

    assert (live, desired) == before


def _scaled(adapter: object, replicas: int) -> Json:
    """A graph whose workers have a scaling adapter."""
    written = worlds.graph()
    written["spec"]["components"][1] |= {"replicas": replicas, "scalingAdapter": adapter}
    return written


def test_replicas_that_an_adapter_counts_are_neither_compared_nor_changed() -> None:
    live, desired = _scaled({}, 7), _scaled({}, 2)

    assert covers(live, desired)
    assert yielding(desired, live) == live


def test_replicas_are_ours_where_the_adapter_is_switched_off_or_the_graph_is_new() -> None:
    live, desired = _scaled({"enabled": False}, 7), _scaled({"enabled": False}, 2)

    assert list(differences(live, desired)) == ["spec.components[worker].replicas"]
    assert yielding(desired, live) == desired
    assert yielding(_scaled({}, 2), None) == _scaled({}, 2)


def test_replicas_of_the_older_version_are_yielded_too() -> None:
    desired = {"spec": {"services": {"Worker": {"replicas": 2, "scalingAdapter": {"enabled": True}}}}}
    live = {"spec": {"services": {"Worker": {"replicas": 5, "scalingAdapter": {"enabled": True}}}}}

    assert covers(live, desired)
    assert yielding(desired, live) == live
