"""C17: GPU nodes come, are relabelled and go."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import pytest
import yaml

from e2e.operator_process import ROOT
from tests.cluster.stage.stage import Stage
from tests.fakes.asked import Object


@pytest.fixture
def nodes(stage: Stage) -> Iterator[Callable[[], list[Object]]]:
    """Call it, and GPU nodes stand in the cluster until the test ends."""
    listed = yaml.safe_load((ROOT / "examples" / "nodes.yaml").read_text())["items"]

    def appear() -> list[Object]:
        for node in listed:
            made = stage.api.create("nodes", {**node, "status": {}})
            taints = {**made["spec"], "taints": []}  # a kubelet would see to this
            made = stage.api.replace("nodes", {**made, "spec": taints})
            stage.api.replace("nodes", {**made, "status": node["status"]}, "status")
        return list(listed)

    yield appear
    for node in listed:
        stage.api.delete("nodes", "", node["metadata"]["name"])


@pytest.mark.chaos
def test_c17_nodes_that_come_mend_a_request_and_nodes_that_go_leave_it_alone(
    stage: Stage, nodes: Callable[[], list[Object]]
) -> None:
    stage.ask("trusting", hardware={})
    stage.until("Failed", "trusting")

    stood = nodes()
    stage.settled("trusting")
    before = stage.graph("trusting") or {}
    for node in stood:
        name = node["metadata"]["name"]
        stage.api.patch("nodes", "", name, {"metadata": {"labels": {"example.com/shelf": "3"}}})
    relabelled = stage.quiet()
    for node in stood:
        stage.api.delete("nodes", "", node["metadata"]["name"])

    assert relabelled == []
    stage.quiet()
    after = stage.graph("trusting") or {}
    assert after["metadata"]["uid"] == before["metadata"]["uid"]
    assert after["spec"] == before["spec"]
