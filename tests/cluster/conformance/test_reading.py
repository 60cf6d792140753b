"""Lists, pages, selectors and watches: the same on every API server."""

from __future__ import annotations

import threading
from collections.abc import Callable
from itertools import islice
from typing import Any

from tests.fakes.api import Api, Refused
from tests.fakes.asked import Object

WIDGETS = "widgets"
Widget = Callable[..., Object]
Refusal = Callable[[Callable[[], object]], Refused]


def names(listed: Object) -> list[str]:
    """The names in a list."""
    return [item["metadata"]["name"] for item in listed["items"]]


def test_a_list_has_its_pages(api: Api, widget: Widget, namespace: str) -> None:
    for number in range(5):
        api.create(WIDGETS, widget(f"w{number}"))
    first = api.list(WIDGETS, namespace, limit=2)
    api.create(WIDGETS, widget("w9"))
    second = api.list(WIDGETS, namespace, limit=2, **{"continue": first["metadata"]["continue"]})
    third = api.list(WIDGETS, namespace, limit=2, **{"continue": second["metadata"]["continue"]})

    assert [names(page) for page in (first, second, third)] == [["w0", "w1"], ["w2", "w3"], ["w4"]]
    assert first["metadata"]["remainingItemCount"] == 3
    assert first["metadata"]["resourceVersion"] == third["metadata"]["resourceVersion"]
    assert not third["metadata"].get("continue")
    assert first["kind"] == "WidgetList"


def test_a_continue_token_is_not_made_up(api: Api, namespace: str, refusal: Refusal) -> None:
    assert refusal(lambda: api.list(WIDGETS, namespace, limit=2, **{"continue": "nonsense"})).code == 400


def test_labels_select(api: Api, widget: Widget, namespace: str) -> None:
    for name, labels in {"a": {"x": "1"}, "b": {"x": "2", "y": ""}, "c": {}}.items():
        body = widget(name)
        body["metadata"]["labels"] = labels
        api.create(WIDGETS, body)

    def chosen(selector: str) -> str:
        return "".join(names(api.list(WIDGETS, namespace, labelSelector=selector)))

    assert chosen("x=1") == "a"
    assert chosen("x!=1") == "bc"
    assert chosen("x") == "ab"
    assert chosen("!x") == "c"
    assert chosen("x in (1,2),y") == "b"
    assert chosen("x notin (1)") == "bc"


def test_fields_select_by_name_and_by_nothing_unknown(
    api: Api, widget: Widget, namespace: str, refusal: Refusal
) -> None:
    api.create(WIDGETS, widget("a"))
    api.create(WIDGETS, widget("b"))

    assert names(api.list(WIDGETS, namespace, fieldSelector="metadata.name=b")) == ["b"]
    assert refusal(lambda: api.list(WIDGETS, namespace, fieldSelector="spec.size=3")).code == 400


def watched(api: Api, namespace: str, count: int, **query: Any) -> list[tuple[str, str]]:  # noqa: ANN401 - query values
    """Type and name of the first *count* events of a watch."""
    events = api.watch(WIDGETS, namespace, timeoutSeconds=20, **query)
    return [(event["type"], event["object"]["metadata"]["name"]) for event in islice(events, count)]


def test_a_watch_goes_on_from_a_version(api: Api, widget: Widget, namespace: str) -> None:
    version = api.list(WIDGETS, namespace)["metadata"]["resourceVersion"]
    body = api.create(WIDGETS, widget())
    api.replace(WIDGETS, {**body, "spec": {"size": 4}})
    api.delete(WIDGETS, namespace, "one")

    seen = watched(api, namespace, 3, resourceVersion=version)

    assert seen == [("ADDED", "one"), ("MODIFIED", "one"), ("DELETED", "one")]


def test_a_watch_without_a_version_begins_with_what_there_is(api: Api, widget: Widget, namespace: str) -> None:
    api.create(WIDGETS, widget("a"))
    api.create(WIDGETS, widget("b"))

    assert sorted(watched(api, namespace, 2)) == [("ADDED", "a"), ("ADDED", "b")]


def test_a_watch_hears_of_what_comes_later(api: Api, widget: Widget, namespace: str) -> None:
    version = api.list(WIDGETS, namespace)["metadata"]["resourceVersion"]
    later = threading.Timer(0.3, api.create, (WIDGETS, widget("late")))
    later.start()

    assert watched(api, namespace, 1, resourceVersion=version) == [("ADDED", "late")]
    later.join()


def test_what_leaves_the_selection_is_deleted_for_the_watcher(api: Api, widget: Widget, namespace: str) -> None:
    version = api.list(WIDGETS, namespace)["metadata"]["resourceVersion"]
    body = api.create(WIDGETS, widget())
    labelled = api.replace(WIDGETS, {**body, "metadata": {**body["metadata"], "labels": {"x": "1"}}})
    api.replace(WIDGETS, {**labelled, "metadata": {**labelled["metadata"], "labels": {}}})

    seen = watched(api, namespace, 2, resourceVersion=version, labelSelector="x=1")

    assert seen == [("ADDED", "one"), ("DELETED", "one")]


def test_a_watch_ends_when_its_time_is_over(api: Api, namespace: str) -> None:
    version = api.list(WIDGETS, namespace)["metadata"]["resourceVersion"]

    events = list(api.watch(WIDGETS, namespace, resourceVersion=version, timeoutSeconds=1))

    assert [event for event in events if event["type"] != "BOOKMARK"] == []


def test_a_short_idle_watch_ends_without_a_bookmark(api: Api, namespace: str) -> None:
    """So a client that renews its watch every twenty seconds goes on from the last change it saw, or from its list."""
    version = api.list(WIDGETS, namespace)["metadata"]["resourceVersion"]

    query = {"resourceVersion": version, "allowWatchBookmarks": "true"}

    assert list(api.watch(WIDGETS, "default", timeoutSeconds=2, **query)) == []


def test_a_watch_from_a_forgotten_version_is_told_so(api: Api, namespace: str) -> None:
    (event, *_) = api.watch(WIDGETS, namespace, resourceVersion=1, timeoutSeconds=5)

    assert event["type"] == "ERROR"
    assert event["object"]["code"] == 410
    assert event["object"]["reason"] == "Expired"


def test_discovery_lists_what_is_defined(api: Api) -> None:
    group = api.call("GET", "/apis/tests.dgdr-operator.io").body
    listed = api.call("GET", "/apis/tests.dgdr-operator.io/v1").body

    assert [version["groupVersion"] for version in group["versions"]] == ["tests.dgdr-operator.io/v1"]
    assert {one["name"] for one in listed["resources"]} == {"widgets", "widgets/status"}


def test_metadata_alone_can_be_asked_for(api: Api, widget: Widget, namespace: str) -> None:
    api.create(WIDGETS, widget())
    headers = "application/json;as=PartialObjectMetadata;g=meta.k8s.io;v=v1"

    found = api.call("GET", api.path(WIDGETS, namespace, "one"), accept=headers).body

    assert found["kind"] == "PartialObjectMetadata"
    assert found["metadata"]["name"] == "one"
    assert "spec" not in found
