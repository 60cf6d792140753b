"""What the nodes offer: Node objects in, GPUs by SKU with their fabric out, and a request completed with it."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from dgdr_operator.request import DeploymentRequest


@dataclass(frozen=True, slots=True, kw_only=True)
class NodeGroup:
    """The ready, schedulable nodes of one SKU.

    sku: our name of the GPU, None for a product no SKU stands for; product: its exact node label;
    memory: bytes per GPU, None if no node says; fabric: devices per node by resource name, the least of the nodes
    that have it; fabric_nodes: nodes that offer each resource; taints: GPU taints found on any of them.
    """

    sku: str | None
    product: str
    nodes: int
    gpus_per_node: int
    memory: float | None
    fabric: Mapping[str, int]
    fabric_nodes: Mapping[str, int]
    taints: tuple[Mapping[str, Any], ...] = ()

    @property
    def gpus(self) -> int:
        """GPUs of all its nodes."""
        return self.nodes * self.gpus_per_node


@dataclass(frozen=True, slots=True, kw_only=True)
class Inventory:
    """Groups of GPU nodes, most GPUs per node first, then most memory; hash: stable digest of all of it."""

    groups: tuple[NodeGroup, ...]
    hash: str

    def group(self, sku: str) -> NodeGroup | None:
        """The group of that SKU, or None."""
        return next((group for group in self.groups if group.sku == sku), None)


def read(nodes: Iterable[Mapping[str, Any]] | Mapping[str, Any]) -> Inventory:
    """The inventory of Node objects (API JSON), or of a List of them; nodes without GPUs do not count."""
    raise NotImplementedError


def complete(request: DeploymentRequest, inventory: Inventory | None) -> tuple[DeploymentRequest, tuple[str, ...]]:
    """The request with the hardware it left out, and a sentence for everything that was filled in.

    Raises InvalidSpec when something needed is neither given nor found.
    """
    raise NotImplementedError
