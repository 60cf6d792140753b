"""The judge itself: what breaks a promise is seen, what keeps it is not blamed."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from dgdr_operator.controller.world import owner
from tests.cluster.stage.witness import Seen, broken, trespasses
from tests.cluster.user import GRAPHS, REQUESTS
from tests.fakes.asked import Object

PLACE = {"namespace": "team"}


@pytest.fixture
def story() -> Callable[..., list[Seen]]:
    """Turns (plural, type, body) into a protocol."""

    def tell(*events: tuple[str, str, Object]) -> list[Seen]:
        return [Seen(version=n, plural=plural, type=kind, body=body) for n, (plural, kind, body) in enumerate(events)]

    return tell


def request(phase: str = "", graph: str = "") -> Object:
    """A request that says so much."""
    status = {**({"phase": phase} if phase else {}), **({"dgdName": graph} if graph else {})}
    return {"metadata": {"name": "chat", **PLACE, "generation": 1}, "status": status}


def graph(name: str = "chat-dgd", state: str = "", observed: int = 1) -> Object:
    """A graph of that request."""
    labels = {"dgdr.nvidia.com/name": "chat", "dgdr.nvidia.com/namespace": "team"}
    body: Object = {"metadata": {"name": name, **PLACE, "generation": 1, "labels": labels}, "spec": {}}
    return {**body, "status": {"state": state, "observedGeneration": observed}} if state else body


def test_the_graphs_of_these_stories_belong_to_their_request() -> None:
    assert owner(graph()) == ("team", "chat")


def test_a_life_in_order_breaks_nothing(story: Callable[..., list[Seen]]) -> None:
    protocol = story(
        (REQUESTS, "ADDED", request()),
        (REQUESTS, "MODIFIED", request("Deploying", "chat-dgd")),
        (GRAPHS, "ADDED", graph()),
        (GRAPHS, "MODIFIED", graph(state="successful")),
        (REQUESTS, "MODIFIED", request("Deployed", "chat-dgd")),
    )

    assert broken(protocol) == []


def test_a_graph_before_its_name_breaks_p1(story: Callable[..., list[Seen]]) -> None:
    protocol = story((REQUESTS, "ADDED", request()), (GRAPHS, "ADDED", graph()))

    assert [words[:2] for words in broken(protocol)] == ["P1"]


def test_a_second_graph_breaks_p1(story: Callable[..., list[Seen]]) -> None:
    protocol = story(
        (REQUESTS, "ADDED", request("Deploying", "chat-dgd")),
        (GRAPHS, "ADDED", graph()),
        (REQUESTS, "MODIFIED", request("Deploying", "chat-dgd-2")),
        (GRAPHS, "ADDED", graph("chat-dgd-2")),
    )

    assert [words[:2] for words in broken(protocol)] == ["P1"]


@pytest.mark.parametrize("report", [{}, {"state": "pending"}, {"state": "successful", "observed": 0}], ids=str)
def test_deployed_without_success_breaks_p6(story: Callable[..., list[Seen]], report: Object) -> None:
    protocol = story(
        (REQUESTS, "ADDED", request("Deploying", "chat-dgd")),
        (GRAPHS, "ADDED", graph(**report)),
        (REQUESTS, "MODIFIED", request("Deployed", "chat-dgd")),
    )

    assert [words[:2] for words in broken(protocol)] == ["P6"]


def test_what_the_platform_makes_it_may_name_afterwards(story: Callable[..., list[Seen]]) -> None:
    made = graph()
    made["metadata"]["labels"]["nvidia.com/managed-by"] = "dynamo-operator"

    assert broken(story((REQUESTS, "ADDED", request()), (GRAPHS, "ADDED", made))) == []


@pytest.mark.parametrize("manager", ["dgdr-operator", "dgdr-operator-status"])
@pytest.mark.parametrize(("plural", "body"), [(REQUESTS, request()), (GRAPHS, graph())], ids=["request", "graph"])
def test_our_hand_on_what_is_the_platforms_is_a_trespass(
    story: Callable[..., list[Seen]], plural: str, body: Object, manager: str
) -> None:
    theirs, ours = (
        {**body, "metadata": {**body["metadata"], "managedFields": [{"manager": one}]}} for one in ("user", manager)
    )

    assert trespasses(story((plural, "ADDED", theirs))) == []
    assert trespasses(story((plural, "ADDED", theirs), (plural, "MODIFIED", ours))) != []
