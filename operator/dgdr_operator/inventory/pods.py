"""GPUs that pods hold: summed page by page, by node; what each graph's own pods hold is remembered beside it."""

from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping
from typing import Any

from dgdr_operator.inventory.amounts import GPU, count, inner

GRAPH = "nvidia.com/dynamo-graph-deployment-name"
"""Label by which the Dynamo operator names the graph of a pod."""
FINISHED = ("Succeeded", "Failed")
"""Phases of pods that hold nothing any more."""

GraphName = tuple[str, str]
"""Namespace and name of a graph."""


class Usage:
    """GPUs requested on each node by unfinished pods, and those of them that belong to a graph's own pods."""

    def __init__(self, pods: Iterable[Mapping[str, Any]] = ()) -> None:
        self.by_node: Counter[str] = Counter()
        self.by_graph: defaultdict[GraphName, Counter[str]] = defaultdict(Counter)
        self.add(pods)

    def add(self, pods: Iterable[Mapping[str, Any]]) -> None:
        """Counts one page; the pods are not kept."""
        for pod in pods:
            node = inner(pod, "spec").get("nodeName")
            if not node or inner(pod, "status").get("phase") in FINISHED or not (gpus := requested(pod)):
                continue
            self.by_node[node] += gpus
            metadata = inner(pod, "metadata")
            graph = inner(metadata, "labels").get(GRAPH)
            if graph:
                self.by_graph[str(metadata.get("namespace", "")), graph][node] += gpus


def requested(pod: Mapping[str, Any]) -> int:
    """GPUs that the scheduler sets aside for *pod*: its containers together, or the largest moment of its start.

    An init container with restartPolicy Always keeps running, so it counts with all that come after it.
    """
    spec = inner(pod, "spec")
    lasting = starting = 0
    for container in spec.get("initContainers") or ():
        gpus = _of(container)
        if container.get("restartPolicy") == "Always":
            lasting += gpus
            starting = max(starting, lasting)
        else:
            starting = max(starting, lasting + gpus)
    return max(starting, lasting + sum(_of(container) for container in spec.get("containers") or ()))


def _of(container: Mapping[str, Any]) -> int:
    resources = inner(container, "resources")
    return count(inner(resources, "requests").get(GPU, inner(resources, "limits").get(GPU)))
