"""Node objects as the API server would give them."""

from typing import Any


def node(
    product: str = "NVIDIA-H200",
    gpus: int | str = 8,
    *,
    ready: bool = True,
    devices: dict[str, Any] | None = None,
    spec: dict[str, Any] | None = None,
) -> dict[str, Any]:
    """A ready server with eight H200, changed as told."""
    labels = {"nvidia.com/gpu.product": product, "nvidia.com/gpu.memory": "143771"}
    conditions = [{"type": "MemoryPressure", "status": "False"}, {"type": "Ready", "status": str(ready)}]
    allocatable = {"cpu": "192", "nvidia.com/gpu": str(gpus), **(devices or {})}
    return {
        "metadata": {"name": "n", "labels": labels},
        "spec": spec or {},
        "status": {"allocatable": allocatable, "conditions": conditions},
    }


def pod(
    name: str, gpus: int, *, phase: str = "Running", namespace: str = "team", graph: str | None = None
) -> dict[str, Any]:
    """A pod on the node *name* ("" for one that waits) that holds so many GPUs, of *graph* if it is one's."""
    labels = {"nvidia.com/dynamo-graph-deployment-name": graph} if graph else {}
    return {
        "metadata": {"name": "p", "namespace": namespace, "labels": labels},
        "spec": {"nodeName": name, "containers": [{"resources": {"requests": {"nvidia.com/gpu": str(gpus)}}}]},
        "status": {"phase": phase},
    }
