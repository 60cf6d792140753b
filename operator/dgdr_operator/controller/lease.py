"""Who leads: one replica at a time, by a Lease that it renews, hands back when it leaves, and loses by silence.

Nobody's wall clock is trusted. A follower measures on its own clock how long the record has not changed; a leader
counts from the moment it *sent* its last successful renewal, so that it stops before any follower can begin.
"""

import asyncio
import logging
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any, Literal

from dgdr_operator.controller import errors, metrics
from dgdr_operator.controller.cluster import LEASES, Cluster

log = logging.getLogger(__name__)

DURATION, DEADLINE, RENEWAL, GLANCE = 12.0, 8.0, 2.0, 1.0
"""Seconds until a silent leader is replaced, until it stops by itself, between its renewals, between a follower's
looks: after a leader's sudden death the next one begins within DURATION and two looks."""

Record = Mapping[str, Any]
"""The Lease as the API server has it."""
Step = Literal["create", "take", "wait"]


class LeadershipLost(errors.ClusterError):
    """The Lease could not be renewed in time, or is somebody else's."""


@dataclass(slots=True)
class Watchfulness:
    """What one candidate makes of the records it sees. Pure; times are seconds on a clock that never goes back."""

    identity: str
    _seen: str = ""
    _since: float = 0.0

    def step(self, record: Record | None, now: float) -> Step:
        """What to do about *record*, None where there is no Lease yet."""
        if record is None:
            return "create"
        version = str(record["metadata"].get("resourceVersion"))
        if version != self._seen:
            self._seen, self._since = version, now
        holder = (record.get("spec") or {}).get("holderIdentity") or ""
        return "take" if holder in {"", self.identity} or now - self._since >= DURATION else "wait"


def claimed(record: Record | None, name: str, identity: str, now: str) -> dict[str, Any]:
    """*record* as *identity* writes it to lead; with the version it was read in, so that only one claim succeeds."""
    before = dict((record or {}).get("spec") or {})
    changes = before.get("holderIdentity") != identity
    spec = {
        **before,
        "holderIdentity": identity,
        "leaseDurationSeconds": int(DURATION),
        "acquireTime": now if changes else before.get("acquireTime", now),
        "renewTime": now,
        "leaseTransitions": int(before.get("leaseTransitions") or 0) + (record is not None and changes),
    }
    metadata = dict(record["metadata"]) if record else {"name": name}
    return {"apiVersion": "coordination.k8s.io/v1", "kind": "Lease", "metadata": metadata, "spec": spec}


def released(record: Record, now: str) -> dict[str, Any]:
    """*record* without a holder: the next candidate that looks may take it."""
    spec = {**record["spec"], "holderIdentity": "", "leaseDurationSeconds": 1, "renewTime": now}
    return {**record, "metadata": dict(record["metadata"]), "spec": spec}


def _now() -> str:
    return datetime.now(UTC).isoformat(timespec="microseconds").replace("+00:00", "Z")


@dataclass(slots=True, kw_only=True)
class Lease:
    """One candidate. *leading* is set once it leads; it never follows again: who loses the lead ends."""

    cluster: Cluster
    namespace: str
    name: str
    identity: str
    seconds: Callable[[], float]
    leading: asyncio.Event = field(default_factory=asyncio.Event)
    _record: Record | None = None
    _renewed: float = float("-inf")
    _left: bool = False
    _busy: asyncio.Lock = field(default_factory=asyncio.Lock)

    def still_leading(self) -> bool:
        """Whether this replica may write: asked before every write."""
        return self.seconds() - self._renewed < DEADLINE

    async def campaign(self) -> None:
        """Follows until it can lead, leads until it cannot; raises LeadershipLost then."""
        metrics.LEADING.labels(self.name).set(0)
        await self._follow()
        log.info("leading", extra={"reason": self.identity})
        metrics.LEADING.labels(self.name).set(1)
        self.leading.set()
        while True:
            await asyncio.sleep(RENEWAL)
            async with self._busy:
                if not self._left:
                    await self._renew()

    async def _follow(self) -> None:
        watchfulness, said = Watchfulness(self.identity), ""
        while True:
            try:
                if await self._try(watchfulness):
                    return
            except (errors.ClusterError, TimeoutError) as error:
                words = f"cannot ask for the lead: {error or 'no answer'}"
                log.log(logging.WARNING if words != said else logging.DEBUG, words)
                said = words
            await asyncio.sleep(GLANCE)

    async def _try(self, watchfulness: Watchfulness) -> bool:
        async with asyncio.timeout(DEADLINE / 2):
            try:
                self._record = await self.cluster.get(LEASES, self.namespace, self.name)
            except errors.NotFound:
                self._record = None
            if watchfulness.step(self._record, self.seconds()) == "wait":
                return False
            return await self._claim()

    async def _claim(self) -> bool:
        """Whether the claim succeeded: with several at once, the first one does."""
        sent = self.seconds()
        body = claimed(self._record, self.name, self.identity, _now())
        try:
            self._record = await self.cluster.write_lease(self.namespace, body)
        except errors.Conflict:
            return False
        self._renewed = sent
        return True

    async def _renew(self) -> None:
        """One renewal, tried again until the deadline; a Lease that became somebody else's is the end at once."""
        while self.still_leading():
            left = DEADLINE - (self.seconds() - self._renewed)
            try:
                async with asyncio.timeout(min(left, DEADLINE / 2)):
                    if await self._claim():
                        return
                    await self._reread()
            except (errors.ClusterError, TimeoutError) as error:
                if isinstance(error, LeadershipLost):
                    raise
                log.warning("the lead is not renewed yet: %s", error or "no answer")
                await asyncio.sleep(min(RENEWAL / 2, max(0.0, left)))
        raise LeadershipLost(f"the Lease {self.namespace}/{self.name} could not be renewed for {DEADLINE:g} s")

    async def _reread(self) -> None:
        """After a conflict: somebody touched the record, or took it."""
        self._record = await self.cluster.get(LEASES, self.namespace, self.name)
        holder = (self._record.get("spec") or {}).get("holderIdentity")
        if holder != self.identity:
            self._renewed = float("-inf")
            raise LeadershipLost(f"the Lease {self.namespace}/{self.name} is held by {holder or 'nobody'}")

    async def release(self) -> None:
        """Hands the lead back, if it is ours, once a renewal under way is through; then nothing is written any more."""
        ours, self._left = self.still_leading() and self.leading.is_set(), True
        metrics.LEADING.labels(self.name).set(0)
        try:
            async with asyncio.timeout(RENEWAL), self._busy:
                self._renewed = float("-inf")
                if ours:
                    await self._hand_back()
        except (errors.ClusterError, TimeoutError) as error:
            log.warning("the lead is not handed back: %s", error or "no answer")
        finally:
            self._renewed = float("-inf")

    async def _hand_back(self) -> None:
        """Reads first: a renewal that was cut off may have arrived."""
        record = await self.cluster.get(LEASES, self.namespace, self.name)
        if record["spec"].get("holderIdentity") == self.identity:
            await self.cluster.write_lease(self.namespace, released(record, _now()))
            log.info("the lead is handed back")
