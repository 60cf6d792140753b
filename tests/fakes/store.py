"""What an API server remembers: objects by kind, one counter of versions for all of them, and what happened lately."""

from __future__ import annotations

import asyncio
import bisect
import copy
from collections import defaultdict
from collections.abc import Mapping
from dataclasses import dataclass, field

from tests.fakes import managing
from tests.fakes.asked import Name, Object

KEPT = 20_000
"""Changes per kind that a watch can go back; the real one forgets by time, this one by count."""


@dataclass(frozen=True, slots=True)
class Happened:
    """One change: ADDED, MODIFIED or DELETED, the object before and after it, and its version."""

    type: str
    before: Object | None
    body: Object
    version: int


@dataclass
class Store:
    """All objects of all kinds. What is stored is never changed in place, so that everybody may hold on to it."""

    objects: dict[str, dict[Name, Object]] = field(default_factory=lambda: defaultdict(dict))
    history: dict[str, list[Happened]] = field(default_factory=lambda: defaultdict(list))
    version: int = 100
    compacted: int = 100
    waiting: set[asyncio.Event] = field(default_factory=set)

    def get(self, plural: str, name: Name) -> Object | None:
        """The object, or None."""
        return self.objects[plural].get(name)

    def write(self, plural: str, body: Object, *, silently: bool = False) -> Object:
        """Stores *body* as the newest version of itself; *silently*: no watcher ever hears of it."""
        name = name_of(body)
        before = self.objects[plural].get(name)
        self.version += 1
        metadata = {"uid": f"uid-{self.version}", "creationTimestamp": managing.now(), **body["metadata"]}
        stored = {**body, "metadata": {**metadata, "resourceVersion": str(self.version)}}
        self.objects[plural][name] = stored
        self._tell(plural, Happened("MODIFIED" if before else "ADDED", before, stored, self.version), silently=silently)
        return stored

    def remove(self, plural: str, name: Name, *, silently: bool = False) -> Object:
        """Removes an object, and answers with its last form."""
        before = self.objects[plural].pop(name)
        self.version += 1
        gone = {**before, "metadata": {**before["metadata"], "resourceVersion": str(self.version)}}
        self._tell(plural, Happened("DELETED", before, gone, self.version), silently=silently)
        return gone

    async def put(self, plural: str, body: Object, *, silently: bool = False) -> Object:
        """Writes as if by a hand that no rule binds; a changed spec counts as a generation."""
        before = self.get(plural, name_of(body))
        if before is not None and _content(before) == _content(body):
            return before
        generation = 1
        if before is not None:
            same = before.get("spec") == body.get("spec")
            generation = before["metadata"].get("generation", 1) + (0 if same else 1)
        copied = copy.deepcopy(body)
        copied["metadata"]["generation"] = generation
        return self.write(plural, copied, silently=silently)

    async def delete(self, plural: str, name: Name, *, silently: bool = False) -> None:
        """Removes as if by a hand that no rule binds."""
        self.remove(plural, name, silently=silently)

    def compact(self) -> None:
        """Forgets what happened: who begins to watch, or turns a page, at an older version is told it is too old."""
        self.compacted = self.version

    def since(self, plural: str, version: int) -> list[Happened]:
        """What happened to the kind after *version*."""
        past = self.history[plural]
        return past[bisect.bisect_right(past, version, key=lambda change: change.version) :]

    def _tell(self, plural: str, change: Happened, *, silently: bool) -> None:
        if silently:
            return
        past = self.history[plural]
        past.append(change)
        if len(past) > KEPT:
            self.compacted = past[KEPT // 2].version
            del past[: KEPT // 2 + 1]
        for event in self.waiting:
            event.set()


def name_of(body: Mapping[str, object]) -> Name:
    """Namespace and name of an object."""
    metadata = body["metadata"]
    assert isinstance(metadata, Mapping)
    return metadata.get("namespace", ""), metadata["name"]


def _content(body: Object) -> Object:
    written = ("resourceVersion", "generation", "uid", "creationTimestamp")
    metadata = {name: value for name, value in body["metadata"].items() if name not in written}
    return {**body, "metadata": metadata}
