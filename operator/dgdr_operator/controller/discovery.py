"""The eyes: nodes, the pods that hold their GPUs, and quotas, page by page, now and then -> the inventory."""

import asyncio
import logging
from collections.abc import AsyncIterator, Callable, Mapping
from typing import Any

from dgdr_operator import inventory
from dgdr_operator.controller import errors, forms, metrics
from dgdr_operator.controller.clock import Clock
from dgdr_operator.controller.cluster import NODES, PODS, QUOTAS, Cluster, Kind
from dgdr_operator.controller.forms import Form
from dgdr_operator.inventory import Inventory, Usage, quotas
from dgdr_operator.settings import Settings

log = logging.getLogger(__name__)

PERIOD, IMPATIENCE = 60.0, 5.0
"""Seconds between two looks, and while the first has not succeeded yet; a watch on nodes would cost a wake-up per
heartbeat of each of them."""
GPU_NODES = "nvidia.com/gpu.present=true"
"""Label that the GPU feature discovery puts on nodes with NVIDIA GPUs."""
UNFINISHED = "status.phase!=Succeeded,status.phase!=Failed"
"""Field selector of pods that may hold something."""

Object = Mapping[str, Any]


class Discovery:
    """Keeps `inventory` up to date, and says when it is another one. It is None where nodes cannot be read.

    changed: told whether there is something else now, or only something else free; waiting: whether some request
    waits for a plan, because pods are only looked at then; namespace: where quotas may be read, None for everywhere.
    """

    def __init__(
        self,
        cluster: Cluster,
        changed: Callable[[bool], None],
        *,
        settings: Settings | None = None,
        namespace: str | None = None,
        waiting: Callable[[], bool] = lambda: True,
        clock: Clock | None = None,
    ) -> None:
        self.inventory: Inventory | None = None
        self.loaded = asyncio.Event()
        self._cluster = cluster
        self._changed = changed
        self._settings = settings or Settings()
        self._namespace = namespace or ""
        self._waiting = waiting
        self._seconds = (clock or Clock()).seconds
        self._one_at_a_time = asyncio.Lock()
        self._usage: Usage | None = None
        self._counted_at = -PERIOD
        self._said: dict[str, str] = {}

    async def watch(self) -> None:
        """Looks for ever."""
        while True:
            try:
                await self.look()
            except errors.ClusterError as error:
                log.warning("the nodes could not be listed: %s", error)
            await asyncio.sleep(PERIOD if self.loaded.is_set() else IMPATIENCE)

    async def look(self) -> None:
        """Reads everything once; without the right to list nodes, requests have to name their hardware.

        Raises ClusterError.
        """
        async with self._one_at_a_time:
            await self._look(count=not self.loaded.is_set() or self._waiting())

    async def fresh(self) -> None:
        """Makes sure that pods were counted within the last period: what is free is old news when nobody waited.

        Where that fails, what was known stays known.
        """
        async with self._one_at_a_time:
            if self.inventory and self._counts and self._seconds() - self._counted_at > PERIOD:
                try:
                    await self._look(count=True)
                except errors.ClusterError as error:
                    log.warning("free GPUs could not be counted: %s", error)

    def seen_by(self, request: Object) -> Inventory | None:
        """The inventory as *request* sees it: pods of its own graph are in nobody's way, and its quota binds."""
        if self.inventory is None:
            return None
        graph = (request.get("status") or {}).get("dgdName")
        return self.inventory.seen_by(str(request["metadata"].get("namespace", "")), [graph] if graph else ())

    @property
    def _counts(self) -> bool:
        return self._settings.inventory == "free"

    async def _look(self, *, count: bool) -> None:
        selector = self._settings.pods.node_selector
        try:
            servers = await self._servers(GPU_NODES, selector) or await self._servers("", selector)
        except errors.Denied as error:
            self._say("nodes", f"planning without an inventory: {error}")
            self._publish(None)
            return
        if count and self._counts:
            self._usage = await self._used()
            self._counted_at = self._seconds()
        self._publish(inventory.of(servers, self._usage, await self._left()))

    def _publish(self, found: Inventory | None) -> None:
        known, self.inventory, first = self.inventory, found, not self.loaded.is_set()
        self.loaded.set()
        if first or (known and known.hash) != (found and found.hash):
            other = first or (known and known.supply) != (found and found.supply)
            self._tell(found, other=bool(other))
            self._changed(bool(other))

    def _tell(self, found: Inventory | None, *, other: bool) -> None:
        groups = found.groups if found else ()
        said = ", ".join(
            f"{group.nodes} x {group.gpus_per_node} {group.product}, {group.free_gpus} GPUs free" for group in groups
        )
        log.log(logging.INFO if other else logging.DEBUG, "GPU nodes: %s", said or "none")
        metrics.GPU_NODES.clear()
        metrics.GPUS.clear()
        for group in groups:
            metrics.GPU_NODES.labels(group.sku or "unknown").inc(group.nodes)
            metrics.GPUS.labels(group.sku or "unknown", "free").inc(group.free_gpus)
            metrics.GPUS.labels(group.sku or "unknown", "held").inc(group.gpus - group.free_gpus)

    async def _servers(self, labels: str, selector: Mapping[str, str]) -> list[inventory.Server]:
        """The nodes with GPUs, a page at a time: five thousand of them as they come would not fit the memory."""
        query = {"labelSelector": labels} if labels else {}
        found: list[inventory.Server] = []
        async for page in self._pages(NODES, inventory.Node, query):
            found += [one for node in page if (one := inventory.server(node, selector))]
        return found

    async def _used(self) -> Usage | None:
        """What pods hold; None where they may not be listed: then everything counts as free."""
        usage = Usage()
        try:
            async for page in self._pages(PODS, inventory.Pod, {"fieldSelector": UNFINISHED}):
                usage.add(page)
        except errors.Denied as error:
            self._say("pods", f"counting all GPUs as free: {error}")
            return None
        return usage

    async def _left(self) -> dict[str, int]:
        """What quotas leave; nothing binds where they may not be listed."""
        try:
            pages = self._pages(QUOTAS, forms.Object, {}, self._namespace)
            return quotas.left([quota async for page in pages for quota in page])
        except errors.Denied as error:
            self._say("quotas", f"planning without quotas: {error}")
            return {}

    async def _pages(
        self, kind: Kind, form: type[Form], query: Mapping[str, str], namespace: str = ""
    ) -> AsyncIterator[list[Form]]:
        async for page, _ in self._cluster.pages(kind, form, namespace, **query):
            yield page
            await asyncio.sleep(0)  # a page takes milliseconds to count, and others wait

    def _say(self, what: str, sentence: str) -> None:
        """Once, not at every look."""
        if self._said.get(what) != sentence:
            self._said[what] = sentence
            log.info(sentence)
