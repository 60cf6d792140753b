"""The nodes: read page by page, told once when they change, and good enough to plan by."""

from __future__ import annotations

from pathlib import Path

import pytest
import yaml

from dgdr_operator.controller.cluster import Cluster
from dgdr_operator.controller.discovery import Discovery
from tests.cluster.user import User
from tests.fakes.asked import Fault
from tests.fakes.server import ApiServer


@pytest.fixture
def nodes(root: Path) -> list[dict[str, object]]:
    """Two nodes with GPUs."""
    listed = yaml.safe_load((root / "examples" / "nodes.yaml").read_text())
    found: list[dict[str, object]] = listed["items"]
    return found


async def test_a_change_of_the_nodes_is_told_once(
    server: ApiServer, cluster: Cluster, nodes: list[dict[str, object]]
) -> None:
    server.reads.page = 1
    told: list[str] = []
    discovery = Discovery(cluster, lambda _: told.append(discovery.inventory.hash if discovery.inventory else ""))

    await discovery.look()
    for node in nodes:
        await server.store.put("nodes", node)
    await discovery.look()
    await discovery.look()

    assert len(told) == len(set(told)) == 2
    assert discovery.inventory is not None
    assert sum(group.gpus for group in discovery.inventory.groups) == 16


async def test_without_the_right_to_list_nodes_there_is_no_inventory(server: ApiServer, cluster: Cluster) -> None:
    sentence = 'User "x" cannot list resource "nodes" in API group "" at the cluster scope'
    server.fault = lambda asked: Fault(status=403, message=sentence) if asked.resource == "nodes" else None
    discovery = Discovery(cluster, lambda _: None)

    await discovery.look()

    assert discovery.inventory is None
    assert discovery.loaded.is_set()


@pytest.mark.usefixtures("nodes_there", "controller")
async def test_hardware_that_a_request_leaves_out_is_found_on_the_nodes(user: User) -> None:
    await user.ask("chat", hardware={})

    await user.wait(lambda: user.graph("chat-dgd"), "the graph")


@pytest.fixture
async def nodes_there(server: ApiServer, nodes: list[dict[str, object]]) -> None:
    """The nodes stand in the cluster before the controller starts."""
    for node in nodes:
        await server.store.put("nodes", node)


@pytest.mark.usefixtures("controller")
async def test_without_nodes_the_message_says_what_to_name(user: User) -> None:
    await user.ask("chat", hardware={})
    await user.wait_phase("chat", "Failed")

    assert "spec.hardware.gpuSku" in user.condition("chat", "Succeeded")["message"]
