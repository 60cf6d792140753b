"""The last object seen under each key, trimmed to what we read and squeezed; it never goes back in time."""

import zlib
from collections import defaultdict
from collections.abc import Callable, Hashable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

from dgdr_operator.controller import forms, gauges
from dgdr_operator.controller.forms import Kept, Object
from dgdr_operator.controller.world import owner

Name = tuple[str, str]
"""Namespace and name of an object."""

QUICK = 1
"""Of zlib's nine efforts: a sixth of the size in a twentieth of a millisecond."""


def name_of(body: Mapping[str, Any]) -> Name:
    """Namespace and name of an object."""
    metadata = body["metadata"]
    return metadata.get("namespace", ""), metadata["name"]


def version_of(body: Mapping[str, Any]) -> int | None:
    """The resourceVersion as a number, comparable within one resource; None where a server's versions are not."""
    return _number(body["metadata"].get("resourceVersion"))


def _number(version: object) -> int | None:
    return int(version) if isinstance(version, str) and version.isdecimal() else None


@dataclass(frozen=True, slots=True)
class Packed:
    """An object, trimmed and squeezed: thousands of them are kept, and few are looked at.

    brief: what is asked of all objects at once, readable without unpacking; mentions: names that the object mentions.
    """

    version: int | None
    text: bytes
    brief: Hashable
    mentions: tuple[Name, ...]

    def body(self) -> Object:
        """The object again, a fresh one for each caller."""
        return forms.unpacked(zlib.decompress(self.text))


@dataclass(slots=True)
class Shelf:
    """The objects of one kind.

    A deleted object leaves its version behind, so that an older report of it, arriving late, does not revive it.
    mentions: the names that an object mentions; who mentions a name is then found without a search.
    brief: a few words on an object, for questions that concern them all. Both are told what `forms.glimpse` sees.
    """

    mentions: Callable[[Name, Object], Iterable[Name]] = lambda _name, _body: ()
    brief: Callable[[Object], Hashable] = lambda _body: None
    _objects: dict[Name, Packed] = field(default_factory=dict)
    _versions: dict[Name, int] = field(default_factory=dict)
    _mentioned: defaultdict[Name, set[Name]] = field(default_factory=lambda: defaultdict(set))

    def get(self, name: Name) -> Object | None:
        """The last object seen under *name*."""
        found = self._objects.get(name)
        return found.body() if found else None

    def briefs(self) -> Iterator[tuple[Name, Hashable]]:
        """Every object's name and brief."""
        return ((name, packed.brief) for name, packed in self._objects.items())

    def pack(self, found: Kept) -> tuple[Name, Packed]:
        """*found* squeezed, with its name: a long list need not be held as it came."""
        metadata = found.metadata
        name, version = (metadata.namespace, metadata.name), _number(metadata.resource_version)
        known = self._objects.get(name)
        if known and version is not None and known.version == version:
            return name, known
        text = zlib.compress(forms.packed(found), QUICK)
        seen = forms.glimpse(found)
        return name, Packed(version, text, self.brief(seen), tuple(self.mentions(name, seen)))

    def put(self, body: Mapping[str, Any]) -> bool:
        """Remembers *body* unless something newer is known; says whether it was news."""
        return self._is_news(name_of(body), version_of(body)) and self._store(*self.pack(forms.kept(body)))

    def _store(self, name: Name, packed: Packed) -> bool:
        if not self._is_news(name, packed.version):
            return False
        if packed.version is not None:
            self._versions[name] = packed.version
        self._unmention(name)
        self._objects[name] = packed
        for mentioned in packed.mentions:
            self._mentioned[mentioned].add(name)
        return True

    def drop(self, name: Name, version: int | None = None) -> bool:
        """Forgets *name*, deleted at *version*, unless something newer is known; says whether it was news."""
        known = self._versions.get(name)
        if known is not None and version is not None and version < known:
            return False
        if version is not None:
            self._versions[name] = version
        self._unmention(name)
        return self._objects.pop(name, None) is not None

    def mentioning(self, name: Name) -> frozenset[Name]:
        """The objects that mention *name*."""
        return frozenset(self._mentioned.get(name, ()))

    def replace(self, listed: Mapping[Name, Packed], version: int | None) -> set[Name]:
        """Makes the shelf what a full list at *version* says; answers with the names that changed or vanished."""
        ghosts = {name for name in self._objects if name not in listed and self._older(name, version)}
        changed = {name for name, packed in listed.items() if self._store(name, packed)}
        for name in ghosts:
            self.drop(name, version)
        self._versions = {name: seen for name, seen in self._versions.items() if name in self._objects}
        return changed | ghosts

    def __iter__(self) -> Iterator[Name]:
        return iter(tuple(self._objects))

    def __contains__(self, name: object) -> bool:
        return name in self._objects

    def __len__(self) -> int:
        return len(self._objects)

    def _unmention(self, name: Name) -> None:
        for mentioned in self._objects[name].mentions if name in self._objects else ():
            self._mentioned[mentioned].discard(name)
            if not self._mentioned[mentioned]:
                del self._mentioned[mentioned]

    def _is_news(self, name: Name, version: int | None) -> bool:
        known = self._versions.get(name)
        return known is None or version is None or version > known

    def _older(self, name: Name, version: int | None) -> bool:
        known = self._versions.get(name)
        return known is None or version is None or known <= version


def _graphs_of(name: Name, request: Mapping[str, Any]) -> Iterator[Name]:
    """The graphs that the status of *request* names."""
    graph = (request.get("status") or {}).get("dgdName")
    if graph:
        yield (name[0], graph)


def _requests_of(_: Name, graph: Mapping[str, Any]) -> Iterator[Name]:
    """The request that the labels of *graph* name."""
    namespace, name = owner(graph)
    if namespace and name:
        yield (namespace, name)


@dataclass(slots=True)
class Cache:
    """What is known of requests and graphs."""

    requests: Shelf = field(default_factory=lambda: Shelf(mentions=_graphs_of, brief=gauges.brief))
    graphs: Shelf = field(default_factory=lambda: Shelf(mentions=_requests_of))

    def graphs_of(self, request: Name) -> list[Object]:
        """The graphs whose labels name *request*, by name."""
        found = [self.graphs.get(name) for name in sorted(self.graphs.mentioning(request))]
        return [graph for graph in found if graph is not None]

    def requests_of(self, graph: Name, body: Mapping[str, Any] | None = None) -> frozenset[Name]:
        """The requests that *graph* concerns: those whose status names it, and the one its labels name."""
        found = self.requests.mentioning(graph)
        seen = body or self.graphs.get(graph)
        namespace, name = owner(seen) if seen else (None, None)
        return found | {(namespace, name)} if namespace and name else found
