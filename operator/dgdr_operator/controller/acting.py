"""Does what was decided, and remembers what the cluster has against it."""

import asyncio
import logging
from collections.abc import Awaitable, Callable

from dgdr_operator.controller import bench, errors, gauges, metrics, recall
from dgdr_operator.controller.apply import Hands
from dgdr_operator.controller.bench import Bench
from dgdr_operator.controller.clock import Clock
from dgdr_operator.controller.events import Events
from dgdr_operator.controller.workqueue import Key, Workqueue
from dgdr_operator.controller.world import (
    Action,
    Announce,
    ApplyGraph,
    ApplyRecord,
    ApplyStatus,
    DeleteGraph,
    LookAgain,
    Measure,
    Object,
    Trouble,
    World,
)

log = logging.getLogger(__name__)

DENIED_PAUSE = 20.0
"""Seconds until a missing right is asked for again."""


class Actor:
    """The one who acts, on one request at a time."""

    def __init__(self, hands: Hands, bench: Bench, events: Events, queue: Workqueue, clock: Clock) -> None:
        self._events = events
        self._bench = bench
        self._hands = hands
        self._queue = queue
        self._clock = clock
        self._troubles: dict[Key, Trouble] = {}

    def trouble(self, key: Key) -> Trouble | None:
        """What the cluster had against the last try."""
        return self._troubles.get(key)

    def forget(self, key: Key) -> None:
        """The request is gone."""
        self._troubles.pop(key, None)

    async def perform(self, key: Key, world: World, action: Action) -> bool:
        """Does it; False if the cluster refused it, so that what would have followed is not done."""
        request = world.request
        match action:
            case ApplyStatus(status=status):
                await self._hands.write_status(request, status)
                gauges.passed(request, status, self._clock.timestamp())
                if status["phase"] != world.status.get("phase"):
                    log.info("now %s", status["phase"], extra=_said(status))
            case ApplyRecord():
                await self._hands.write_record(request, action, world.graph, self._clock.timestamp())
            case ApplyGraph():
                return await self._tried(key, action.graph, lambda: self._hands.write_graph(request, action), "written")
            case DeleteGraph(graph=graph):
                return await self._tried(key, graph, lambda: self._hands.delete_graph(graph), "deleted")
            case Announce():
                self._announced(request, action)
            case Measure(job=job):
                await self._measured(key, request, job)
            case LookAgain(after=after):
                self._queue.add_after(key, after)
        return True

    def _announced(self, request: Object, action: Announce) -> None:
        if action.reason == "DriftCorrected":
            metrics.DRIFT_CORRECTIONS.inc()
        self._events.announce(request, action)

    async def _measured(self, key: Key, request: Object, job: Object) -> None:
        """Measures, and looks again until that has ended."""
        if not await self._bench.measure(request, job, self._clock.timestamp()):
            self._queue.add_after(key, bench.PAUSE)

    async def _tried(self, key: Key, graph: Object, change: Callable[[], Awaitable[None]], done: str) -> bool:
        """Changes *graph*, and remembers a no. A taken name shows in the world by itself."""
        try:
            await change()
        except errors.NameTaken:
            return False
        except errors.Rejected as error:
            self._troubles[key] = Trouble(kind="rejected", message=error.message, graph=graph)
        except errors.Denied as error:
            self._troubles[key] = Trouble(kind="denied", message=error.message, graph=graph)
            asyncio.get_running_loop().call_later(DENIED_PAUSE, self._ask_again, key)
        else:
            self._troubles.pop(key, None)
            log.info("graph %s %s", graph["metadata"]["name"], done, extra={"graph": graph["metadata"]["name"]})
            return True
        return False

    def _ask_again(self, key: Key) -> None:
        self._troubles.pop(key, None)
        self._queue.add(key)


def _said(status: Object) -> dict[str, str]:
    """What the log adds to a change of phase."""
    planned = (status.get("profilingResults") or {}).get("selectedConfig") or {}
    digest = str(((planned.get("metadata") or {}).get("annotations") or {}).get(recall.INPUTS_HASH, ""))
    return {"phase": status["phase"], **({"input_hash": digest} if digest else {})}
