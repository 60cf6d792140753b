"""What a small API server remembers: objects by kind, their versions, who applied which fields, and what happened."""

from __future__ import annotations

import asyncio
import copy
import json
from collections import defaultdict
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

from dgdr_operator.controller.covers import MERGED_BY

Object = dict[str, Any]
Name = tuple[str, str]


@dataclass(frozen=True, slots=True)
class Happened:
    """One change: the kind (plural), ADDED, MODIFIED or DELETED, the object after it, and its version."""

    plural: str
    type: str
    body: Object
    version: int


@dataclass
class Store:
    """All objects of all kinds. A change gets the next version and wakes every watcher."""

    objects: dict[str, dict[Name, Object]] = field(default_factory=lambda: defaultdict(dict))
    history: list[Happened] = field(default_factory=list)
    version: int = 100
    compacted: int = 0
    _applied: dict[tuple[str, Name, str], Object] = field(default_factory=dict)
    _news: asyncio.Condition = field(default_factory=asyncio.Condition)

    async def put(self, plural: str, body: Object, *, silently: bool = False) -> Object:
        """Stores *body* as the newest version of itself; *silently*: no watcher ever hears of it."""
        metadata = body["metadata"]
        name = (metadata.get("namespace", ""), metadata["name"])
        before = self.objects[plural].get(name)
        if before is not None and _without_version(before) == _without_version(body):
            return before
        self.version += 1
        metadata |= {"resourceVersion": str(self.version), "generation": _generation(before, body)}
        metadata.setdefault("uid", f"uid-{self.version}")
        self.objects[plural][name] = body
        await self._tell(plural, "MODIFIED" if before else "ADDED", body, silently=silently)
        return body

    async def delete(self, plural: str, name: Name, *, silently: bool = False) -> None:
        """Removes an object."""
        body = self.objects[plural].pop(name)
        self._applied = {key: value for key, value in self._applied.items() if key[:2] != (plural, name)}
        self.version += 1
        gone = {**body, "metadata": {**body["metadata"], "resourceVersion": str(self.version)}}
        await self._tell(plural, "DELETED", gone, silently=silently)

    async def apply(self, plural: str, name: Name, body: Object, manager: str) -> Object:
        """Server-side apply, simplified: what *manager* applied before and leaves out now is removed."""
        live = copy.deepcopy(self.objects[plural].get(name, {"metadata": {}}))
        before = self._applied.get((plural, name, manager), {})
        self._applied[plural, name, manager] = copy.deepcopy(body)
        return await self.put(plural, merged(pruned(live, before, body), body))

    async def since(self, plural: str, version: int) -> list[Happened]:
        """What happened to the kind after *version*; waits until something did."""
        async with self._news:
            await self._news.wait_for(lambda: any(self._after(plural, version)))
            return list(self._after(plural, version))

    def _after(self, plural: str, version: int) -> Iterator[Happened]:
        return (event for event in self.history if event.plural == plural and event.version > version)

    async def _tell(self, plural: str, kind: str, body: Object, *, silently: bool) -> None:
        if silently:
            return
        self.history.append(Happened(plural, kind, copy.deepcopy(body), self.version))
        async with self._news:
            self._news.notify_all()


def _without_version(body: Object) -> str:
    metadata = {key: value for key, value in body["metadata"].items() if key not in ("resourceVersion", "generation")}
    return json.dumps({**body, "metadata": metadata}, sort_keys=True)


def _generation(before: Object | None, body: Object) -> int:
    if before is None:
        return 1
    same = before.get("spec") == body.get("spec")
    generation: int = before["metadata"]["generation"]
    return generation if same else generation + 1


def merged(live: Any, body: Any, path: str = "") -> Any:  # noqa: ANN401 - JSON
    """*live* with everything that *body* says; lists with keys are merged item by item, all others replaced."""
    if isinstance(live, dict) and isinstance(body, Mapping):
        return {**live, **{key: merged(live.get(key), value, key) for key, value in body.items()}}
    keys = ("type",) if path == "conditions" else MERGED_BY.get(path)
    if not keys or not isinstance(live, list) or not isinstance(body, list):
        return copy.deepcopy(body)
    by_key = {_key(item, keys): item for item in live}
    return list({**by_key, **{_key(item, keys): merged(by_key.get(_key(item, keys)), item) for item in body}}.values())


def pruned(live: Any, before: Any, body: Any, path: str = "") -> Any:  # noqa: ANN401 - JSON
    """*live* without what *before* said and *body* does not say any more."""
    if isinstance(live, dict) and isinstance(before, Mapping):
        now = body if isinstance(body, Mapping) else {}
        kept = {key: value for key, value in live.items() if key not in before or key in now}
        return {key: pruned(value, before.get(key), now.get(key), key) for key, value in kept.items()}
    keys = ("type",) if path == "conditions" else MERGED_BY.get(path)
    if not keys or not isinstance(live, list) or not isinstance(before, list):
        return live
    stays = {_key(item, keys) for item in body or ()}
    gone = {_key(item, keys) for item in before} - stays
    return [item for item in live if _key(item, keys) not in gone]


def _key(item: Mapping[str, Any], keys: tuple[str, ...]) -> tuple[Any, ...]:
    return tuple(item.get(key) for key in keys)
