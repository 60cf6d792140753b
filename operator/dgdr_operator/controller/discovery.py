"""The eyes: the nodes, page by page, now and then -> the inventory."""

import asyncio
import logging
from collections.abc import Callable

from dgdr_operator import inventory
from dgdr_operator.controller import errors, metrics
from dgdr_operator.controller.cluster import NODES, Cluster
from dgdr_operator.inventory import Inventory

log = logging.getLogger(__name__)

PERIOD = 60.0
"""Seconds between two looks; a watch on nodes would cost a wake-up per heartbeat of each of them."""
GPU_NODES = "nvidia.com/gpu.present=true"
"""Label that the GPU feature discovery puts on nodes with NVIDIA GPUs."""


class Discovery:
    """Keeps `inventory` up to date, and says when it is another one. It is None where nodes cannot be read."""

    def __init__(self, cluster: Cluster, changed: Callable[[], None]) -> None:
        self.inventory: Inventory | None = None
        self.loaded = asyncio.Event()
        self._cluster = cluster
        self._changed = changed

    async def watch(self) -> None:
        """Looks for ever."""
        while True:
            try:
                await self.look()
            except errors.ClusterError as error:
                log.warning("the nodes could not be listed: %s", error)
            await asyncio.sleep(PERIOD)

    async def look(self) -> None:
        """Reads the nodes once; without the right to, requests have to name their hardware. Raises ClusterError."""
        try:
            found = inventory.read(await self._nodes(GPU_NODES) or await self._nodes(""))
        except errors.Denied as error:
            log.info("planning without an inventory: %s", error)
            found = None
        known, self.inventory, first = self.inventory, found, not self.loaded.is_set()
        self.loaded.set()
        if first or (known and known.hash) != (found and found.hash):
            self._tell(found)

    def _tell(self, found: Inventory | None) -> None:
        groups = found.groups if found else ()
        said = ", ".join(f"{group.nodes} x {group.gpus_per_node} {group.product}" for group in groups)
        log.info("GPU nodes: %s", said or "none")
        metrics.GPU_NODES.clear()
        metrics.GPUS.clear()
        for group in groups:
            metrics.GPU_NODES.labels(group.sku or "unknown").inc(group.nodes)
            metrics.GPUS.labels(group.sku or "unknown").inc(group.gpus)
        self._changed()

    async def _nodes(self, selector: str) -> list[dict[str, object]]:
        query = {"labelSelector": selector} if selector else {}
        return [node async for page, _ in self._cluster.pages(NODES, **query) for node in page]
