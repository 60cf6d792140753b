"""Lists in pages that expire, and watches that go on from a version, with bookmarks."""

from __future__ import annotations

import asyncio
import base64
import json
import time
from collections.abc import AsyncIterator, Mapping
from dataclasses import dataclass, field

from tests.fakes.asked import Asked, Object, Refusal
from tests.fakes.resources import Resource
from tests.fakes.selecting import Test, selector
from tests.fakes.store import Happened, Store

SNAPSHOTS = 100
"""Lists that can be continued at a time."""
BOOKMARKS = 60.0
"""Seconds between two bookmarks on an idle watch. A shorter watch of the real server ends without one, too."""


@dataclass
class Reads:
    """The read half of an API server over *store*. *page*: the longest page it hands out, 0 for no bound."""

    store: Store
    page: int = 0
    bookmarks: float = BOOKMARKS
    _snapshots: dict[int, tuple[int, list[Object]]] = field(default_factory=dict)

    def listed(self, kind: Resource, asked: Asked, query: Mapping[str, str]) -> Object:
        """One page. Raises Refusal (410) when it continues a list that is forgotten."""
        wanted = [size for size in (int(query.get("limit") or 0), self.page) if size]
        size = min(wanted, default=0)
        if query.get("continue"):
            number, begin = _read_token(query["continue"])
            version, found = self._remembered(number)
        else:
            number, begin, version = self.store.version, 0, self.store.version
            meant = selector(kind.plural, query)
            found = [
                body
                for (namespace, _), body in sorted(self.store.objects[kind.plural].items())
                if asked.namespace in ("", namespace) and meant(body)
            ]
        metadata: Object = {"resourceVersion": str(version)}
        end = begin + size if size else len(found)
        if end < len(found):
            metadata |= {"continue": self._token(number, version, found, end), "remainingItemCount": len(found) - end}
        listed = {"apiVersion": kind.api_version, "kind": f"{kind.kind}List", "metadata": metadata}
        return {**listed, "items": [{**body, "apiVersion": kind.api_version} for body in found[begin:end]]}

    def _token(self, number: int, version: int, found: list[Object], end: int) -> str:
        if number not in self._snapshots:
            number = time.monotonic_ns()
            self._snapshots[number] = (version, found)
        while len(self._snapshots) > SNAPSHOTS:
            del self._snapshots[next(iter(self._snapshots))]
        return base64.urlsafe_b64encode(json.dumps([number, end]).encode()).decode()

    def _remembered(self, number: int) -> tuple[int, list[Object]]:
        known = self._snapshots.get(number)
        if known is None or known[0] < self.store.compacted:
            why = "The provided continue parameter is too old to display a consistent list result."
            raise Refusal(410, "Expired", why)
        return known

    async def watch(self, kind: Resource, asked: Asked, query: Mapping[str, str]) -> AsyncIterator[Object]:
        """Events until the time is over; ERROR 410 where the version to go on from is forgotten."""
        meant, bookmarks = selector(kind.plural, query), query.get("allowWatchBookmarks") in ("true", "1")
        version = int(query.get("resourceVersion") or 0)
        if version and version < self.store.compacted:
            yield {"type": "ERROR", "object": _too_old(version, self.store.compacted)}
            return
        if not version:
            version = self.store.version
            for event in self._present(kind, asked, meant):
                yield event
        ends = time.monotonic() + float(query.get("timeoutSeconds") or 1800)
        bell = asyncio.Event()
        self.store.waiting.add(bell)
        try:
            while (left := ends - time.monotonic()) > 0:
                bell.clear()
                for change in self.store.since(kind.plural, version):
                    version = change.version
                    if heard := _event(change, asked, meant):
                        yield heard
                rung = await _rung(bell, min(left, self.bookmarks))
                if bookmarks and not rung and left > self.bookmarks and not bell.is_set():
                    version = self.store.version
                    yield {"type": "BOOKMARK", "object": _bookmark(kind, version)}
        finally:
            self.store.waiting.discard(bell)

    def _present(self, kind: Resource, asked: Asked, meant: Test) -> list[Object]:
        return [
            {"type": "ADDED", "object": body}
            for (namespace, _), body in sorted(self.store.objects[kind.plural].items())
            if asked.namespace in ("", namespace) and meant(body)
        ]


def _event(change: Happened, asked: Asked, meant: Test) -> Object | None:
    """What a watcher hears of a change: what leaves its selection is deleted for it, what enters is new."""
    if asked.namespace not in ("", change.body["metadata"].get("namespace", "")):
        return None
    was = change.before is not None and meant(change.before)
    stays = change.type != "DELETED" and meant(change.body)
    if not was and not stays:
        return None
    return {"type": "MODIFIED" if was and stays else "ADDED" if stays else "DELETED", "object": change.body}


async def _rung(bell: asyncio.Event, seconds: float) -> bool:
    try:
        async with asyncio.timeout(seconds):
            return await bell.wait()
    except TimeoutError:
        return False


def _bookmark(kind: Resource, version: int) -> Object:
    metadata = {"resourceVersion": str(version), "creationTimestamp": None}
    return {"apiVersion": kind.api_version, "kind": kind.kind, "metadata": metadata}


def _too_old(version: int, compacted: int) -> Object:
    return Refusal(410, "Expired", f"too old resource version: {version} ({compacted})").status()


def _read_token(token: str) -> tuple[int, int]:
    try:
        number, end = json.loads(base64.urlsafe_b64decode(token))
    except ValueError:
        raise Refusal(400, "BadRequest", "continue key is not valid") from None
    return int(number), int(end)
