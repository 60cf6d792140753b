"""One key: read, decide, act, report."""

import asyncio
import logging
from dataclasses import dataclass

from dgdr_operator.controller import decide, errors, metrics
from dgdr_operator.controller.acting import Actor
from dgdr_operator.controller.cache import Cache
from dgdr_operator.controller.clock import Clock
from dgdr_operator.controller.estimation import Estimation
from dgdr_operator.controller.outlook import Outlook
from dgdr_operator.controller.workqueue import Key, Workqueue
from dgdr_operator.controller.world import ApplyGraph, ApplyStatus, DeleteGraph

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
    queue: Workqueue
    clock: Clock


class Reconciler:
    """Takes keys from the queue and brings the world of each to where its request wants it."""

    def __init__(self, tools: Tools) -> None:
        self._tools = tools
        self.began: dict[Key, float] = {}

    async def work(self) -> None:
        """One worker: one key at a time, until the queue is closed."""
        queue, clock = self._tools.queue, self._tools.clock
        while (key := await queue.take()) is not None:
            self.began[key] = clock.seconds()
            metrics.QUEUE_DEPTH.set(len(queue.ledger))
            with metrics.ACTIVE_WORKERS.track_inprogress():
                await self._guarded(key)
            metrics.RECONCILE_SECONDS.observe(clock.seconds() - self.began.pop(key))

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
            log.exception("a fault in the controller", extra={"key": "/".join(key)})
            self._retry(key, error, cap=LASTING_CAP)
        else:
            metrics.RECONCILES.labels("success").inc()
            self._tools.queue.done(key)
            if again:
                self._tools.queue.add(key)

    def _retry(self, key: Key, error: Exception, *, cap: float) -> None:
        least = error.retry_after if isinstance(error, errors.Busy) else 0.0
        delay = self._tools.queue.failed(key, cap=cap, least=least)
        metrics.RECONCILES.labels("error").inc()
        metrics.QUEUE_RETRIES.inc()
        log.warning("again in %.1f s: %s", delay, error or "too slow", extra={"key": "/".join(key)})

    async def _reconcile(self, key: Key) -> bool:
        """Read, decide, act. Says whether something was written, which may have opened the way to the next step."""
        tools = self._tools
        request = tools.cache.requests.get(key)
        if request is None or request["metadata"].get("deletionTimestamp"):
            for part in (tools.estimation, tools.outlook, tools.actor):
                part.forget(key)
            return False
        world, answer = await tools.outlook.at(request, tools.actor.trouble(key))
        wanted = decide.actions(world, answer, now=tools.clock.timestamp())
        for action in wanted:
            if not await tools.actor.perform(key, world, action):
                break
        return any(isinstance(action, ApplyStatus | ApplyGraph | DeleteGraph) for action in wanted)
