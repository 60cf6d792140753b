"""Where the platform's planner counts the workers, the controller does not: it leaves their number as it finds it."""

from __future__ import annotations

from typing import Any

import pytest

from dgdr_operator.controller.life import Life
from tests.cluster.user import User
from tests.fakes.asked import Object


def component(graph: Object | None, kind: str) -> dict[str, Any]:
    """The component of that type."""
    assert graph is not None
    found: dict[str, Any] = next(part for part in graph["spec"]["components"] if part["type"] == kind)
    return found


def main(part: dict[str, Any]) -> dict[str, Any]:
    """Its main container."""
    found: dict[str, Any] = part["podTemplate"]["spec"]["containers"][0]
    return found


async def counted(user: User, replicas: int, **spec: object) -> None:
    """A request with a planner, whose graph somebody scales to so many workers."""
    await user.ask("chat", features={"planner": {}}, **spec)
    await user.wait(lambda: user.condition("chat", "Synced"), "the graph to be noticed")
    await user.edit_graph("chat-dgd", lambda graph: component(graph, "decode").update(replicas=replicas))


async def test_a_number_that_the_planner_chose_is_no_drift(user: User, controller: Life) -> None:
    await counted(user, 7)

    controller.sweep()
    await user.report("chat-dgd", "successful")
    await user.wait(lambda: user.status("chat").get("phase") == "Deployed", "the graph to serve")

    assert component(user.graph("chat-dgd"), "decode")["replicas"] == 7
    assert user.condition("chat", "Synced")["status"] == "True"


@pytest.mark.usefixtures("controller")
async def test_it_survives_when_something_else_is_put_back(user: User) -> None:
    await counted(user, 7)
    image = main(component(user.graph("chat-dgd"), "decode"))["image"]

    await user.edit_graph("chat-dgd", lambda graph: main(component(graph, "decode")).update(image="other:1.0.0"))

    await user.wait(lambda: main(component(user.graph("chat-dgd"), "decode"))["image"] == image, "the image to return")
    assert component(user.graph("chat-dgd"), "decode")["replicas"] == 7


@pytest.mark.usefixtures("controller")
async def test_it_survives_another_plan(user: User) -> None:
    await counted(user, 7)
    before = main(component(user.graph("chat-dgd"), "decode"))["args"]

    await user.ask("chat", features={"planner": {}}, workload={"isl": 1000, "osl": 200})

    await user.wait(lambda: main(component(user.graph("chat-dgd"), "decode"))["args"] != before, "the new plan")
    assert component(user.graph("chat-dgd"), "decode")["replicas"] == 7


@pytest.mark.usefixtures("controller")
async def test_without_a_planner_the_number_is_ours(user: User) -> None:
    await user.ask("chat")
    await user.wait(lambda: user.condition("chat", "Synced"), "the graph to be noticed")
    planned = component(user.graph("chat-dgd"), "worker")["replicas"]

    await user.edit_graph("chat-dgd", lambda graph: component(graph, "worker").update(replicas=planned + 3))

    await user.wait(lambda: component(user.graph("chat-dgd"), "worker")["replicas"] == planned, "the number to return")
