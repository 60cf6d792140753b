"""What a graph's pods mount comes before the graph, goes with it, and is put back when somebody takes it away."""

from __future__ import annotations

import pytest

from dgdr_operator.controller.life import Life
from tests.cluster.user import GRAPHS, NAMESPACE, User
from tests.fakes.asked import Name, Object
from tests.fakes.server import ApiServer

CONFIG_MAPS = "configmaps"


def engine_files(server: ApiServer) -> dict[Name, Object]:
    """The ConfigMaps with engine files in the user's namespace."""
    held = server.store.objects[CONFIG_MAPS].items()
    return {name: body for name, body in held if name[0] == NAMESPACE and "-engine-" in name[1]}


async def asked(user: User) -> None:
    """A request for the engine that reads a file, and its graph."""
    await user.ask("chat", backend="trtllm")
    await user.wait(lambda: user.condition("chat", "Synced"), "the graph to be noticed")


@pytest.mark.usefixtures("controller")
async def test_engine_files_are_there_before_the_graph_that_mounts_them(user: User, server: ApiServer) -> None:
    await asked(user)

    written = [one.resource for one in server.writes if one.resource == GRAPHS or "-engine-" in one.name]
    assert written == [CONFIG_MAPS, GRAPHS, CONFIG_MAPS]
    graph = user.graph("chat-dgd")
    assert graph is not None
    ((name, found),) = engine_files(server).items()
    assert f"name': '{name[1]}'" in str(graph["spec"])
    assert [owner["uid"] for owner in found["metadata"]["ownerReferences"]] == [graph["metadata"]["uid"]]


@pytest.mark.usefixtures("controller")
async def test_engine_files_that_were_deleted_come_back(user: User, server: ApiServer, controller: Life) -> None:
    await asked(user)
    ((name, found),) = engine_files(server).items()
    await server.store.delete(CONFIG_MAPS, name)

    controller.sweep()
    await user.ask("chat", backend="trtllm", autoApply=True)

    await user.wait(lambda: engine_files(server).get(name, {}).get("data") == found["data"], "the engine files")


@pytest.mark.usefixtures("controller")
async def test_an_engine_without_files_writes_none(user: User, server: ApiServer) -> None:
    await user.ask("chat", backend="sglang")
    await user.wait(lambda: user.condition("chat", "Synced"), "the graph to be noticed")

    assert not engine_files(server)
