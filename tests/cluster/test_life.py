"""The whole controller on a small API server: a request's life, and the faults of a cluster."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from contextlib import aclosing
from typing import Any

import pytest

from dgdr_operator.controller.cluster import Cluster, Kind
from dgdr_operator.controller.life import Life
from tests.cluster.user import GRAPHS, REQUESTS, User
from tests.fakes.asked import Asked, Fault
from tests.fakes.server import ApiServer

KIND = Kind(group="nvidia.com", version="v1beta1", plural=REQUESTS)


def times(count: int, fault: Fault, which: Callable[[Asked], bool]) -> Callable[[Asked], Fault | None]:
    """*fault* for the first *count* requests that are *which*."""
    left = [fault] * count
    return lambda asked: left.pop() if left and which(asked) else None


def writes_graph(asked: Asked) -> bool:
    """An apply of a graph."""
    return asked.verb == "patch" and asked.resource == GRAPHS


def writes_status(asked: Asked) -> bool:
    """An apply of a request's status."""
    return asked.verb == "patch" and asked.resource == f"{REQUESTS}/status"


@pytest.mark.usefixtures("controller")
async def test_a_request_becomes_a_graph_and_follows_its_state(user: User, server: ApiServer) -> None:
    await user.ask("chat")
    await user.wait_phase("chat", "Deploying")
    await user.wait(lambda: user.graph("chat-dgd"), "the graph")
    await user.report("chat-dgd", "successful")
    await user.wait_phase("chat", "Deployed")
    await user.report("chat-dgd", "pending")
    await user.wait_phase("chat", "Deploying")

    assert user.condition("chat", "DeploymentReady")["reason"] == "DeploymentDegraded"
    assert {asked.manager for asked in server.writes} == {"dgdr-operator", "dgdr-operator-status"}


@pytest.mark.usefixtures("controller")
async def test_a_life_cycle_costs_at_most_six_writes_and_four_events(user: User, server: ApiServer) -> None:
    await user.ask("first")  # an estimator that still starts would cost the next request a status of its own
    await user.wait(lambda: user.condition("first", "Synced"), "the estimator to be awake")
    before = len(server.writes)

    await user.ask("chat")
    await user.wait(lambda: user.condition("chat", "Synced"), "the graph to be noticed")
    for state in ("initializing", "pending", "successful"):
        await user.report("chat-dgd", state)
        await asyncio.sleep(0.1)
    await user.wait_phase("chat", "Deployed")

    written = server.writes[before:]
    events = [asked for asked in written if asked.resource == "events"]
    assert len(events) <= 4
    assert len(written) - len(events) <= 6


@pytest.mark.usefixtures("controller")
async def test_at_rest_nothing_is_written(user: User, server: ApiServer, controller: Life) -> None:
    await user.ask("chat")
    await user.ask("odd", sla={"ttft": -1})
    await user.wait(lambda: user.condition("chat", "Synced"), "the graph to be noticed")
    await user.wait_phase("odd", "Failed")
    await asyncio.sleep(0.2)
    before = list(server.writes)

    controller.sweep()
    await asyncio.sleep(0.5)

    assert server.writes == before


@pytest.mark.usefixtures("controller")
async def test_a_graph_deleted_unnoticed_is_found_by_the_sweep(user: User, controller: Life) -> None:
    await user.ask("chat")
    await user.wait(lambda: user.condition("chat", "Synced"), "the graph to be noticed")
    await user.delete_graph("chat-dgd", silently=True)

    controller.sweep()

    await user.wait(lambda: user.graph("chat-dgd"), "the graph to come back")


@pytest.mark.usefixtures("controller")
@pytest.mark.parametrize("which", [writes_graph, writes_status])
@pytest.mark.parametrize(
    "fault",
    [
        Fault(status=500),
        Fault(status=409),
        Fault(status=429, headers={"Retry-After": "1"}),
        Fault(status=503),
    ],
    ids=lambda fault: str(fault.status),
)
async def test_passing_faults_pass(user: User, server: ApiServer, fault: Fault, which: Callable[[Asked], bool]) -> None:
    server.fault = times(2, fault, which)

    await user.ask("chat")

    await user.wait(lambda: user.graph("chat-dgd"), "the graph")
    await user.wait_phase("chat", "Deploying")
    assert list(server.store.objects[GRAPHS]) == [("team", "chat-dgd")]


@pytest.mark.usefixtures("controller")
async def test_what_the_cluster_rejects_is_told_in_its_words_and_an_edit_tries_again(
    user: User, server: ApiServer
) -> None:
    server.fault = times(1, Fault(status=422, message="spec.components: too many"), writes_graph)

    await user.ask("chat")
    await user.wait_phase("chat", "Failed")
    said = user.condition("chat", "Succeeded")["message"]
    await user.ask("chat", workload={"isl": 3000, "osl": 300})
    await user.wait(lambda: user.graph("chat-dgd"), "the graph")

    assert said == "Deployment failed: spec.components: too many"


@pytest.mark.usefixtures("controller")
async def test_a_missing_right_is_named(user: User, server: ApiServer) -> None:
    sentence = 'User "x" cannot patch resource "dynamographdeployments" in API group "nvidia.com"'
    server.fault = times(9, Fault(status=403, message=sentence), writes_graph)

    await user.ask("chat")
    await user.wait(lambda: user.condition("chat", "Synced").get("reason") == "PermissionMissing", "the condition")

    assert user.condition("chat", "Synced")["message"] == sentence


@pytest.mark.usefixtures("controller")
async def test_the_name_of_anothers_graph_is_not_taken_over(user: User, server: ApiServer) -> None:
    theirs = {"metadata": {"name": "chat-dgd", "namespace": "team"}, "spec": {"backendFramework": "vllm"}}
    await server.put(GRAPHS, {"apiVersion": "nvidia.com/v1beta1", "kind": "DynamoGraphDeployment", **theirs})

    await user.ask("chat")
    await user.wait_phase("chat", "Failed")
    said = user.condition("chat", "Succeeded")["message"]
    await user.delete_graph("chat-dgd")
    await user.wait_phase("chat", "Deploying")

    assert "made by somebody else" in said


async def test_lists_longer_than_a_page_are_read_to_the_end(user: User, server: ApiServer, cluster: Cluster) -> None:
    server.reads.page = 2
    for number in range(5):
        await user.ask(f"r{number}")

    pages = [page async for page, _ in cluster.pages(KIND, dict[str, Any])]

    assert [len(page) for page in pages] == [2, 2, 1]


async def test_whoever_stops_reading_a_list_leaves_no_question_behind(
    user: User, server: ApiServer, cluster: Cluster
) -> None:
    server.reads.page = 1
    for number in range(3):
        await user.ask(f"r{number}")

    async with aclosing(cluster.pages(KIND, dict[str, Any])) as pages:
        await anext(pages)
    await asyncio.sleep(0)

    assert not [task for task in asyncio.all_tasks() if "Cluster" in repr(task.get_coro())]


@pytest.mark.usefixtures("controller")
async def test_a_deleted_request_leaves_its_graph(user: User, server: ApiServer) -> None:
    await user.ask("chat")
    await user.wait(lambda: user.condition("chat", "Synced"), "the graph to be noticed")

    await server.store.delete(REQUESTS, ("team", "chat"))
    await asyncio.sleep(0.3)
    await user.delete_graph("chat-dgd")
    await asyncio.sleep(0.5)

    assert user.graph("chat-dgd") is None


@pytest.mark.usefixtures("controller")
@pytest.mark.parametrize("word", ["\U0001f600", "\u202e", "\x85", "\x7f", "caf\u00e9", "\\ud83d"], ids=ascii)
async def test_what_a_user_wrote_is_answered_in_any_script(user: User, word: str) -> None:
    await user.ask("chat", model=f"Nobody/{word}")

    await user.wait_phase("chat", "Failed")
    assert "Nobody/" in user.condition("chat", "Succeeded")["message"]
