"""Kubernetes Events: constant reasons, a name made of their content, so that a repeat is counted, and a limit."""

import asyncio
import logging
import socket
from collections import OrderedDict
from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from hashlib import sha256
from typing import Any, TypeVar

from dgdr_operator.controller import errors, metrics
from dgdr_operator.controller.cluster import EVENTS, MANAGER, Cluster
from dgdr_operator.controller.pace import Bucket
from dgdr_operator.controller.world import Announce, Object

log = logging.getLogger(__name__)

Known = TypeVar("Known")

NOTE_LIMIT = 1024
"""Characters of a note that events.k8s.io/v1 accepts."""
NAME_LIMIT = 200
"""Characters of a request's name kept in an Event's name, which has 253."""
BURST, PERIOD = 25, 300.0
"""Events that one request may have at once, and the seconds until it may have one more."""
PATIENCE, PAUSE = 30.0, 0.1
"""Seconds that an Event waits at most while requests wait to be served, and between two looks whether they do."""
WAITING = 10_000
"""Events that wait to be told, at about a kilobyte each; what happens beyond that is not told."""
REMEMBERED = 4096
"""Requests, and Events, of which it is known how often they were told."""

REASONS: Mapping[str, str] = {
    "SpecGenerated": "a plan was found, and its graph is in the status",
    "PlanChanged": "another plan took the place of the one that was applied",
    "ReplanPending": "another plan would be made now; it waits for your approval",
    "RolledBack": "an earlier plan was applied again, as the annotation asks",
    "Paused": "nothing is written for this request until the annotation goes",
    "Resumed": "the request is worked on again",
    "DeploymentCreated": "the graph was written; the note tells what it is predicted to do",
    "DeploymentReady": "the Dynamo operator reports that the graph serves",
    "DeploymentDegraded": "a graph that served does not serve any more",
    "DeploymentDeleted": "the graph was deleted by somebody else",
    "DeploymentCreationFailed": "the cluster does not take the graph; the note is in its words",
    "DriftCorrected": "fields of the graph that somebody changed were put back",
    "ValidationFailed": "the request is malformed; the note names the field",
    "ProfilingCheckFailed": "there is no plan for the request; the note says why, with numbers",
    "ForeignController": "another controller works on the same request",
    "RollbackUnknown": "the annotation names a plan that the history does not have",
}
"""Every reason, and what it means. The words are part of what scripts may rely on, so they stay."""


class Events:
    """Tells what happened, one Event after another: nobody waits for that, and whoever serves requests comes first.

    An Event is a courtesy: one that cannot be told is logged and forgotten. busy: whether requests wait to be served.
    """

    def __init__(
        self, cluster: Cluster, seconds: Callable[[], float], busy: Callable[[], bool] = lambda: False
    ) -> None:
        self._cluster = cluster
        self._busy = busy
        self._seconds = seconds
        self._told: OrderedDict[str, int] = OrderedDict()
        self._pace: OrderedDict[str, Bucket] = OrderedDict()
        self._waiting: asyncio.Queue[tuple[dict[str, Any], str, float]] = asyncio.Queue(WAITING)

    def announce(self, request: Object, action: Announce) -> None:
        """Has it told soon, or counted as said once more; nothing beyond the limits."""
        if self._waiting.full() or not self._allowed(str(request["metadata"]["uid"])):
            metrics.EVENTS_LEFT_OUT.inc()
            return
        now = datetime.now(UTC).isoformat(timespec="microseconds").replace("+00:00", "Z")
        self._waiting.put_nowait((event(request, action, now), now, self._seconds() + PATIENCE))

    async def work(self) -> None:
        """Tells for ever."""
        while True:
            body, now, latest = await self._waiting.get()
            while self._busy() and self._seconds() < latest:  # noqa: ASYNC110 - a queue is long or short at every moment
                await asyncio.sleep(PAUSE)
            try:
                await self._tell(body, now)
            except errors.ClusterError as error:
                log.warning("no Event: %s", error, extra={"reason": body["reason"]})
            except Exception:
                log.exception("a fault in telling what happened", extra={"reason": body["reason"]})
            self._waiting.task_done()

    async def all_told(self, patience: float) -> None:
        """Waits until everything was told, *patience* seconds at most; who is busy does not matter any more."""
        self._busy = lambda: False
        try:
            async with asyncio.timeout(patience):
                await self._waiting.join()
        except TimeoutError:
            log.warning("%d Events were not told", self._waiting.qsize())

    async def _tell(self, body: dict[str, Any], now: str) -> None:
        namespace, name = body["metadata"]["namespace"], body["metadata"]["name"]
        if name not in self._told:
            _remember(self._told, name, 1)
            try:
                await self._cluster.create(EVENTS, namespace, body)
            except errors.Conflict:  # told by an earlier life of ours
                pass
            else:
                return
        self._told[name] += 1
        series = {"series": {"count": self._told[name], "lastObservedTime": now}}
        try:
            await self._cluster.merge(EVENTS, namespace, name, series)
        except errors.NotFound:  # Events live for an hour
            self._told[name] = 1
            await self._cluster.create(EVENTS, namespace, body)

    def _allowed(self, uid: str) -> bool:
        if uid not in self._pace:
            _remember(self._pace, uid, Bucket(rate=1 / PERIOD, burst=BURST * PERIOD))
        return self._pace[uid].afford(self._seconds())


def _remember(known: OrderedDict[str, Known], name: str, value: Known) -> None:
    known[name] = value
    while len(known) > REMEMBERED:
        known.popitem(last=False)


def event(request: Object, action: Announce, now: str) -> dict[str, Any]:
    """The Event for *action*; its name depends on what it says and about which generation, not on when."""
    metadata = request["metadata"]
    said = "\n".join((metadata["uid"], str(metadata.get("generation")), action.reason, action.note))
    name = f"{metadata['name'][:NAME_LIMIT]}.{sha256(said.encode()).hexdigest()[:16]}"
    regarding = {name: metadata[name] for name in ("name", "namespace", "uid")}
    return {
        "apiVersion": "events.k8s.io/v1",
        "kind": "Event",
        "metadata": {"name": name, "namespace": metadata["namespace"]},
        "eventTime": now,
        "reportingController": MANAGER,
        "reportingInstance": f"{MANAGER}-{socket.gethostname()}"[:128],
        "action": "Reconcile",
        "type": action.type,
        "reason": action.reason,
        "note": action.note[:NOTE_LIMIT],
        "regarding": {"apiVersion": request["apiVersion"], "kind": request["kind"], **regarding},
    }
