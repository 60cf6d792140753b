"""Looks whether the platform's own controller of requests is at work in this cluster, now and then."""

import asyncio
import logging
from collections.abc import Callable

from dgdr_operator.controller import errors, modes
from dgdr_operator.controller.cache import Cache
from dgdr_operator.controller.cluster import DEPLOYMENTS, WEBHOOKS, Cluster, Kind
from dgdr_operator.controller.forms import Object
from dgdr_operator.controller.gauges import Brief

log = logging.getLogger(__name__)

PERIOD, IMPATIENCE = 30.0, 2.0
"""Seconds between two looks, and while none has seen anything: nobody knows then whose requests they are."""
WEBHOOK = "vdynamographdeploymentrequest.kb.io"
"""The admission webhook that comes with it."""
LABELS = "app.kubernetes.io/part-of=dynamo-operator,control-plane=controller-manager"


class Upstream:
    """Keeps `active` up to date, and says when it changes. What may not be looked at says nothing."""

    def __init__(self, cluster: Cluster, cache: Cache, mode: modes.Mode, changed: Callable[[], None]) -> None:
        self.active = False
        self.looked = asyncio.Event()
        self._cluster = cluster
        self._cache = cache
        self._mode = mode
        self._changed = changed
        self._blind: set[Kind] = set()

    async def watch(self, swept: asyncio.Event) -> None:
        """Looks for ever, once the requests are known; where the mode is set there is nothing to look for."""
        await swept.wait()
        while True:
            if self._mode != "auto":
                self.active = self._mode == "plugin"
                self.looked.set()
            elif await self.look():
                self.looked.set()
            await asyncio.sleep(PERIOD if self.looked.is_set() else IMPATIENCE)

    async def look(self) -> bool:
        """Looks once; whether something could be seen. A silent API server is no news."""
        try:
            found = self._signed() or await self._hooked() or await self._deployed()
        except errors.ClusterError as error:
            log.debug("upstream: %s", error)
            return False
        if found != self.active:
            self.active = found
            log.info("the platform's own controller of requests %s", "is at work" if found else "is gone")
            self._changed()
        return True

    def _signed(self) -> bool:
        """Some request carries its finalizer."""
        briefs = (brief for _, brief in self._cache.requests.briefs())
        return any(isinstance(brief, Brief) and modes.FINALIZER in brief.finalizers for brief in briefs)

    async def _hooked(self) -> bool:
        return any(
            hook.get("name") == WEBHOOK
            for found in await self._listed(WEBHOOKS, "")
            for hook in found.get("webhooks") or ()
        )

    async def _deployed(self) -> bool:
        found = await self._listed(DEPLOYMENTS, LABELS)
        return any((body.get("status") or {}).get("availableReplicas") for body in found)

    async def _listed(self, kind: Kind, selector: str) -> list[Object]:
        query = {"labelSelector": selector} if selector else {}
        try:
            return [body async for page, _ in self._cluster.pages(kind, Object, **query) for body in page]
        except errors.NotFound:
            return []
        except errors.Denied:
            if kind not in self._blind:
                self._blind.add(kind)
                log.warning("missing right: list %s", kind.plural)
            return []
