"""Start-up and shut-down; the one place where every object is made and handed to those who need it."""

import asyncio
import logging
import os
import random
import secrets
import signal
import socket
from collections.abc import Sequence
from contextlib import AsyncExitStack
from dataclasses import replace

from dgdr_operator import settings
from dgdr_operator.controller import errors, estimation, logs, metrics, options, probes, tracing
from dgdr_operator.controller.apply import Kinds
from dgdr_operator.controller.clock import Clock
from dgdr_operator.controller.cluster import GRAPH_PLURAL, REQUEST_PLURAL, Cluster, preferred
from dgdr_operator.controller.lease import LeadershipLost, Lease
from dgdr_operator.controller.life import Life, Scope
from dgdr_operator.controller.options import Options
from dgdr_operator.controller.pace import Bucket
from dgdr_operator.controller.probes import Checks
from dgdr_operator.controller.tracing import SILENT, Traces
from dgdr_operator.errors import InvalidSetting
from dgdr_operator.request import ApiVersion
from dgdr_operator.settings import Settings, SeveralNodes

log = logging.getLogger(__name__)

BEAT = 1.0
MEASURE = 5.0
"""Seconds between two looks at what is only counted by looking."""
BEAT_LIMIT = 10.0
"""Seconds without a heartbeat after which the process counts as stuck."""
LAUNCHERS = frozenset({"grove.io", "leaderworkerset.x-k8s.io"})
"""API groups of what starts workers of several nodes."""
KINDS_PERIOD, KINDS_IMPATIENCE = 30.0, 2.0
"""Seconds between two looks at the served kinds, while they are there and while they are missing."""
LAST_TRACES = 1.5
"""Seconds for the last traces to be delivered, when all else has ended."""


def main(arguments: Sequence[str] | None = None) -> int:
    """Runs until it is told to stop; the exit code is 0 then, and 1 if it could not start."""
    chosen = options.read(arguments)
    logs.start(chosen.log_level, chosen.log_format)
    os.environ.update(estimation.SINGLE_THREADED)
    traces = tracing.begin(os.environ)
    try:
        asyncio.run(Controller(chosen, settings.read(os.environ), traces).run())
    except LeadershipLost as error:
        log.error("ending, so that nobody writes beside the new leader: %s", error)  # noqa: TRY400 - no fault of ours
    except (errors.ClusterError, InvalidSetting, OSError) as error:
        log.error("cannot start: %s", error)  # noqa: TRY400 - a sentence for people, no traceback
    except Exception:
        log.exception("a fault in the controller ended it")
    else:
        return 0
    finally:
        traces.close(LAST_TRACES)
    return 1


class Controller:
    """All parts of one replica, and the order in which they start and stop."""

    def __init__(self, chosen: Options, configured: Settings, traces: Traces = SILENT) -> None:
        self._options = chosen
        self._settings = configured
        self._traces = traces
        self._clock = Clock()
        self._beat = self._clock.seconds()
        self._stop = asyncio.Event()
        self._life: Life | None = None
        self._was_ready = False

    def stop(self) -> None:
        """Ends `run` in order."""
        self._stop.set()

    async def run(self) -> None:
        """From the first probe to the last farewell."""
        loop = asyncio.get_running_loop()
        for number in (signal.SIGTERM, signal.SIGINT):
            loop.add_signal_handler(number, self.stop)
        chosen, checks = self._options, Checks(alive=self._wrong, ready=self._unready, started=self._unstarted)
        async with AsyncExitStack() as farewell:
            for server in await probes.serve(chosen.probe_address, chosen.probe_port, chosen.metrics_port, checks):
                farewell.push_async_callback(server.cleanup)
            heart = loop.create_task(self._heartbeat())
            farewell.callback(heart.cancel)
            cluster = await Cluster.connect(Bucket(chosen.writes), self._traces)
            farewell.push_async_callback(cluster.close)
            await self._lead(cluster)

    async def _lead(self, cluster: Cluster) -> None:
        """Lives, as the only replica or as one of several; raises LeadershipLost as soon as another may write."""
        if self._options.lease is None:
            await self._live(cluster, None)
            return
        namespace, name = self._options.lease
        identity = f"{socket.gethostname()}_{secrets.token_hex(4)}"
        lease = Lease(cluster=cluster, namespace=namespace, name=name, identity=identity, seconds=self._clock.seconds)
        cluster.may_write = lease.still_leading
        tasks = [asyncio.create_task(lease.campaign()), asyncio.create_task(self._live(cluster, lease))]
        try:
            done, _ = await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
            for task in done:
                task.result()
        finally:
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)
            await lease.release()

    async def _live(self, cluster: Cluster, lease: Lease | None) -> None:
        """One life per set of served kinds: when the cluster serves others, everything begins anew."""
        kinds = await self._kinds(cluster)
        while kinds and not self._stop.is_set():
            log.info("serving requests %s, graphs %s", kinds.request.version, kinds.graph.version)
            self._life = Life(cluster, self._scope(kinds), self._clock, lease)
            changed = asyncio.create_task(self._changed(cluster, kinds))
            await self._life.last(self._stop, changed)
            self._life = None
            kinds = None if self._stop.is_set() else await self._kinds(cluster)

    def _scope(self, kinds: Kinds) -> Scope:
        graph_version: ApiVersion = "v1beta1" if kinds.graph.version == "v1beta1" else "v1alpha1"
        configured = replace(self._settings, graph_versions=(graph_version,), several_nodes=self._span(kinds))
        chosen = self._options
        return Scope(kinds=kinds, namespace=chosen.namespace, slots=chosen.slots, settings=configured, mode=chosen.mode)

    def _span(self, kinds: Kinds) -> SeveralNodes:
        """Workers span nodes where something starts them, unless the settings say otherwise."""
        told = self._settings.several_nodes
        return "refuse" if told == "auto" and kinds.launcher is False else told

    async def _kinds(self, cluster: Cluster) -> Kinds | None:
        """What the cluster serves, as soon as it serves both kinds; None if we are told to stop before."""
        said = ""
        while not self._stop.is_set():
            try:
                kinds = await looked(cluster)
            except errors.ClusterError as error:
                said = _once(said, f"the API server does not answer yet: {error}")
            else:
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
                if await looked(cluster) != kinds:
                    return
            except errors.ClusterError as error:
                log.debug("discovery: %s", error)

    async def _heartbeat(self) -> None:
        measured = 0.0
        while True:
            await asyncio.sleep(BEAT)
            now = self._clock.seconds()
            metrics.LOOP_LAG.set(max(0.0, now - self._beat - BEAT))
            self._beat = now
            if self._life and now >= measured + MEASURE:
                measured = now
                self._life.measure(now)

    def _wrong(self) -> str | None:
        now = self._clock.seconds()
        if now - self._beat > BEAT_LIMIT:
            return "the event loop does not turn"
        return self._life.wrong(now) if self._life else None

    def _unready(self) -> str | None:
        if self._stop.is_set():
            return "draining"
        missing = self._life.unready() if self._life else f"waiting for {REQUEST_PLURAL} and {GRAPH_PLURAL}"
        self._was_ready = self._was_ready or not missing
        return missing

    def _unstarted(self) -> str | None:
        return None if self._was_ready else self._unready()


async def looked(cluster: Cluster) -> Kinds | None:
    """What the cluster serves now; None while a kind is missing."""
    served = await cluster.served()
    request, graph = preferred(served, REQUEST_PLURAL), preferred(served, GRAPH_PLURAL)
    if not (request and graph and request.version == "v1beta1"):
        return None
    groups = await cluster.groups()
    return Kinds(request=request, graph=graph, launcher=None if groups is None else bool(groups & LAUNCHERS))


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
