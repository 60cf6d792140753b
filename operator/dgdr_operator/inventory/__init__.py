"""What the cluster offers: Node, Pod and ResourceQuota objects in, GPUs by SKU out, free ones in their pieces."""

from collections.abc import Iterable, Mapping
from typing import Any

from dgdr_operator.inventory import quotas
from dgdr_operator.inventory.amounts import GPU
from dgdr_operator.inventory.completion import complete
from dgdr_operator.inventory.groups import Inventory, NodeGroup, of
from dgdr_operator.inventory.objects import Node, Pod
from dgdr_operator.inventory.pods import GRAPH, Usage
from dgdr_operator.inventory.servers import FABRIC, MACHINE, PRODUCT, Server, server
from dgdr_operator.inventory.skus import sku

__all__ = [
    "FABRIC", "GPU", "GRAPH", "MACHINE", "PRODUCT", "Inventory", "Node", "NodeGroup", "Pod", "Server", "Usage",
    "complete", "of", "quotas", "read", "server", "sku",
]  # fmt: skip


def read(
    nodes: Iterable[Mapping[str, Any]] | Mapping[str, Any],
    pods: Iterable[Mapping[str, Any]] | None = None,
    selector: Mapping[str, str] | None = None,
) -> Inventory:
    """The inventory of Node objects (API JSON), or of a List of them; nodes without GPUs do not count.

    pods: what holds GPUs of them, None to count all as free; selector: labels of the nodes that graphs may run on.
    """
    listed = nodes.get("items") or () if isinstance(nodes, Mapping) else nodes
    servers = (server(node, selector or {}) for node in listed if isinstance(node, Mapping))
    return of((one for one in servers if one), None if pods is None else Usage(pods))
