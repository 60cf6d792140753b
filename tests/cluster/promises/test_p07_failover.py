"""P7: another replica acts within twenty seconds of a sudden death, and within three of a farewell."""

from __future__ import annotations

import time

import pytest

from e2e.chart import LEASE
from e2e.saying import Say
from tests.cluster.stage.stage import SLACK, Stage, in_modes

WAITS = {"lease__DURATION": 12.0, "lease__DEADLINE": 8.0, "lease__RENEWAL": 2.0, "lease__GLANCE": 1.0}
"""The waits of the election in production, in seconds."""
HALF = pytest.param(0.5, SLACK, id="in a hurry")
WHOLE = pytest.param(1.0, 1.0, id="as it is", marks=pytest.mark.scale)
"""Shares of those waits, and of the promised time that the test allows."""


@pytest.mark.real
@in_modes("owner", "plugin")
@pytest.mark.parametrize(("share", "slack"), [HALF, WHOLE])
@pytest.mark.parametrize(("end", "limit"), [("killed", 20.0), ("stopped", 3.0)])
def test_p07_another_replica_goes_on(
    stage: Stage, say: Say, share: float, slack: float, end: str, limit: float
) -> None:
    stage.replica.stop()
    stage.api.delete("leases", *LEASE.split("/"))
    waits = {name: seconds * share for name, seconds in WAITS.items()}
    flags = ("--namespace", stage.namespace, f"--lease={LEASE}")
    first, second = (stage.cast.another(stage.proxy, *flags, **waits) for _ in range(2))
    try:
        first.start_stubbornly()
        stage.ask("before")
        stage.settled("before")
        second.start_stubbornly()

        if end == "killed":
            first.kill()
        else:
            first.stop()
        began = time.monotonic()
        stage.ask("after")
        stage.eventually(lambda: stage.graph("after"), "the follower to make the graph")
        took = time.monotonic() - began

        say(f"leader {end}, waits x {share:g}: the next one made a graph after {took:.1f} s")
        assert took <= limit * slack
        stage.settled("before", "after")
    finally:
        first.close()
        second.close()
