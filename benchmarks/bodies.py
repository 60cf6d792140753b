"""The objects that fill a cluster for a benchmark: nodes, and one served request under many names."""

from __future__ import annotations

import json
import re
from typing import Any

NODE_BYTES = 12_000
"""A node of a real cluster: mostly images, addresses and annotations of its agents."""

Object = dict[str, Any]


def node(number: int) -> Object:
    """A ready node with eight GPUs, as large as such nodes are."""
    labels = {"nvidia.com/gpu.present": "true", "nvidia.com/gpu.product": "NVIDIA-H200", "nvidia.com/gpu.count": "8"}
    labels |= {"nvidia.com/gpu.memory": "143771", "node.kubernetes.io/instance-type": "p5en.48xlarge"}
    return {
        "apiVersion": "v1",
        "kind": "Node",
        "metadata": {"name": f"n{number}", "labels": labels, "annotations": {"agents": "x" * NODE_BYTES}},
        "spec": {},
        "status": {
            "allocatable": {"nvidia.com/gpu": "8"},
            "conditions": [{"type": "Ready", "status": "True"}],
        },
    }


def renamed(text: str, number: int) -> Object:
    """What *text* says of r0, of another one."""
    copied: Object = json.loads(re.sub(r"\br0\b", f"r{number}", text))
    copied["metadata"].pop("uid", None)
    return copied
