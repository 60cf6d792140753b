"""Leadership: never two at a time whatever is delayed, always one again after a silence, and handed back on leaving."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, rule

from dgdr_operator.controller import errors, lease
from dgdr_operator.controller.lease import DEADLINE, DURATION, GLANCE, Watchfulness, claimed, released

Record = dict[str, Any]
CANDIDATES = st.sampled_from("abc")
NOBODY = float("-inf")


class Shelf:
    """The one Lease of a cluster: a write that read an older version does not happen."""

    def __init__(self) -> None:
        self.record: Record | None = None
        self._version = 0

    def write(self, body: Record) -> bool:
        """Whether *body* was taken."""
        known = self.record["metadata"]["resourceVersion"] if self.record else None
        if body["metadata"].get("resourceVersion") != known:
            return False
        self._version += 1
        self.record = {**body, "metadata": {**body["metadata"], "resourceVersion": str(self._version)}}
        return True


class Candidates(RuleBasedStateMachine):
    """Three candidates whose reads and writes arrive whenever they like, on clocks that began at different times."""

    def __init__(self) -> None:
        super().__init__()
        self.shelf = Shelf()
        self.now = 1000.0
        self.watch = {name: Watchfulness(name) for name in "abc"}
        self.offset = {"a": 0.0, "b": -900.0, "c": 5e6}
        self.read: dict[str, Record | None] = {}
        self.sent: dict[str, tuple[float, Record]] = {}
        self.renewed = dict.fromkeys("abc", NOBODY)

    @rule(name=CANDIDATES)
    def looks(self, name: str) -> None:
        self.read[name] = self.shelf.record
        step = self.watch[name].step(self.shelf.record, self.now + self.offset[name])
        if step != "wait":
            self.sent[name] = (self.now, claimed(self.read[name], "lease", name, "now"))

    @rule(name=CANDIDATES)
    def a_claim_arrives(self, name: str) -> None:
        when, body = self.sent.pop(name, (NOBODY, {}))
        if body and self.shelf.write(body):
            self.renewed[name] = when

    @rule(name=CANDIDATES)
    def leaves(self, name: str) -> None:
        record = self.shelf.record
        self.renewed[name] = NOBODY
        if record and record["spec"]["holderIdentity"] == name:
            self.shelf.write(released(record, "now"))

    @rule(seconds=st.floats(0, DURATION))
    def time_passes(self, seconds: float) -> None:
        self.now += seconds

    @invariant()
    def at_most_one_may_write(self) -> None:
        leaders = [name for name, when in self.renewed.items() if self.now - when < DEADLINE]
        assert len(leaders) <= 1

    def teardown(self) -> None:
        """All fall silent but one, which leads within the promised time."""
        for _ in range(int((DURATION + 2 * GLANCE) / GLANCE)):
            self.now += GLANCE
            self.looks("b")
            self.a_claim_arrives("b")
        assert self.shelf.record is not None
        assert self.shelf.record["spec"]["holderIdentity"] == "b"


Candidates.TestCase.settings = settings(max_examples=80, stateful_step_count=40, deadline=None)
TestEveryDelay = Candidates.TestCase


@given(holder=st.sampled_from("abc"), claimant=st.sampled_from("abc"), transitions=st.integers(0, 9))
def test_only_a_change_of_holder_counts_as_a_transition(holder: str, claimant: str, transitions: int) -> None:
    spec = {"holderIdentity": holder, "leaseTransitions": transitions, "acquireTime": "then"}

    after = claimed({"metadata": {"name": "l", "resourceVersion": "1"}, "spec": spec}, "l", claimant, "now")["spec"]

    assert after["leaseTransitions"] == transitions + (holder != claimant)
    assert after["acquireTime"] == ("then" if holder == claimant else "now")
    assert after["renewTime"] == "now"


class Cluster:
    """Stands in for the API server; *fault* is raised by every call while it is set."""

    def __init__(self) -> None:
        self.shelf = Shelf()
        self.fault: errors.ClusterError | None = None

    async def get(self, *_: object) -> Record:
        """The Lease."""
        self._maybe_fail()
        if self.shelf.record is None:
            raise errors.NotFound("no lease")
        return self.shelf.record

    async def write_lease(self, _: str, body: Record) -> Record:
        """The Lease as written."""
        self._maybe_fail()
        if not self.shelf.write(body):
            raise errors.Conflict("changed")
        assert self.shelf.record is not None
        return self.shelf.record

    def _maybe_fail(self) -> None:
        if self.fault:
            raise self.fault


class Time:
    """A clock that only a test moves."""

    def __init__(self) -> None:
        self.now = 0.0

    def seconds(self) -> float:
        """Now."""
        return self.now


@pytest.fixture(autouse=True)
def hasty(monkeypatch: pytest.MonkeyPatch) -> None:
    """The pauses between two looks last a moment, since the clock that counts is the test's own."""
    monkeypatch.setattr(lease, "RENEWAL", 0.01)
    monkeypatch.setattr(lease, "GLANCE", 0.01)


def candidate(cluster: Cluster, name: str, clock: Time) -> lease.Lease:
    """A candidate for the lead of *cluster*."""
    served: Any = cluster
    return lease.Lease(cluster=served, namespace="ns", name="l", identity=name, seconds=clock.seconds)


async def elected(cluster: Cluster, clock: Time) -> tuple[lease.Lease, asyncio.Task[None]]:
    """A candidate that leads, and its campaign."""
    leader = candidate(cluster, "a", clock)
    working = asyncio.create_task(leader.campaign())
    await leader.leading.wait()
    return leader, working


async def until(true: Callable[[], bool]) -> None:
    """Waits; the test's own time-out is the limit."""
    async with asyncio.timeout(30):
        while not true():  # noqa: ASYNC110 -- the world is polled, as people do
            await asyncio.sleep(0.005)


async def test_the_second_follows_until_the_first_leaves() -> None:
    cluster, clock = Cluster(), Time()
    first, second = candidate(cluster, "first", clock), candidate(cluster, "second", clock)
    working = asyncio.create_task(first.campaign())
    await first.leading.wait()
    waiting = asyncio.create_task(second.campaign())
    await asyncio.sleep(0.05)
    followed = not second.leading.is_set() and not second.still_leading()

    working.cancel()
    await first.release()
    await asyncio.wait_for(second.leading.wait(), 30)
    waiting.cancel()

    assert followed
    assert not first.still_leading()
    assert second.still_leading()


async def test_a_leader_that_cannot_renew_stops_writing_before_the_lease_ends_and_gives_up() -> None:
    cluster, clock = Cluster(), Time()
    leader, working = await elected(cluster, clock)

    cluster.fault = errors.Unavailable("cut off")
    await asyncio.sleep(0.05)
    still = leader.still_leading()
    clock.now += DEADLINE

    assert still
    assert not leader.still_leading()
    with pytest.raises(lease.LeadershipLost, match="could not be renewed"):
        await asyncio.wait_for(working, 30)


async def test_a_leader_survives_a_silence_that_is_short_enough() -> None:
    cluster, clock = Cluster(), Time()
    leader, working = await elected(cluster, clock)

    cluster.fault = errors.Unavailable("cut off")
    clock.now += DEADLINE - 1
    await asyncio.sleep(0.02)
    cluster.fault = None
    written = cluster.shelf.record
    await until(lambda: cluster.shelf.record is not written)
    clock.now += DEADLINE - 1

    assert leader.still_leading()
    working.cancel()


async def test_a_leader_whose_lease_was_taken_gives_up_at_once() -> None:
    cluster, clock = Cluster(), Time()
    leader, working = await elected(cluster, clock)

    assert cluster.shelf.record is not None
    cluster.shelf.write(claimed(cluster.shelf.record, "l", "usurper", "now"))

    with pytest.raises(lease.LeadershipLost, match="held by usurper"):
        await asyncio.wait_for(working, 30)
    assert not leader.still_leading()


async def test_a_lease_that_cannot_be_read_is_asked_for_until_it_can() -> None:
    cluster, clock = Cluster(), Time()
    cluster.fault = errors.Denied('User "x" cannot get resource "leases"')
    leader = candidate(cluster, "a", clock)
    working = asyncio.create_task(leader.campaign())
    await asyncio.sleep(0.03)
    patient = not leader.leading.is_set()

    cluster.fault = None
    await asyncio.wait_for(leader.leading.wait(), 30)
    working.cancel()

    assert patient
