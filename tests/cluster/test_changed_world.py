"""An upgrade under a graph that serves: another plan is shown, nothing is touched, and a word lets it through."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import pytest

from dgdr_operator.controller.apply import Kinds
from dgdr_operator.controller.clock import Clock
from dgdr_operator.controller.cluster import GRAPH_PLURAL, REQUEST_PLURAL, Cluster, preferred
from dgdr_operator.controller.life import Life, Scope
from dgdr_operator.planned import APPROVE
from dgdr_operator.settings import Settings
from tests.cluster.user import GRAPHS, NAMESPACE, REQUESTS, User
from tests.fakes.server import ApiServer

HOLD = 0.3


@asynccontextmanager
async def released(cluster: Cluster, dynamo: str) -> AsyncIterator[None]:
    """A controller whose plans are for that release of Dynamo."""
    served = await cluster.served()
    request, graph = preferred(served, REQUEST_PLURAL), preferred(served, GRAPH_PLURAL)
    assert request is not None
    assert graph is not None
    settings = Settings(graph_versions=("v1beta1",), dynamo_version=dynamo)
    kinds = Kinds(request=request, graph=graph)
    life = Life(cluster, Scope(kinds=kinds, namespace=None, slots=1, settings=settings, hold=HOLD), Clock())
    stop = asyncio.Event()
    work = asyncio.create_task(life.last(stop, asyncio.create_task(_never())))
    yield
    stop.set()
    await work


async def _never() -> None:
    await asyncio.Event().wait()


def image(user: User) -> str:
    """What the workers run."""
    graph = user.graph("chat-dgd") or {}
    (main,) = graph["spec"]["components"][1]["podTemplate"]["spec"]["containers"]
    return str(main["image"])


async def annotate(server: ApiServer, name: str, value: str) -> None:
    """The user annotates the request."""
    body = json.loads(json.dumps(server.store.objects[REQUESTS][NAMESPACE, "chat"]))
    body["metadata"].setdefault("annotations", {})[name] = value
    await server.put(REQUESTS, body)


@pytest.fixture
async def served(cluster: Cluster, user: User) -> str:
    """A request whose graph serves, planned by the older release; its version."""
    async with released(cluster, "1.2.0"):
        await user.ask("chat")
        await user.wait(lambda: user.graph("chat-dgd"), "the graph")
        await user.report("chat-dgd", "successful")
        await user.wait_phase("chat", "Deployed")
    return str((user.graph("chat-dgd") or {})["metadata"]["resourceVersion"])


async def test_a_new_release_shows_its_plan_and_applies_it_only_when_that_is_approved(
    served: str, cluster: Cluster, user: User, server: ApiServer
) -> None:
    async with released(cluster, "1.4.0"):
        await user.wait(lambda: user.condition("chat", "Synced").get("reason") == "ReplanPending", "the plan to wait")
        untouched, phase = (user.graph("chat-dgd") or {})["metadata"]["resourceVersion"], user.status("chat")["phase"]
        report = server.store.objects["configmaps"][NAMESPACE, "dgdr-report-chat"]["data"]
        await annotate(server, APPROVE, report["pending-hash"])
        await user.wait(lambda: image(user).endswith(":1.4.0"), "the new release")
        await user.report("chat-dgd", "successful")
        await user.wait(lambda: user.condition("chat", "Synced").get("status") == "True", "rest")

    assert (untouched, phase) == (served, "Deployed")
    assert "image" in report["diff.txt"]


async def test_a_request_that_wants_no_other_plan_is_not_bothered(
    served: str, cluster: Cluster, user: User, server: ApiServer
) -> None:
    await annotate(server, "dgdr-operator.io/replan-policy", "never")
    async with released(cluster, "1.4.0"):
        await asyncio.sleep(3 * HOLD)
        await user.ask("other")
        await user.wait(lambda: user.graph("other-dgd"), "a graph of the new release")

    assert (user.graph("chat-dgd") or {})["metadata"]["resourceVersion"] == served
    assert user.condition("chat", "Synced")["status"] == "True"
    assert len(server.store.objects[GRAPHS]) == 2
