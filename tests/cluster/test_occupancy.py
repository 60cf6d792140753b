"""What pods hold is counted page by page, only while somebody waits for a plan, and is what plans rest on."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from dgdr_operator.controller.clock import Clock
from dgdr_operator.controller.cluster import Cluster
from dgdr_operator.controller.discovery import PERIOD, Discovery
from dgdr_operator.controller.life import Life
from dgdr_operator.settings import Settings
from tests.cluster.user import NAMESPACE, User
from tests.fakes.asked import Fault
from tests.fakes.server import ApiServer
from tests.journey.nodes import node, pod


async def furnished(server: ApiServer, *held: int, graph: str | None = None) -> None:
    """A node with eight GPUs for each number, of which a pod holds so many."""
    for index, gpus in enumerate(held):
        body = node()
        body["metadata"]["name"] = f"gpu-{index}"
        await server.store.put("nodes", body)
        if gpus:
            holder = pod(f"gpu-{index}", gpus, namespace=NAMESPACE, graph=graph)
            holder["metadata"]["name"] = f"holder-{index}"
            await server.store.put("pods", holder)


def free(discovery: Discovery) -> dict[int, int]:
    """Nodes by free GPUs."""
    assert discovery.inventory is not None
    (group,) = discovery.inventory.groups
    return dict(group.free)


def listed(server: ApiServer, plural: str) -> int:
    """How often a list was begun."""
    return sum(one.verb == "list" and one.plural == plural and not one.continues for one in server.log)


async def test_pods_are_summed_over_pages(server: ApiServer, cluster: Cluster) -> None:
    server.reads.page = 1
    await furnished(server, 0, 3, 8)
    discovery = Discovery(cluster, lambda _: None)

    await discovery.look()

    assert free(discovery) == {0: 1, 5: 1, 8: 1}


async def test_pods_are_not_looked_at_while_nobody_waits(server: ApiServer, cluster: Cluster) -> None:
    await furnished(server, 4)
    now, waiting = [0.0], [False]
    discovery = Discovery(cluster, lambda _: None, waiting=lambda: waiting[0], clock=Clock(seconds=lambda: now[0]))

    for _ in range(3):
        await discovery.look()
    once = listed(server, "pods")
    now[0] = PERIOD + 1
    await discovery.fresh()
    await discovery.fresh()

    assert (once, listed(server, "pods")) == (1, 2)


async def test_what_changed_is_told_apart_from_who_holds_it(server: ApiServer, cluster: Cluster) -> None:
    told: list[bool] = []
    await furnished(server, 0)
    discovery = Discovery(cluster, told.append)

    await discovery.look()
    await furnished(server, 4)
    await discovery.look()
    await furnished(server, 4, 4)
    await discovery.look()

    assert told == [True, False, True]


@pytest.mark.parametrize("mode", ["total", "elastic"])
async def test_where_pods_do_not_count_they_are_not_listed(server: ApiServer, cluster: Cluster, mode: Any) -> None:  # noqa: ANN401 - a word of the settings
    await furnished(server, 4)
    discovery = Discovery(cluster, lambda _: None, settings=Settings(inventory=mode))

    await discovery.look()

    assert free(discovery) == {8: 1}
    assert listed(server, "pods") == 0


async def test_without_the_right_to_list_pods_everything_counts_as_free(server: ApiServer, cluster: Cluster) -> None:
    await furnished(server, 4)
    sentence = 'User "x" cannot list resource "pods" in API group "" at the cluster scope'
    server.fault = lambda asked: Fault(status=403, message=sentence) if asked.plural == "pods" else None
    discovery = Discovery(cluster, lambda _: None)

    await discovery.look()

    assert free(discovery) == {8: 1}


async def test_a_fault_while_counting_keeps_what_was_known(server: ApiServer, cluster: Cluster) -> None:
    now = [0.0]
    await furnished(server, 4)
    discovery = Discovery(cluster, lambda _: None, clock=Clock(seconds=lambda: now[0]))
    await discovery.look()
    server.fault = lambda asked: Fault(status=503) if asked.plural == "pods" else None

    now[0] = PERIOD + 1
    await discovery.fresh()

    assert free(discovery) == {4: 1}


async def test_a_request_sees_its_own_pods_as_free_and_its_quota(server: ApiServer, cluster: Cluster) -> None:
    await furnished(server, 6, graph="chat-dgd")
    hard = {"requests.nvidia.com/gpu": "7"}
    quota = {"metadata": {"name": "gpus", "namespace": NAMESPACE}, "spec": {"hard": hard}}
    await server.store.put(
        "resourcequotas", {**quota, "status": {"hard": hard, "used": {"requests.nvidia.com/gpu": "6"}}}
    )
    discovery = Discovery(cluster, lambda _: None)
    await discovery.look()

    request = {"metadata": {"namespace": NAMESPACE}, "status": {"dgdName": "chat-dgd"}}
    own, other = discovery.seen_by(request), discovery.seen_by({"metadata": {"namespace": NAMESPACE}})

    assert own is not None
    assert other is not None
    assert (dict(own.groups[0].free), own.limit) == ({8: 1}, 7)
    assert (dict(other.groups[0].free), other.limit) == ({2: 1}, 1)


async def test_a_request_that_lacks_free_gpus_is_planned_when_there_are_some(
    server: ApiServer, user: User, controller: Life
) -> None:
    await furnished(server, 7, 7)
    await controller.discovery.look()
    await user.ask("chat", hardware={}, sla={"ttft": 600, "itl": 9}, workload={"isl": 4000, "osl": 500})
    await user.wait_phase("chat", "Failed")
    assert "free now: 2 GPUs: 1 on 2 nodes" in user.condition("chat", "Succeeded")["message"]

    await server.store.delete("pods", (NAMESPACE, "holder-0"))
    await controller.discovery.look()

    await user.wait(lambda: user.graph("chat-dgd"), "the graph")


async def test_a_graph_that_stands_is_left_alone_when_others_take_gpus(
    server: ApiServer, user: User, controller: Life
) -> None:
    await furnished(server, 0)
    await controller.discovery.look()
    await user.ask("chat", hardware={})
    await user.wait(lambda: user.graph("chat-dgd"), "the graph")
    await user.report("chat-dgd", "successful")
    await user.wait_phase("chat", "Deployed")
    before = user.graph("chat-dgd")

    await furnished(server, 8)
    await controller.discovery.look()
    await asyncio.sleep(0.5)

    assert user.graph("chat-dgd") == before
