"""Looks whether what a graph needs is there: its claim, its Secrets (never their content), a namespace that lets it."""

import logging
from collections.abc import Awaitable, Callable, Mapping
from typing import Any

from dgdr_operator.controller import errors, safety
from dgdr_operator.controller.clock import Clock
from dgdr_operator.controller.cluster import CLAIMS, NAMESPACES, SECRETS, Cluster, Kind
from dgdr_operator.controller.safety import Gap, Needs, Seen

log = logging.getLogger(__name__)

GOOD_FOR = 10.0
"""Seconds for which an answer holds: a thousand requests of one namespace ask for the same claim."""
MOST_KEPT = 4096

_Question = tuple[str, str, str]


class Existence:
    """Answers what is missing, asking the cluster as seldom as possible."""

    def __init__(self, cluster: Cluster, clock: Clock) -> None:
        self._cluster = cluster
        self._clock = clock
        self._known: dict[_Question, tuple[float, Mapping[str, Any] | None]] = {}
        self._unseen: set[str] = set()

    async def gaps(self, graph: Mapping[str, Any], namespace: str) -> tuple[Gap, ...]:
        """What *graph* would miss in *namespace*. Raises ClusterError, but not for a missing right."""
        needs = safety.needs(graph)
        return tuple(safety.gaps(needs, await self._seen(needs, namespace), namespace))

    async def _seen(self, needs: Needs, namespace: str) -> Seen:
        claim: Mapping[str, Any] | None = {}
        if needs.claim:
            claim = await self._ask(CLAIMS, namespace, needs.claim, self._cluster.get)
        secrets = {name for name in (needs.token, *needs.pulls) if name}
        missing = [name for name in sorted(secrets) if await self._metadata(SECRETS, namespace, name) is None]
        level = ""
        if needs.beyond:
            found = await self._metadata(NAMESPACES, "", namespace) or {}
            level = ((found.get("metadata") or {}).get("labels") or {}).get(safety.LEVEL, "")
        return Seen(modes=_modes(claim), missing=frozenset(missing), level=level)

    async def _metadata(self, kind: Kind, namespace: str, name: str) -> Mapping[str, Any] | None:
        return await self._ask(kind, namespace, name, self._cluster.metadata)

    async def _ask(
        self, kind: Kind, namespace: str, name: str, look: Callable[[Kind, str, str], Awaitable[Mapping[str, Any]]]
    ) -> Mapping[str, Any] | None:
        """The object, None where there is none, and an empty one where we may not look."""
        question, now = (kind.plural, namespace, name), self._clock.seconds()
        if question in self._known and now - self._known[question][0] < GOOD_FOR:
            return self._known[question][1]
        found: Mapping[str, Any] | None
        try:
            found = await look(kind, namespace, name)
        except errors.NotFound:
            found = None
        except errors.Denied as error:
            found = {}
            if kind.plural not in self._unseen:
                self._unseen.add(kind.plural)
                log.info("whether %s exist is not looked at: %s", kind.plural, error)
        if len(self._known) >= MOST_KEPT:
            self._known.clear()
        self._known[question] = (now, found)
        return found


def _modes(claim: Mapping[str, Any] | None) -> tuple[str, ...] | None:
    return None if claim is None else tuple((claim.get("spec") or {}).get("accessModes") or ())
