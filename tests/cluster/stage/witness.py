"""Somebody who watches all requests and graphs and writes down what happened, in the order of the API server.

What was promised is judged afterwards, from the protocol: nothing depends on who was faster.
"""

from __future__ import annotations

import contextlib
import threading
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from dgdr_operator.controller import graphs, modes
from dgdr_operator.controller.cluster import MANAGER, STATUS_MANAGER
from dgdr_operator.controller.world import owner as owner_of
from tests.cluster.user import GRAPHS, REQUESTS
from tests.fakes.api import Api, Refused
from tests.fakes.asked import Object


@dataclass(frozen=True, slots=True, kw_only=True)
class Seen:
    """One event: its version, the kind (plural), ADDED, MODIFIED or DELETED, and the object."""

    version: int
    plural: str
    type: str
    body: Object

    @property
    def name(self) -> tuple[str, str]:
        """Namespace and name."""
        return self.body["metadata"]["namespace"], self.body["metadata"]["name"]


class Witness:
    """Watches until the process ends. A kind that is not served for a while is waited for."""

    def __init__(self, api: Api) -> None:
        self.seen: list[Seen] = []
        self._api = api
        self._closed = threading.Event()
        self._threads = [
            threading.Thread(target=self._watch, args=(plural,), daemon=True) for plural in (REQUESTS, GRAPHS)
        ]

    def start(self) -> None:
        """Begins to watch."""
        for thread in self._threads:
            thread.start()

    def close(self) -> None:
        """Watches no more."""
        self._closed.set()

    def protocol(self, namespace: str) -> list[Seen]:
        """What happened in *namespace*, oldest first."""
        found = {(one.version, one.plural, one.type): one for one in tuple(self.seen) if one.name[0] == namespace}
        return sorted(found.values(), key=lambda one: one.version)

    def _watch(self, plural: str) -> None:
        version = ""
        while not self._closed.is_set():
            with contextlib.suppress(Refused, OSError):
                version = self._follow(plural, version)
            time.sleep(0.1)

    def _follow(self, plural: str, version: str) -> str:
        """One life of the watch; answers with the version to go on from, "" to begin anew."""
        if not version:
            listed = self._api.list(plural)
            self.seen += [_seen(plural, "ADDED", body) for body in listed["items"]]
            version = listed["metadata"]["resourceVersion"]
        for event in self._api.watch(plural, resourceVersion=version, timeoutSeconds=3000):
            if event["type"] == "ERROR":
                return ""
            if event["type"] != "BOOKMARK":
                self.seen.append(_seen(plural, event["type"], event["object"]))
            version = event["object"]["metadata"]["resourceVersion"]
        return version


def _seen(plural: str, kind: str, body: Object) -> Seen:
    return Seen(version=int(body["metadata"]["resourceVersion"]), plural=plural, type=kind, body=body)


def broken(protocol: Sequence[Seen]) -> list[str]:
    """The promises P1 and P6, judged at every instant of *protocol*: what was broken, in words.

    P1: a request has at most one graph, or the two that its status names, and its status names a graph before that
    graph exists, unless the platform made it. P6: a status turns to Deployed only after the graph it names reported
    success for its present spec.
    """
    found: list[str] = []
    alive: dict[tuple[str, str], Object] = {}
    requests: dict[tuple[str, str], Object] = {}
    successes: set[tuple[str, str]] = set()
    for one in protocol:
        if one.plural == REQUESTS:
            found += _lies(requests.get(one.name), one, successes)
            requests[one.name] = one.body
            continue
        if one.type == "DELETED":
            alive.pop(one.name, None)
            continue
        if one.name not in alive:
            found += _unannounced(one, requests, alive)
        alive[one.name] = one.body
        if graphs.state(one.body).serving:
            successes.add(one.name)
    return found


def trespasses(protocol: Sequence[Seen]) -> list[str]:
    """Where the controller wrote a request or a graph itself, though the platform reconciles: in words.

    What is written once shows for ever after in the owners of its fields.
    """
    found = {
        f"{one.plural} {one.name[1]}: written by {entry['manager']}"
        for one in protocol
        for entry in one.body["metadata"].get("managedFields") or ()
        if entry["manager"] in (MANAGER, STATUS_MANAGER)
    }
    return sorted(found)


def _lies(before: Object | None, one: Seen, successes: set[tuple[str, str]]) -> list[str]:
    said, says = ((body or {}).get("status") or {} for body in (before, one.body))
    if says.get("phase") != "Deployed" or said.get("phase") == "Deployed":
        return []
    graph = (one.name[0], says.get("dgdName", ""))
    return [] if graph in successes else [f"P6: {one.name[1]} says Deployed, and {graph[1]!r} never was successful"]


def _unannounced(
    one: Seen, requests: Mapping[tuple[str, str], Object], alive: Mapping[tuple[str, str], Object]
) -> list[str]:
    """What is wrong with a graph that has just appeared."""
    owner = _owner(one.body)
    if owner is None or owner not in requests:
        return []
    status = requests[owner].get("status") or {}
    named = {status.get("dgdName"), *_every_name(status)}
    others = [name for name, body in alive.items() if _owner(body) == owner and name != one.name]
    late = one.name[1] not in named and not _the_platforms(one.body)
    wrong = [f"P1: graph {one.name[1]} appeared before the status of {owner[1]} named it"] if late else []
    if any(name[1] not in named for name in others) or len(others) > 1:
        wrong.append(f"P1: {owner[1]} has {one.name[1]} besides {', '.join(name[1] for name in others)}")
    return wrong


def _the_platforms(body: Object) -> bool:
    """Whether the platform's own controller made a graph: it names in the status what it has made."""
    return (body["metadata"].get("labels") or {}).get(modes.MANAGED[0]) == "dynamo-operator"


def _owner(body: Object) -> tuple[str, str] | None:
    namespace, name = owner_of(body)
    return (namespace, name) if namespace and name else None


def _every_name(status: Mapping[str, object]) -> list[str]:
    """Graphs that a status names in its words, during a change from one to the next."""
    conditions = status.get("conditions")
    words = " ".join(str(one.get("message")) for one in conditions) if isinstance(conditions, list) else ""
    return [word.strip(",.;:") for word in words.split()]
