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
