"""A deployment as kubectl shows it: the pods that the platform makes of a graph, on nodes with GPUs and RDMA."""

import copy
from collections.abc import Mapping
from typing import Any

from dgdr_operator.inventory import GRAPH
from dgdr_operator.manifest import graph
from dgdr_operator.report.evidence import Evidence
from tests.manifests import plans

SHM = "/dev/shm"  # noqa: S108 -- where pods have it
UCX = "[1732200000.1] [node:1:0]  ucp_worker.c:1888 UCX  INFO    ep_cfg[2]: rma(rc_mlx5/mlx5_0:1 cuda_copy/cuda)"
SLOW_UCX = "[1732200000.1] [node:1:0]  ucp_worker.c:1888 UCX  INFO    ep_cfg[2]: rma(tcp/eth0)"
STARTED = "2026-11-21 10:00:00 NIXL INFO    Backend UCX was instantiated"
Tree = dict[str, Any]


def a_graph(*, apart: bool = True) -> Tree:
    """The customer's graph, disaggregated or not."""
    return graph.build(plans.DISAGGREGATED if apart else plans.AGGREGATED, plans.a_site()).objects[-1]


def _pod(name: str, component: Mapping[str, Any], graph_name: str, node: str) -> Tree:
    spec = copy.deepcopy(component["podTemplate"]["spec"])
    if component.get("sharedMemorySize"):
        memory = {"medium": "Memory", "sizeLimit": component["sharedMemorySize"]}
        spec.setdefault("volumes", []).append({"name": "shared-memory", "emptyDir": memory})
        spec["containers"][0].setdefault("volumeMounts", []).append({"name": "shared-memory", "mountPath": SHM})
    labels = {GRAPH: graph_name, "nvidia.com/dynamo-component-type": component["type"]}
    status = {
        "phase": "Running",
        "conditions": [{"type": "PodScheduled", "status": "True"}],
        "containerStatuses": [{"name": "main", "restartCount": 0, "state": {"running": {}}}],
    }
    metadata = {"name": name, "namespace": "inference", "labels": labels}
    return {"kind": "Pod", "metadata": metadata, "spec": {**spec, "nodeName": node}, "status": status}


def pods_of(written: Mapping[str, Any], node: str = "gpu-0") -> list[Tree]:
    """Running pods for every replica of every component."""
    name = written["metadata"]["name"]
    return [
        _pod(f"{name}-{component['name'].lower()}-{copy_}", component, name, node)
        for component in written["spec"]["components"]
        for copy_ in range(component["replicas"])
    ]


def a_node(name: str = "gpu-0", **allocatable: str) -> Tree:
    """A node with eight GPUs and as many RDMA devices."""
    offered = {"nvidia.com/gpu": "8", "rdma/ib": "8", **allocatable}
    labels = {"nvidia.com/rdma.present": "true"}
    return {"kind": "Node", "metadata": {"name": name, "labels": labels}, "status": {"allocatable": offered}}


def a_claim(name: str = "model-cache", mode: str = "ReadWriteMany", phase: str = "Bound") -> Tree:
    """The claim that holds the model."""
    kind = {"kind": "PersistentVolumeClaim", "metadata": {"name": name}}
    return {**kind, "spec": {"accessModes": [mode]}, "status": {"phase": phase}}


def healthy(**changes: Any) -> Evidence:  # noqa: ANN401 -- fields of the evidence
    """A disaggregated deployment in which everything is as it should be, with *changes*."""
    written = {**a_graph(), "status": {"state": "successful"}}
    pods = changes.pop("pods", None) or pods_of(written)
    given: dict[str, Any] = {
        "pods": tuple(pods),
        "nodes": (a_node(),),
        "graph": written,
        "logs": {pod["metadata"]["name"]: f"{STARTED}\n{UCX}\n" for pod in pods},
        "secrets": frozenset({"hf-token-secret"}),
        "claims": (a_claim(),),
    }
    return Evidence(**{**given, **changes})
