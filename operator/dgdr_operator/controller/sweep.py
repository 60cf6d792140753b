"""The full list, now and then: finds what a watch missed, deletions above all."""

import asyncio
import logging
import random
from collections.abc import Callable, Iterator, Sequence

from dgdr_operator.controller import errors, metrics
from dgdr_operator.controller.apply import Kinds
from dgdr_operator.controller.cache import Cache, Name, Packed, Shelf
from dgdr_operator.controller.cluster import Cluster, Kind
from dgdr_operator.controller.forms import Kept
from dgdr_operator.controller.workqueue import Key

log = logging.getLogger(__name__)

PERIOD = 600.0
"""Seconds between two sweeps, give or take a fifth, so that replicas do not sweep in step."""
RETRY = 2.0
PAGED_TRIES = 3
MOUTHFUL = 25
"""Objects that are packed at a time: a millisecond's work."""

Missed = Callable[[str, set[Name]], None]
"""Called with "request" or "graph" and the objects that changed before a watch told."""


def batched(page: Sequence[Kept]) -> Iterator[Sequence[Kept]]:
    """*page*, a few at a time."""
    return (page[begin : begin + MOUTHFUL] for begin in range(0, len(page), MOUTHFUL))


class Sweep:
    """Compares the cache with the lists, and rings every request."""

    def __init__(self, cluster: Cluster, cache: Cache, kinds: Kinds, namespace: str | None, missed: Missed) -> None:
        self.swept = asyncio.Event()
        self._missed = missed
        self._cluster = cluster
        self._cache = cache
        self._kinds = kinds
        self._namespace = namespace or ""
        self._asked = asyncio.Event()

    def ask(self) -> None:
        """Sweep soon: something may have been missed."""
        self._asked.set()

    async def watch(self, ring: Callable[[Key], None]) -> None:
        """Sweeps for ever: at once, when asked, and every ten minutes."""
        while True:
            unasked = not self._asked.is_set()
            self._asked.clear()
            pause = PERIOD * random.uniform(0.8, 1.2)
            try:
                await self.once(ring, unasked=unasked)
            except errors.ClusterError as error:
                log.warning("the sweep failed: %s", error)
                pause = RETRY
            try:
                async with asyncio.timeout(pause):
                    await self._asked.wait()
            except TimeoutError:
                continue

    async def once(self, ring: Callable[[Key], None], *, unasked: bool = False) -> None:
        """One sweep. *unasked*: nothing was to be missed, so a watch should have told. Raises ClusterError."""
        graphs, requests = await asyncio.gather(  # one list is read while the server makes the other
            self._compare(self._kinds.graph, self._cache.graphs),
            self._compare(self._kinds.request, self._cache.requests),
        )
        if self.swept.is_set():
            metrics.GHOSTS.inc(len(graphs) + len(requests))
        if self.swept.is_set() and unasked:
            self._missed("graph", {name for name in graphs if name in self._cache.graphs})
            self._missed("request", {name for name in requests if name in self._cache.requests})
        self.swept.set()
        for key in {*self._cache.requests, *requests}:
            ring(key)

    async def _compare(self, kind: Kind, shelf: Shelf) -> set[Name]:
        found, version = await self._list(kind, shelf)
        return shelf.replace(found, int(version) if version.isdigit() else None)

    async def _list(self, kind: Kind, shelf: Shelf) -> tuple[dict[Name, Packed], str]:
        """All objects and the version of the list; begun again when its pages expire, in one piece the last time."""
        for attempt in range(1, PAGED_TRIES + 1):
            query = {"limit": "0"} if attempt == PAGED_TRIES else {}
            found: dict[Name, Packed] = {}
            latest = ""
            try:
                async for page, version in self._cluster.pages(kind, Kept, self._namespace, **query):
                    latest = version
                    for few in batched(page):
                        found.update(map(shelf.pack, few))
                        await asyncio.sleep(0)  # a page takes a while to pack, and others wait
            except errors.Gone:
                continue
            return found, latest
        raise errors.Gone(f"the list of {kind.plural} expired {PAGED_TRIES} times")
