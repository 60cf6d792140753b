"""The working parts of one replica, made for one set of served kinds, and the order in which they start and stop."""

import asyncio
import logging
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from importlib import import_module
from typing import TYPE_CHECKING, Any

from dgdr_operator.controller import errors, gauges, metrics, modes, recall
from dgdr_operator.controller.acting import Actor
from dgdr_operator.controller.apply import Hands, Kinds
from dgdr_operator.controller.bench import Bench
from dgdr_operator.controller.beside import Beside
from dgdr_operator.controller.cache import Cache, Name, name_of, version_of
from dgdr_operator.controller.clock import Clock
from dgdr_operator.controller.cluster import CLAIMS, CONFIG_MAPS, EVENTS, JOBS, NAMESPACES, Cluster, Kind
from dgdr_operator.controller.discovery import Discovery
from dgdr_operator.controller.estimation import Estimation, Slot
from dgdr_operator.controller.events import Events
from dgdr_operator.controller.existence import Existence
from dgdr_operator.controller.forms import Object
from dgdr_operator.controller.gauges import Brief
from dgdr_operator.controller.hearing import Hearing
from dgdr_operator.controller.lease import Lease
from dgdr_operator.controller.outlook import Outlook, Sources
from dgdr_operator.controller.reconcile import Reconciler, Tools
from dgdr_operator.controller.sweep import Sweep
from dgdr_operator.controller.upstream import Upstream
from dgdr_operator.controller.workqueue import Workqueue
from dgdr_operator.settings import Settings

if TYPE_CHECKING:
    from dgdr_operator.controller.doorbell import Doorbell

log = logging.getLogger(__name__)

DOORBELL = "dgdr_operator.controller.doorbell"
WORKERS = 8
"""Reconciles at a time; each mostly waits for the API server."""
RECONCILE_LIMIT = 120.0
"""Seconds in one reconcile after which the process counts as stuck."""
HOLD = 120.0
"""Seconds that a changed world has to last: two rounds of looking at the nodes."""
FAREWELL = 4.0
"""Seconds for the reconciles in hand, and then for the watch, to end."""
LAST_WORDS = 0.5
"""Seconds for the Events that still wait, before another replica may lead."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Scope:
    """What a replica serves and with what. namespace: None for all; slots: estimator processes; mode: whose they are;
    hold: seconds that a changed world has to last before anything is planned again for it.
    """

    kinds: Kinds
    namespace: str | None
    slots: int
    settings: Settings
    mode: modes.Mode = "auto"
    hold: float = HOLD


class Life:
    """The working parts, made for one set of served kinds."""

    def __init__(self, cluster: Cluster, scope: Scope, clock: Clock, lease: Lease | None = None) -> None:
        self._cluster = cluster
        self._lease = lease
        self._idle = True
        self._scope = scope
        self._clock = clock
        metrics.MOST_WORKERS.labels(metrics.NAME).set(WORKERS)
        self._cache = Cache()
        self._queue = Workqueue(clock.seconds)
        self.discovery = Discovery(
            cluster,
            self._nodes_changed,
            settings=scope.settings,
            namespace=scope.namespace,
            waiting=lambda: any(_waits(brief) for _, brief in self._cache.requests.briefs()),
            clock=clock,
        )
        slots = [Slot() for _ in range(scope.slots)]
        self._estimation = Estimation(slots, scope.settings, self._queue.add, clock, cluster.traces)
        self._events = Events(cluster, clock.seconds, busy=lambda: len(self._queue.ledger) > WORKERS)
        self._hearing = Hearing()
        self._upstream = Upstream(cluster, self._cache, scope.mode, self._all_again)
        self._sweep = Sweep(cluster, self._cache, scope.kinds, scope.namespace, self._found)
        self._doorbell: Doorbell | None = None
        self._reconciler = Reconciler(self._tools(clock))

    def _tools(self, clock: Clock) -> Tools:
        """What the reconciler works with; everything else is made by now."""
        hands = Hands(self._cluster, self._cache, self._scope.kinds)
        sources = Sources(
            cache=self._cache,
            hands=hands,
            estimation=self._estimation,
            queue=self._queue,
            inventory=self.discovery.seen_by,
            fresh=self.discovery.fresh,
            gaps=Existence(self._cluster, clock).gaps,
            clock=clock,
            release=recall.release(self._scope.settings),
            hold=self._scope.hold,
        )
        bench = Bench(self._cluster, self._scope.kinds.request)
        actor = Actor(hands, bench, self._events, self._queue, clock)
        return Tools(
            cache=self._cache,
            estimation=self._estimation,
            outlook=Outlook(sources),
            actor=actor,
            beside=Beside(sources, actor),
            role=self._role,
            queue=self._queue,
            clock=clock,
            traces=self._cluster.traces,
        )

    def _role(self, request: Mapping[str, Any]) -> modes.Role:
        """What we are to *request* in this cluster."""
        graph = next(iter(self._cache.graphs_of(name_of(request))), None)
        return modes.role(request, self._scope.mode, graph, upstream=self._upstream.active)

    async def last(self, stop: asyncio.Event, changed: "asyncio.Task[None]") -> None:
        """Works until told to stop, until the served kinds change, or until a part falls for good."""
        parts = [asyncio.create_task(part) for part in (self._estimate(), self.discovery.watch())]
        parts.append(asyncio.create_task(self._events.work()))
        parts.append(asyncio.create_task(self._listen()))
        parts.append(asyncio.create_task(self._sweep.watch(self._queue.add)))
        parts.append(asyncio.create_task(self._upstream.watch(self._sweep.swept)))
        ended = [asyncio.create_task(stop.wait()), changed]
        workers = asyncio.create_task(self._work())
        try:
            done, _ = await asyncio.wait([*parts, *ended, workers], return_when=asyncio.FIRST_COMPLETED)
            for part in done:
                part.result()
        finally:
            await self._end(workers, [*parts, *ended], final=stop.is_set())

    async def _estimate(self) -> None:
        """Its processes begin after the first sweep: before, nobody asks, and they would be in its way."""
        await self._sweep.swept.wait()
        await self._estimation.work()

    async def _listen(self) -> None:
        """The watch begins after the first sweep: its library takes half a second to load, and milliseconds for each
        object that is there already.

        What changes in between it finds by itself, since it begins with a list of its own.
        """
        await self._sweep.swept.wait()
        hang: type[Doorbell] = (await asyncio.to_thread(import_module, DOORBELL)).Doorbell
        self._doorbell = hang(self._scope.kinds, self._scope.namespace, self._heard, self._sweep.ask)
        self._doorbell.open()
        await asyncio.Event().wait()

    async def _work(self) -> None:
        """The workers begin when there is an inventory: before, every request would look like one without nodes.

        A replica that follows has everything but workers; when it leads, they find a warm cache and a full queue.
        """
        await self.discovery.loaded.wait()
        await self._sweep.swept.wait()
        await self._upstream.looked.wait()
        if self._lease and not self._lease.leading.is_set():
            log.info("following: warm, and writing nothing")
            await self._lease.leading.wait()
            self._sweep.ask()
        self._idle = False
        async with asyncio.TaskGroup() as group:
            group.create_task(_report_missing_rights(self._cluster, self._scope))
            for _ in range(WORKERS):
                group.create_task(self._reconciler.work())

    async def _end(
        self, workers: "asyncio.Task[None]", parts: "Sequence[asyncio.Task[object]]", *, final: bool
    ) -> None:
        """No new keys, those in hand within their time, then the lead goes back, then the watch and the processes."""
        self._queue.close()
        if self._idle:
            workers.cancel()
        await asyncio.wait([workers], timeout=FAREWELL)
        await self._events.all_told(LAST_WORDS)
        if self._lease and final:
            await self._lease.release()
        for part in (workers, *parts):
            part.cancel()
        await asyncio.gather(workers, *parts, return_exceptions=True)
        self._estimation.close()
        if self._doorbell:
            await self._doorbell.close(FAREWELL)

    def sweep(self) -> None:
        """Compares with the full lists soon."""
        self._sweep.ask()

    def measure(self, now: float) -> None:
        """Looks at what there is, and whether the watch still tells; who follows counts nothing as its own."""
        idle, queue = self._idle, self._queue.ledger
        gauges.requests(() if idle else (brief for _, brief in self._cache.requests.briefs()))
        gauges.work(0 if idle else len(queue), self._estimation.waiting, self._reconciler.began.values(), now)
        for which in self._hearing.deaf(now):
            log.warning(
                "the watch did not tell within a minute what a sweep found: it begins anew", extra={"reason": which}
            )
            metrics.WATCH_DEAF.labels(which).inc()
            if self._doorbell:
                self._doorbell.restart("deaf")

    def wrong(self, now: float) -> str | None:
        """Why a restart would help, if so."""
        if self._doorbell and not self._doorbell.alive:
            return "the doorbell's thread has ended"
        stuck = [key for key, began in self._reconciler.began.items() if now - began > RECONCILE_LIMIT]
        return f"stuck in {'/'.join(stuck[0])}" if stuck else None

    def unready(self) -> str | None:
        """What is still missing, if anything."""
        if not self._sweep.swept.is_set():
            return "requests and graphs are not listed yet"
        return None if self.discovery.loaded.is_set() else "the nodes are not listed yet"

    def _found(self, which: str, names: set[Name]) -> None:
        self._hearing.found(which, names, self._clock.seconds())

    def _heard(self, which: str, event: str, body: Object) -> None:
        """The bell rang: remember what it brought, and queue the requests it concerns."""
        shelf = self._cache.requests if which == "request" else self._cache.graphs
        name = name_of(body)
        self._hearing.heard(which, name)
        metrics.WATCH_LAST.labels(which).set_to_current_time()
        concerned = frozenset({name}) if which == "request" else self._cache.requests_of(name, body)
        news = shelf.drop(name, version_of(body)) if event == "DELETED" else shelf.put(body)
        for key in concerned if news else ():
            self._queue.add(key)

    def _all_again(self) -> None:
        """Whose requests they are may have changed."""
        for key in self._cache.requests:
            self._queue.add(key)

    def _nodes_changed(self, other: bool) -> None:  # noqa: FBT001 - called back with what changed
        """Requests without a plan are planned again, also when only other GPUs are free; those with one keep it."""
        for key, brief in self._cache.requests.briefs():
            if other or _waits(brief):
                self._queue.add(key)


def _waits(brief: object) -> bool:
    """Whether a request has no plan to go by."""
    return isinstance(brief, Brief) and brief.unplanned


async def _report_missing_rights(cluster: Cluster, scope: Scope) -> None:
    """Says at the start what would otherwise fail later, request by request."""
    kinds, namespace = scope.kinds, scope.namespace or ""
    needed: list[tuple[str, Kind, str]] = [
        *((verb, kinds.request, "") for verb in ("get", "list", "watch")),
        ("patch", kinds.request, "status"),
        *((verb, kinds.graph, "") for verb in ("get", "list", "watch", "create", "patch", "delete")),
        *((verb, CONFIG_MAPS, "") for verb in ("get", "create", "patch")),
        *(("get", kind, "") for kind in (CLAIMS, NAMESPACES)),
        *((verb, EVENTS, "") for verb in ("create", "patch")),
        *((("get", JOBS, ""),) if scope.mode != "owner" else ()),
    ]
    for verb, kind, subresource in needed:
        try:
            allowed = await cluster.may(verb, kind, namespace, subresource)
        except errors.ClusterError as error:
            log.debug("access review: %s", error)
            return
        if not allowed:
            log.warning("missing right: %s %s", verb, "/".join(filter(None, (kind.plural, subresource))))
