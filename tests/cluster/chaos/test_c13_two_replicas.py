"""C13 and C14: two replicas, one of them cut off from the world or wrong about the time."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack

import pytest

from e2e.chart import LEASE
from tests.cluster.stage.replica import Replica
from tests.cluster.stage.stage import Stage
from tests.fakes.proxy import Proxy

QUICK = {"lease__DURATION": 6.0, "lease__DEADLINE": 4.0, "lease__RENEWAL": 0.5, "lease__GLANCE": 0.25}
Pair = Callable[..., tuple[tuple[Replica, Proxy], tuple[Replica, Proxy]]]


def holder(stage: Stage) -> str:
    """Who holds the Lease."""
    lease = stage.api.get("leases", *LEASE.split("/")) or {"spec": {}}
    return str(lease["spec"].get("holderIdentity") or "")


@pytest.fixture
def pair(stage: Stage) -> Iterator[Pair]:
    """Starts two replicas that look at the test's namespace only, each behind a proxy of its own; the first leads."""
    with ExitStack() as stack:

        def start(*skews: float, **hurry: float) -> tuple[tuple[Replica, Proxy], tuple[Replica, Proxy]]:
            found = []
            for skew in (*skews, 0.0, 0.0)[:2]:
                proxy = stack.enter_context(stage.cast.ground.proxy())
                flags = ("--namespace", stage.namespace, "--lease", LEASE)
                changes = {**hurry, **({"SKEW": skew} if skew else {})}
                replica = stage.cast.another(proxy, *flags, **changes)
                stack.callback(replica.close)
                replica.start_stubbornly()
                stage.eventually(lambda: holder(stage), "a leader")
                found.append((replica, proxy))
            return found[0], found[1]

        stage.replica.stop()
        stage.api.delete("leases", *LEASE.split("/"))
        yield start


@pytest.mark.chaos
def test_c13_a_leader_that_is_cut_off_ends_before_its_follower_begins(stage: Stage, pair: Pair) -> None:
    (leader, proxy), (follower, other) = pair(**QUICK)
    first = holder(stage)
    stage.ask("early")
    stage.settled("early")

    proxy.frozen.set()
    stage.ask("late")
    stage.eventually(lambda: holder(stage) not in ("", first), "another leader")
    still = leader.running and leader.metric("leader_election_master_status")

    assert not still
    stage.settled("early", "late")
    proxy.calm()
    stage.eventually(lambda: not leader.running or holder(stage) != first, "the old leader to stand back")
    assert len(stage.graphs()) == 2
    assert follower.running
    assert [asked.name for asked in other.writes if asked.resource == "dynamographdeployments"]


@pytest.mark.real
@pytest.mark.chaos
@pytest.mark.parametrize("skew", [300.0, pytest.param(-300.0, marks=pytest.mark.scale)])
def test_c14_a_wrong_clock_neither_steals_nor_keeps_the_lead(stage: Stage, pair: Pair, skew: float) -> None:
    (leader, _), (follower, _) = pair(0.0, skew, **QUICK)
    first = holder(stage)
    stage.ask()
    stage.settled()
    time.sleep(3)
    kept = holder(stage)

    leader.kill()
    began = time.monotonic()
    stage.eventually(lambda: holder(stage) != first, "the follower to lead")
    waited = time.monotonic() - began
    stage.ask("late")

    assert kept == first
    assert waited >= QUICK["lease__DURATION"] - QUICK["lease__RENEWAL"] - 0.5
    stage.settled("chat", "late")
    assert follower.running
