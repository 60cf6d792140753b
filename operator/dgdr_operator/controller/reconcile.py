"""One key: read, decide, act, report."""

import asyncio
import logging
from collections.abc import Callable
from dataclasses import dataclass

from dgdr_operator.controller import decide, errors, events, metrics, recall
from dgdr_operator.controller.answers import Answer
from dgdr_operator.controller.apply import Hands
from dgdr_operator.controller.cache import Cache, Object
from dgdr_operator.controller.clock import Clock
from dgdr_operator.controller.cluster import Cluster
from dgdr_operator.controller.estimation import Estimation
from dgdr_operator.controller.workqueue import Key, Workqueue
from dgdr_operator.controller.world import Action, Announce, ApplyGraph, ApplyStatus, LookAgain, Trouble, World
from dgdr_operator.inventory import Inventory
from dgdr_operator.status import Planned

log = logging.getLogger(__name__)

LIMIT = 30.0
"""Seconds for one reconcile; then it is cancelled and tried again, so that a stuck call does not hold a worker."""
DENIED_PAUSE = 20.0
"""Seconds until a missing right is asked for again."""
PASSING_CAP, LASTING_CAP = 15.0, 300.0
"""Longest wait between two tries after a passing fault of the cluster, and after anything else."""
PASSING = (errors.Unavailable, errors.Busy, errors.Conflict, TimeoutError)


@dataclass(frozen=True, slots=True, kw_only=True)
class Tools:
    """What a reconciler works with."""

    cluster: Cluster
    cache: Cache
    hands: Hands
    estimation: Estimation
    queue: Workqueue
    inventory: Callable[[], Inventory | None]
    clock: Clock


class Reconciler:
    """Takes keys from the queue and brings the world of each to where its request wants it."""

    def __init__(self, tools: Tools) -> None:
        self._tools = tools
        self._troubles: dict[Key, Trouble] = {}
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
            tools.estimation.forget(key)
            self._troubles.pop(key, None)
            return False
        answer: Answer = recall.recorded(request) or tools.estimation.answer(request, tools.inventory())
        graph = await self._graph(request, answer)
        lacking = await tools.hands.lacking(answer.graph, graph) if graph and isinstance(answer, Planned) else ()
        world = World(request=request, graph=graph, trouble=self._troubles.get(key), lacking=lacking)
        wanted = decide.actions(world, answer, now=tools.clock.timestamp())
        for action in wanted:
            if not await self._performed(key, request, action):
                break
        return any(isinstance(action, ApplyStatus | ApplyGraph) for action in wanted)

    async def _graph(self, request: Object, answer: Answer) -> Object | None:
        """The graph as last seen; that a recorded one is gone is believed only after a look at the cluster itself."""
        name = decide.graph_name(request, answer)
        namespace = request["metadata"]["namespace"]
        if name is None:
            return None
        graph = self._tools.cache.graphs.get((namespace, name))
        if graph is None and World(request=request).recorded_name == name:
            graph = await self._tools.hands.look(namespace, name)
        return graph

    async def _performed(self, key: Key, request: Object, action: Action) -> bool:
        """Does it; False if the cluster refused it, so that what would have followed is not done."""
        tools = self._tools
        match action:
            case ApplyStatus(status=status):
                await tools.hands.write_status(request, status)
                log.info("now %s", status["phase"], extra={"key": "/".join(key), "phase": status["phase"]})
            case ApplyGraph():
                return await self._graph_written(key, request, action)
            case Announce():
                if action.reason == "DriftCorrected":
                    metrics.DRIFT_CORRECTIONS.inc()
                await events.announce(tools.cluster, request, action)
            case LookAgain(after=after):
                tools.queue.add_after(key, after)
        return True

    async def _graph_written(self, key: Key, request: Object, action: ApplyGraph) -> bool:
        """Writes it, and remembers what the cluster has against it. A taken name shows in the world by itself."""
        try:
            await self._tools.hands.write_graph(request, action)
        except errors.NameTaken:
            return False
        except errors.Rejected as error:
            self._troubles[key] = Trouble(kind="rejected", message=error.message, graph=action.graph)
        except errors.Denied as error:
            self._troubles[key] = Trouble(kind="denied", message=error.message, graph=action.graph)
            asyncio.get_running_loop().call_later(DENIED_PAUSE, self._ask_again, key)
        else:
            self._troubles.pop(key, None)
            log.info("graph %s written", action.graph["metadata"]["name"], extra={"key": "/".join(key)})
            return True
        return False

    def _ask_again(self, key: Key) -> None:
        self._troubles.pop(key, None)
        self._tools.queue.add(key)
