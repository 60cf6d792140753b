"""Something changed -> ring. kopf in a thread and an event loop of its own; it decides nothing and writes nothing.

In a shared loop kopf would cancel our tasks on its way out, and a watch it cannot continue is the end of its run; so
it lives apart, in a fresh loop per life, and is started again when it falls.
"""

import asyncio
import itertools
import logging
import os
import random
import threading
from collections.abc import Callable, Iterator
from contextlib import suppress
from dataclasses import replace
from typing import Any

import kopf

from dgdr_operator.controller import metrics
from dgdr_operator.controller.apply import Kinds
from dgdr_operator.controller.cluster import Kind

log = logging.getLogger(__name__)

PAUSE = 0.5
"""Seconds between two lives."""
HEART, GLANCE, FAREWELL = "multidimensional multitasker", 1.0, 8.0
"""The task of kopf's that lives as long as its watches; seconds between two looks at it, and of patience once it is
gone: kopf needs five to say goodbye."""
IDLE = 0.1
"""Seconds that kopf keeps an object in memory once it is told: at its five, a list of thousands is there as a whole."""
CHUNK = 100
"""Objects that kopf lists at a time when it begins; a list that expires in the middle ends that life of it."""

Object = dict[str, Any]
Ring = Callable[[str, str, Object], None]
"""Called in the home loop with "request" or "graph", the type of the event (None while listing), and the object."""


class ForeverWithJitter:
    """Delays that never run out, and begin anew for every request: kopf ends its run at the end of a series."""

    def __iter__(self) -> Iterator[float]:
        for delay in itertools.chain((1, 1, 2, 3, 5, 8), itertools.repeat(10)):
            yield delay * random.uniform(0.7, 1.3)


class Forgetful(kopf.DiffBaseStorage):
    """No memory of what was handled: kopf would copy every object deeply to compare it, for handlers we do not have."""

    def build(self, *, body: kopf.Body, extra_fields: object = None) -> kopf.BodyEssence:
        """Nothing of *body* is worth comparing."""
        del body, extra_fields
        return kopf.BodyEssence()

    def fetch(self, *, body: kopf.Body) -> None:
        """Nothing was ever stored."""
        del body

    def store(self, *, body: kopf.Body, patch: kopf.Patch, essence: kopf.BodyEssence) -> None:
        """Stores nothing."""
        del body, patch, essence


def settings() -> kopf.OperatorSettings:
    """kopf with everything switched off that would write, lock, scan or give up."""
    chosen = kopf.OperatorSettings()
    chosen.peering.standalone = True
    chosen.scanning.disabled = True
    chosen.posting.enabled = False
    chosen.networking.error_backoffs = ForeverWithJitter()
    chosen.networking.enforce_retry_after = True
    chosen.networking.request_timeout, chosen.networking.connect_timeout = 30, 5
    chosen.watching.server_timeout, chosen.watching.client_timeout = 20, 25
    chosen.watching.inactivity_timeout, chosen.watching.reconnect_backoff = 25, 1.0
    chosen.watching.chunk_size = CHUNK
    chosen.queueing.exit_timeout = 2
    chosen.queueing.idle_timeout = IDLE
    chosen.persistence.diffbase_storage = Forgetful()
    chosen.process.ultimate_exiting_timeout = None  # its alternative is SIGKILL for the whole process
    return chosen


async def _lived(life: "asyncio.Task[None]") -> None:
    """Until *life* is over. One that is dying for too long is put to an end: kopf can wait for itself for ever."""
    dying = 0.0
    while not life.done():
        await asyncio.wait([life], timeout=GLANCE)
        dying = 0.0 if any(task.get_name() == HEART for task in asyncio.all_tasks()) else dying + GLANCE
        if dying > FAREWELL and not life.done():
            log.warning("the watch does not come to an end by itself")
            for task in asyncio.all_tasks() - {asyncio.current_task()}:
                task.cancel()
    if not life.cancelled():
        life.result()


def login_as_pod(**kwargs: Any) -> kopf.ConnectionInfo | None:  # noqa: ANN401 -- whatever kopf passes to a login
    """The pod's service account, at the address that Kubernetes gives to every container.

    kopf asks for kubernetes.default.svc instead: the watch would be deaf wherever names do not resolve.
    """
    found = kopf.login_with_service_account(**kwargs)
    host, port = (os.environ.get(f"KUBERNETES_SERVICE_{part}") for part in ("HOST", "PORT"))
    if found is None or not (host and port):
        return found
    return replace(found, server=f"https://{f'[{host}]' if ':' in host else host}:{port}")


class Doorbell:
    """Watches both kinds, in one namespace or in all, until it is closed. *fell* is called whenever a life ends."""

    def __init__(self, kinds: Kinds, namespace: str | None, ring: Ring, fell: Callable[[], None]) -> None:
        self._kinds = kinds
        self._namespace = namespace
        self._ring = ring
        self._fell = fell
        self._home = asyncio.get_running_loop()
        self._closed = threading.Event()
        self._why = "fell"
        self._end_life: Callable[[], object] = lambda: None
        self._thread = threading.Thread(target=self._stay_open, name="doorbell", daemon=True)

    def open(self) -> None:
        """Begins to watch."""
        self._thread.start()

    def restart(self, why: str = "deaf") -> None:
        """Ends this life; the next one begins at once, and counts under *why*."""
        self._why = why
        with suppress(RuntimeError):  # that loop may be closed by now
            self._end_life()

    async def close(self, patience: float) -> None:
        """Ends the watch, and waits *patience* seconds for it to be over."""
        self._closed.set()
        self.restart("closed")
        if self._thread.is_alive():
            await asyncio.to_thread(self._thread.join, patience)

    @property
    def alive(self) -> bool:
        """Whether the thread runs, or has not begun yet."""
        return self._thread.is_alive() or self._thread.ident is None

    def _stay_open(self) -> None:
        while not self._closed.is_set():
            try:
                asyncio.run(self._watch())
            except Exception:
                log.exception("the watch fell; starting it again")
            metrics.WATCH_RESTARTS.labels(self._why).inc()
            self._why = "fell"
            self._call_home(self._fell)
            self._closed.wait(PAUSE)

    async def _watch(self) -> None:
        loop, stop = asyncio.get_running_loop(), asyncio.Event()
        self._end_life = lambda: loop.call_soon_threadsafe(stop.set)
        if self._closed.is_set():
            return
        where: dict[str, Any] = {"namespaces": [self._namespace]} if self._namespace else {"clusterwide": True}
        life = asyncio.create_task(
            kopf.operator(registry=self._registry(), settings=settings(), stop_flag=stop, **where)
        )
        await _lived(life)

    def _registry(self) -> kopf.OperatorRegistry:
        """One watcher per kind, and logins that do not depend on which client libraries are installed."""
        registry = kopf.OperatorRegistry()
        kopf.on.login(registry=registry, id="service-account")(login_as_pod)
        kopf.on.login(registry=registry, id="kubeconfig")(kopf.login_with_kubeconfig)
        self._listen(registry, "request", self._kinds.request)
        self._listen(registry, "graph", self._kinds.graph)
        return registry

    def _listen(self, registry: kopf.OperatorRegistry, which: str, kind: Kind) -> None:
        async def heard(event: kopf.RawEvent, **_: object) -> None:
            self._call_home(self._ring, which, event["type"], event["object"])

        kopf.on.event(kind.group, kind.version, kind.plural, registry=registry, id=which)(heard)

    def _call_home(self, call: Callable[..., None], *arguments: object) -> None:
        with suppress(RuntimeError):  # at the very end the home loop is gone
            self._home.call_soon_threadsafe(call, *arguments)
