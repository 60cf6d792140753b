"""One key: read, decide, act, report."""

import asyncio
import logging
from collections.abc import Callable
from contextlib import AbstractContextManager
from dataclasses import dataclass

from dgdr_operator.controller import decide, errors, logs, metrics
from dgdr_operator.controller.acting import Actor
from dgdr_operator.controller.beside import Beside
from dgdr_operator.controller.cache import Cache
from dgdr_operator.controller.clock import Clock
from dgdr_operator.controller.estimation import Estimation
from dgdr_operator.controller.modes import Role
from dgdr_operator.controller.outlook import Outlook
from dgdr_operator.controller.tracing import SILENT, Traces
from dgdr_operator.controller.workqueue import Key, Workqueue
from dgdr_operator.controller.world import ApplyGraph, ApplyStatus, DeleteGraph, Object

log = logging.getLogger(__name__)

LIMIT = 30.0
"""Seconds for one reconcile; then it is cancelled and tried again, so that a stuck call does not hold a worker."""
PASSING_CAP, LASTING_CAP = 15.0, 300.0
"""Longest wait between two tries after a passing fault of the cluster, and after anything else."""
PASSING = (errors.Unavailable, errors.Busy, errors.Conflict, TimeoutError)


@dataclass(frozen=True, slots=True, kw_only=True)
class Tools:
    """What a reconciler works with."""

    cache: Cache
    estimation: Estimation
    outlook: Outlook
    actor: Actor
    beside: Beside
    role: Callable[[Object], Role]
    queue: Workqueue
    clock: Clock
    traces: Traces = SILENT


class Reconciler:
    """Takes keys from the queue and brings the world of each to where its request wants it."""

    def __init__(self, tools: Tools) -> None:
        self._tools = tools
        self._count = 0
        self.began: dict[Key, float] = {}

    async def work(self) -> None:
        """One worker: one key at a time, until the queue is closed."""
        queue, clock = self._tools.queue, self._tools.clock
        while (key := await queue.take()) is not None:
            await asyncio.sleep(0)  # thousands of reconciles that find all well, and never wait, would be one long step
            self.began[key] = clock.seconds()
            with metrics.ACTIVE_WORKERS.labels(metrics.NAME).track_inprogress(), self._about(key), self._traced(key):
                await self._guarded(key)
            took = clock.seconds() - self.began.pop(key)
            metrics.RECONCILE_SECONDS.labels(metrics.NAME).observe(took)
            metrics.WORK_SECONDS.labels(metrics.NAME, metrics.NAME).observe(took)

    def _about(self, key: Key) -> AbstractContextManager[None]:
        """Whatever is logged in this reconcile says about which request, and which reconcile it was."""
        self._count += 1
        metadata = (self._tools.cache.requests.get(key) or {}).get("metadata") or {}
        known = {"uid": metadata.get("uid"), "generation": metadata.get("generation")}
        return logs.about(key="/".join(key), reconcile=self._count, **known)

    def _traced(self, key: Key) -> AbstractContextManager[None]:
        """The same for those who follow its traces."""
        return self._tools.traces.reconcile(key, self._count, lambda: self._tools.cache.requests.get(key))

    async def _guarded(self, key: Key) -> None:
        """One reconcile, whatever happens in it; nothing is swallowed, and everything is tried again."""
        try:
            async with asyncio.timeout(LIMIT):
                again = await self._reconcile(key)
        except PASSING as error:
            self._retry(key, error, cap=PASSING_CAP)
        except errors.ClusterError as error:
            self._retry(key, error, cap=LASTING_CAP)
        except Exception as error:
            log.exception("a fault in the controller")
            self._retry(key, error, cap=LASTING_CAP)
        else:
            metrics.RECONCILES.labels(metrics.NAME, "success").inc()
            self._tools.queue.done(key)
            if again:
                self._tools.queue.add(key, late=True)  # others wait for their first plan

    def _retry(self, key: Key, error: Exception, *, cap: float) -> None:
        self._tools.traces.failed(error)
        least = error.retry_after if isinstance(error, errors.Busy) else 0.0
        delay = self._tools.queue.failed(key, cap=cap, least=least)
        metrics.RECONCILES.labels(metrics.NAME, "error").inc()
        metrics.RECONCILE_ERRORS.labels(metrics.NAME).inc()
        metrics.QUEUE_RETRIES.labels(metrics.NAME, metrics.NAME).inc()
        log.warning("again in %.1f s: %s", delay, error or "too slow")

    async def _reconcile(self, key: Key) -> bool:
        """Read, decide, act. Says whether something was written, which may have opened the way to the next step."""
        tools = self._tools
        request = tools.cache.requests.get(key)
        if request is None or request["metadata"].get("deletionTimestamp"):
            for part in (tools.estimation, tools.outlook, tools.actor, tools.beside):
                part.forget(key)
            return False
        role = tools.role(request)
        if role.kind != "owner":
            await tools.beside.act(request, role)
            return False
        world, answer = await tools.outlook.at(request, tools.actor.trouble(key))
        wanted = decide.actions(world, answer, now=tools.clock.timestamp())
        for action in wanted:
            if not await tools.actor.perform(key, world, action):
                break
        return any(isinstance(action, ApplyStatus | ApplyGraph | DeleteGraph) for action in wanted)
