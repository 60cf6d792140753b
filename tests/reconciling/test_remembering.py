"""The cache: it never goes back in time, it forgets what is not read, and it knows whose graph is whose."""

from __future__ import annotations

from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from dgdr_operator.controller.cache import Cache, Shelf, version_of
from dgdr_operator.controller.forms import kept
from tests.reconciling import worlds

NAME = ("ns", "a")


def seen(version: int, name: str = "a", **parts: object) -> dict[str, Any]:
    """An object as the API server sends it."""
    return {"metadata": {"namespace": "ns", "name": name, "resourceVersion": str(version)}, **parts}


@given(st.permutations(range(1, 7)), st.sets(st.integers(1, 6)))
def test_in_whatever_order_reports_arrive_the_newest_one_wins(order: list[int], deletions: set[int]) -> None:
    shelf = Shelf()

    for version in order:
        if version in deletions:
            shelf.drop(NAME, version)
        else:
            shelf.put(seen(version))

    found = shelf.get(NAME)
    assert (found is None) if 6 in deletions else (found is not None and version_of(found) == 6)


def test_the_same_version_twice_is_no_news() -> None:
    shelf = Shelf()

    assert shelf.put(seen(1))
    assert not shelf.put(seen(1))


def test_versions_that_are_no_numbers_are_taken_as_they_come() -> None:
    shelf = Shelf()
    for version in ("b", "a"):
        shelf.put({"metadata": {"namespace": "ns", "name": "a", "resourceVersion": version}})

    found = shelf.get(NAME)

    assert found is not None
    assert found["metadata"]["resourceVersion"] == "a"


def test_a_full_list_finds_what_vanished_and_what_changed() -> None:
    shelf = Shelf()
    for name in ("kept", "changed", "ghost"):
        shelf.put(seen(1, name))

    listed = [seen(1, "kept"), seen(3, "changed"), seen(2, "new")]
    news = shelf.replace(dict(shelf.pack(kept(body)) for body in listed), 5)

    assert news == {("ns", "changed"), ("ns", "new"), ("ns", "ghost")}
    assert set(shelf) == {("ns", "kept"), ("ns", "changed"), ("ns", "new")}


def test_a_full_list_does_not_bury_what_was_born_after_it() -> None:
    shelf = Shelf()
    shelf.put(seen(9))

    shelf.replace({}, 5)

    assert shelf.get(NAME) is not None


def test_what_is_never_read_is_not_kept() -> None:
    applied = {"kubectl.kubernetes.io/last-applied-configuration": "{}", "dgdr-operator.io/drift": "report"}
    shelf, body = Shelf(), seen(1, spec={"a": 1}, unread=True)
    body["metadata"] |= {"managedFields": [{}], "annotations": applied}

    shelf.put(body)
    found = shelf.get(NAME)

    assert found is not None
    assert found["spec"] == {"a": 1}
    assert found["metadata"]["annotations"] == {"dgdr-operator.io/drift": "report"}
    assert "managedFields" not in found["metadata"]
    assert "unread" not in found


def test_a_graph_concerns_the_request_that_names_it_and_the_one_it_names() -> None:
    cache = Cache()
    cache.requests.put(seen(1, "first", status={"dgdName": worlds.GRAPH}))
    graph = worlds.graph(owner="second")

    found = cache.requests_of(("ns", worlds.GRAPH), graph)

    assert found == {("ns", "first"), (worlds.NAMESPACE, "second")}


def test_a_graph_that_nobody_names_is_nobodys_business() -> None:
    assert Cache().requests_of(("ns", "g"), seen(1, "g")) == set()
