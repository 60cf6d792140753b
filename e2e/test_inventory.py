"""GPUs are counted on real Node and Pod objects: a plan fits what is free, in the pieces that are free."""

from __future__ import annotations

import json
import secrets
from collections.abc import Callable, Iterator

import pytest

from e2e.cluster import Cluster
from e2e.conftest import StartOperator
from e2e.user import Object, User, example, with_spec
from e2e.waiting import eventually

GPU = "nvidia.com/gpu"
QUICK = {"ttft": 600, "itl": 9}
"""Targets that a worker of one GPU cannot keep."""

Servers = Callable[..., list[str]]


@pytest.fixture
def servers(cluster: Cluster) -> Iterator[Servers]:
    """Makes Ready nodes with so many H200 each; no kubelet stands behind them."""
    if not cluster.disposable:
        pytest.skip("nodes are made up only in a cluster that ends with the tests")
    made: list[str] = []

    def make(count: int, gpus: int) -> list[str]:
        names = [f"gpu-{secrets.token_hex(3)}" for _ in range(count)]
        labels = {"nvidia.com/gpu.present": "true", "nvidia.com/gpu.product": "NVIDIA-H200"}
        for name in names:
            body = {"apiVersion": "v1", "kind": "Node", "metadata": {"name": name, "labels": labels}}
            cluster.apply(body)
            made.append(name)
            ready = {"type": "Ready", "status": "True", "reason": "KubeletReady", "message": "made by hand"}
            offered = {"allocatable": {GPU: str(gpus)}, "capacity": {GPU: str(gpus)}, "conditions": [ready]}
            cluster.kubectl("patch", "node", name, "--subresource=status", "-p", json.dumps({"status": offered}))
            cluster.kubectl("patch", "node", name, "--type=merge", "-p", json.dumps({"spec": {"taints": []}}))
        return names

    yield make
    if made:
        cluster.kubectl("delete", "node", "--wait=false", *made)


def holding(namespace: str, node: str, gpus: int) -> Object:
    """A pod of somebody else's, on *node*."""
    limits = {GPU: str(gpus)}
    main = {"name": "main", "image": "registry.example.com/training:1", "resources": {"limits": limits}}
    metadata = {"name": f"training-{node}", "namespace": namespace}
    return {"apiVersion": "v1", "kind": "Pod", "metadata": metadata, "spec": {"nodeName": node, "containers": [main]}}


def pods_of(graph: Object) -> list[int]:
    """GPUs of every worker pod."""
    found: list[int] = []
    for component in graph["spec"]["components"]:
        main = component["podTemplate"]["spec"]["containers"][0]
        gpus = int(main.get("resources", {}).get("limits", {}).get(GPU, 0))
        found += [gpus] * component["replicas"] if gpus else []
    return found


def test_a_plan_fits_the_gpus_that_are_free_and_comes_when_they_are(
    cluster: Cluster, user: User, servers: Servers, start_operator: StartOperator
) -> None:
    nodes = servers(4, 4)
    eventually(lambda: cluster.kubectl("-n", user.namespace, "get", "serviceaccounts", "-o", "name"), "an account")
    cluster.apply(*(holding(user.namespace, name, 3) for name in nodes))
    operator = start_operator("--namespace", user.namespace)

    user.apply(with_spec(example("01", "whole"), hardware={}, autoApply=True))
    user.apply(with_spec(example("01", "quick"), hardware={}, sla=QUICK, workload={"isl": 4000, "osl": 500}))

    found = pods_of(user.wait_graph("whole-dgd"))
    assert max(found) == 1
    assert sum(found) <= 4
    user.wait("quick", "Failed")
    assert "binding=gpus" in user.message("quick")
    assert "free now: 4 GPUs: 1 on 4 nodes" in user.message("quick")

    cluster.kubectl("-n", user.namespace, "delete", "pod", "--all", "--grace-period=0", "--force")
    operator.restart()

    user.wait_graph("quick-dgd")
