"""What a definition's schema prunes, fills in and refuses: the same on every API server."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from tests.fakes.api import Api, Refused
from tests.fakes.asked import Object

WIDGETS = "widgets"
Widget = Callable[..., Object]
Refusal = Callable[[Callable[[], object]], Refused]


def test_unknown_fields_are_dropped_where_the_schema_is_closed(api: Api, widget: Widget) -> None:
    made = api.create(WIDGETS, widget(unknown=1, open={"anything": {"goes": 1}}, parts=[{"name": "a", "odd": 1}]))

    assert "unknown" not in made["spec"]
    assert made["spec"]["open"] == {"anything": {"goes": 1}}
    assert made["spec"]["parts"] == [{"name": "a", "count": 1}]


def test_defaults_are_filled_in(api: Api, widget: Widget) -> None:
    made = api.create(WIDGETS, widget(parts=[{"name": "a"}, {"name": "b", "count": 2}]))

    assert made["spec"]["colour"] == "red"
    assert [part["count"] for part in made["spec"]["parts"]] == [1, 2]


def test_null_is_nothing_unless_it_is_allowed(api: Api, widget: Widget) -> None:
    made = api.create(WIDGETS, widget(colour=None, note=None))

    assert made["spec"]["colour"] == "red"
    assert made["spec"]["note"] is None


@pytest.mark.parametrize(
    ("spec", "words"),
    [
        ({"size": 0}, "spec.size in body should be greater than or equal to 1"),
        ({"size": 101}, "spec.size in body should be less than or equal to 100"),
        ({"size": "three"}, "spec.size in body must be of type integer"),
        ({"size": 2.5}, "spec.size in body must be of type integer"),
        ({"size": True}, "spec.size in body must be of type integer"),
        ({"size": None}, "spec.size: Required value"),
        ({"colour": "green"}, 'spec.colour: Unsupported value: "green": supported values: "red", "blue"'),
        ({"code": "A1"}, "spec.code in body should match '^[a-z]+$'"),
        ({"code": "a" * 9}, "spec.code: Too long: may not be more than 8 bytes"),
        ({"ratio": 0}, "spec.ratio in body should be greater than 0"),
        ({"tags": ["a"] * 4}, "spec.tags: Too many: 4: must have at most 3 items"),
        ({"tags": "a"}, "spec.tags in body must be of type array"),
        ({"tags": [1]}, "spec.tags[0] in body must be of type string"),
        ({"labels": {"a": 1}}, "spec.labels.a in body must be of type string"),
        ({"amount": True}, "spec.amount in body must be of type"),
        ({"parts": [{"count": 1}]}, "spec.parts[0].name: Required value"),
        ({"parts": [{"name": "a"}, {"name": "a"}]}, 'spec.parts[1]: Duplicate value: {"name":"a"}'),
    ],
    ids=lambda value: str(value)[:40],
)
def test_what_does_not_fit_is_refused_in_the_same_words(
    api: Api, widget: Widget, refusal: Refusal, spec: Object, words: str
) -> None:
    refused = refusal(lambda: api.create(WIDGETS, widget(**spec)))

    assert (refused.code, refused.reason) == (422, "Invalid")
    assert words in str(refused)


@pytest.mark.parametrize(
    "spec", [{"size": 3.0}, {"amount": 1}, {"amount": "10%"}, {"ratio": 1}, {"tags": []}, {"labels": {}}], ids=str
)
def test_what_fits_is_taken(api: Api, widget: Widget, spec: Object) -> None:
    made = api.create(WIDGETS, widget(**spec))

    assert {name: made["spec"][name] for name in spec} == spec


def test_a_body_of_another_kind_is_refused(api: Api, widget: Widget, refusal: Refusal) -> None:
    assert refusal(lambda: api.create(WIDGETS, {**widget(), "kind": "Gadget"})).code == 422
    assert refusal(lambda: api.create(WIDGETS, {**widget(), "apiVersion": "tests.dgdr-operator.io/v9"})).code == 400


def test_a_kind_that_nobody_defined_is_not_found(api: Api, refusal: Refusal) -> None:
    assert refusal(lambda: api.call("GET", "/apis/tests.dgdr-operator.io/v1/gadgets")).code == 404
