"""Start-up and shut-down; the one place where every object is made and handed to those who need it."""

import argparse
import asyncio
import logging
import os
import random
import signal
from collections.abc import Sequence
from dataclasses import dataclass, replace

from dgdr_operator import settings
from dgdr_operator.controller import errors, estimation, logs, metrics, probes
from dgdr_operator.controller.apply import Hands, Kinds
from dgdr_operator.controller.cache import Cache, Object, name_of, version_of
from dgdr_operator.controller.clock import Clock
from dgdr_operator.controller.cluster import GRAPH_PLURAL, REQUEST_PLURAL, Cluster, Kind, preferred
from dgdr_operator.controller.discovery import Discovery
from dgdr_operator.controller.doorbell import Doorbell
from dgdr_operator.controller.estimation import Estimation
from dgdr_operator.controller.probes import Checks
from dgdr_operator.controller.reconcile import Reconciler, Tools
from dgdr_operator.controller.sweep import Sweep
from dgdr_operator.controller.workqueue import Workqueue
from dgdr_operator.settings import Settings

log = logging.getLogger(__name__)

WORKERS = 8
"""Reconciles at a time; each mostly waits for the API server."""
BEAT = 1.0
BEAT_LIMIT, RECONCILE_LIMIT = 10.0, 120.0
"""Seconds without a heartbeat, and in one reconcile, after which the process counts as stuck."""
KINDS_PERIOD, KINDS_IMPATIENCE = 30.0, 2.0
"""Seconds between two looks at the served kinds, while they are there and while they are missing."""
FAREWELL = 5.0
"""Seconds for the reconciles in hand, and then for the watch, to end."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Options:
    """The command line. namespace: None for all; slots: estimator processes."""

    namespace: str | None
    probe_address: str
    probe_port: int
    slots: int
    log_level: str


def options(arguments: Sequence[str] | None = None) -> Options:
    """Reads the command line; exits with 2 and one message when it is wrong."""
    parser = argparse.ArgumentParser(
        prog="dgdr_operator", description="Turns DynamoGraphDeploymentRequests into DynamoGraphDeployments."
    )
    where = parser.add_mutually_exclusive_group()
    where.add_argument("--namespace", metavar="NS", help="serve the requests of one namespace")
    where.add_argument("--all-namespaces", action="store_true", help="serve the requests of all namespaces (default)")
    parser.add_argument("--probe-address", default="0.0.0.0", help="address of the probes (default %(default)s)")  # noqa: S104 - the kubelet asks from outside the pod
    parser.add_argument("--probe-port", type=int, default=8080, help="port of the probes (default %(default)s)")
    parser.add_argument("--estimators", type=int, default=1, help="processes that plan (default %(default)s)")
    parser.add_argument("--log-level", default="info", choices=("debug", "info", "warning", "error"))
    given = parser.parse_args(arguments)
    return Options(
        namespace=given.namespace,
        probe_address=given.probe_address,
        probe_port=given.probe_port,
        slots=max(1, given.estimators),
        log_level=given.log_level,
    )


def main(arguments: Sequence[str] | None = None) -> int:
    """Runs until it is told to stop; the exit code is 0 then, and 1 if it could not start."""
    chosen = options(arguments)
    logs.start(chosen.log_level)
    os.environ.update(estimation.SINGLE_THREADED)
    try:
        asyncio.run(_Controller(chosen, settings.read(os.environ)).run())
    except (errors.ClusterError, OSError, ValueError) as error:
        log.error("cannot start: %s", error)  # noqa: TRY400 - a sentence for people, no traceback
        return 1
    return 0


class _Controller:
    """All parts of one replica, and the order in which they start and stop."""

    def __init__(self, chosen: Options, configured: Settings) -> None:
        self._options = chosen
        self._settings = configured
        self._clock = Clock()
        self._beat = self._clock.seconds()
        self._stop = asyncio.Event()
        self._life: _Life | None = None

    async def run(self) -> None:
        """From the first probe to the last farewell."""
        loop = asyncio.get_running_loop()
        for number in (signal.SIGTERM, signal.SIGINT):
            loop.add_signal_handler(number, self._stop.set)
        checks = Checks(alive=self._wrong, ready=self._unready)
        server = await probes.serve(self._options.probe_address, self._options.probe_port, checks)
        heart = loop.create_task(self._heartbeat())
        cluster = await Cluster.connect()
        try:
            await self._live(cluster)
        finally:
            heart.cancel()
            await cluster.close()
            await server.cleanup()

    async def _live(self, cluster: Cluster) -> None:
        """One life per set of served kinds: when the cluster serves others, everything begins anew."""
        kinds = await self._kinds(cluster)
        while kinds and not self._stop.is_set():
            log.info("serving requests %s, graphs %s", kinds.request.version, kinds.graph.version)
            self._life = _Life(cluster, kinds, self._options, self._settings, self._clock)
            changed = asyncio.create_task(self._changed(cluster, kinds))
            await self._life.last(self._stop, changed)
            self._life = None
            kinds = None if self._stop.is_set() else await self._kinds(cluster)

    async def _kinds(self, cluster: Cluster) -> Kinds | None:
        """What the cluster serves, as soon as it serves both kinds; None if we are told to stop before."""
        said = ""
        while not self._stop.is_set():
            try:
                served = await cluster.served()
            except errors.ClusterError as error:
                said = _once(said, f"the API server does not answer yet: {error}")
            else:
                kinds = _chosen(served)
                if kinds:
                    return kinds
                said = _once(said, f"waiting for the kinds {REQUEST_PLURAL} (v1beta1) and {GRAPH_PLURAL} of nvidia.com")
            await _pause(self._stop, KINDS_IMPATIENCE)
        return None

    async def _changed(self, cluster: Cluster, kinds: Kinds) -> None:
        """Returns when other kinds are served; a silent API server is no news."""
        while True:
            await asyncio.sleep(KINDS_PERIOD)
            try:
                if _chosen(await cluster.served()) != kinds:
                    return
            except errors.ClusterError as error:
                log.debug("discovery: %s", error)

    async def _heartbeat(self) -> None:
        while True:
            await asyncio.sleep(BEAT)
            now = self._clock.seconds()
            metrics.LOOP_LAG.set(max(0.0, now - self._beat - BEAT))
            self._beat = now

    def _wrong(self) -> str | None:
        now = self._clock.seconds()
        if now - self._beat > BEAT_LIMIT:
            return "the event loop does not turn"
        return self._life.wrong(now) if self._life else None

    def _unready(self) -> str | None:
        if self._stop.is_set():
            return "draining"
        return self._life.unready() if self._life else f"waiting for {REQUEST_PLURAL} and {GRAPH_PLURAL}"


class _Life:
    """The working parts, made for one set of served kinds."""

    def __init__(self, cluster: Cluster, kinds: Kinds, chosen: Options, configured: Settings, clock: Clock) -> None:
        self._cluster = cluster
        self._kinds = kinds
        self._namespace = chosen.namespace
        self._cache = Cache()
        self._queue = Workqueue(clock.seconds)
        self._discovery = Discovery(cluster, self._nodes_changed)
        versions = replace(configured, graph_versions=(kinds.graph.version,))
        self._estimation = Estimation(chosen.slots, versions, self._queue.add, clock)
        self._sweep = Sweep(cluster, self._cache, kinds, chosen.namespace)
        self._doorbell = Doorbell(kinds, chosen.namespace, self._heard, self._sweep.ask)
        self._reconciler = Reconciler(
            Tools(
                cluster=cluster,
                cache=self._cache,
                hands=Hands(cluster, self._cache, kinds),
                estimation=self._estimation,
                queue=self._queue,
                inventory=lambda: self._discovery.inventory,
                clock=clock,
            )
        )

    async def last(self, stop: asyncio.Event, changed: "asyncio.Task[None]") -> None:
        """Works until told to stop, until the served kinds change, or until a part falls for good."""
        parts = [asyncio.create_task(part) for part in (self._estimation.work(), self._discovery.watch())]
        self._doorbell.open()
        parts.append(asyncio.create_task(self._sweep.watch(self._queue.add)))
        ended = [asyncio.create_task(stop.wait()), changed]
        workers = asyncio.create_task(self._work())
        try:
            done, _ = await asyncio.wait([*parts, *ended, workers], return_when=asyncio.FIRST_COMPLETED)
            for part in done:
                part.result()
        finally:
            await self._end(workers, [*parts, *ended])

    async def _work(self) -> None:
        """The workers begin when there is an inventory: before, every request would look like one without nodes."""
        while not (self._discovery.loaded and self._sweep.swept):
            await asyncio.sleep(0.02)
        await _report_missing_rights(self._cluster, self._kinds, self._namespace or "")
        async with asyncio.TaskGroup() as group:
            for _ in range(WORKERS):
                group.create_task(self._reconciler.work())

    async def _end(self, workers: "asyncio.Task[None]", parts: "Sequence[asyncio.Task[object]]") -> None:
        """No new keys, those in hand within their time, then the watch, then the processes."""
        loop = asyncio.get_running_loop()
        deadline = loop.time() + FAREWELL
        while self._reconciler.began and loop.time() < deadline:
            await asyncio.sleep(0.05)
        for part in (workers, *parts):
            part.cancel()
        await asyncio.gather(workers, *parts, return_exceptions=True)
        self._estimation.close()
        await self._doorbell.close(FAREWELL)

    def wrong(self, now: float) -> str | None:
        """Why a restart would help, if so."""
        if not self._doorbell.alive:
            return "the doorbell's thread has ended"
        stuck = [key for key, began in self._reconciler.began.items() if now - began > RECONCILE_LIMIT]
        return f"stuck in {'/'.join(stuck[0])}" if stuck else None

    def unready(self) -> str | None:
        """What is still missing, if anything."""
        if not self._sweep.swept:
            return "requests and graphs are not listed yet"
        return None if self._discovery.loaded else "the nodes are not listed yet"

    def _heard(self, which: str, event: str, body: Object) -> None:
        """The bell rang: remember what it brought, and queue the requests it concerns."""
        shelf = self._cache.requests if which == "request" else self._cache.graphs
        name = name_of(body)
        concerned = {name} if which == "request" else self._cache.requests_of(name, body)
        news = shelf.drop(name, version_of(body)) if event == "DELETED" else shelf.put(body)
        for key in concerned if news else ():
            self._queue.add(key)

    def _nodes_changed(self) -> None:
        """Requests without a plan are planned again; those with one keep it."""
        for key in self._cache.requests:
            self._queue.add(key)


def _chosen(served: dict[str, tuple[str, ...]]) -> Kinds | None:
    request, graph = preferred(served, REQUEST_PLURAL), preferred(served, GRAPH_PLURAL)
    return Kinds(request=request, graph=graph) if request and graph and request.version == "v1beta1" else None


def _once(said: str, sentence: str) -> str:
    if sentence != said:
        log.warning(sentence)
    return sentence


async def _pause(stop: asyncio.Event, seconds: float) -> None:
    try:
        async with asyncio.timeout(seconds * random.uniform(0.8, 1.2)):
            await stop.wait()
    except TimeoutError:
        return


async def _report_missing_rights(cluster: Cluster, kinds: Kinds, namespace: str) -> None:
    """Says at the start what would otherwise fail later, request by request."""
    needed: list[tuple[str, Kind, str]] = [
        *((verb, kinds.request, "") for verb in ("get", "list", "watch")),
        ("patch", kinds.request, "status"),
        *((verb, kinds.graph, "") for verb in ("get", "list", "watch", "create", "patch")),
    ]
    for verb, kind, subresource in needed:
        try:
            allowed = await cluster.may(verb, kind, namespace, subresource)
        except errors.ClusterError as error:
            log.debug("access review: %s", error)
            return
        if not allowed:
            log.warning("missing right: %s %s", verb, "/".join(filter(None, (kind.plural, subresource))))
