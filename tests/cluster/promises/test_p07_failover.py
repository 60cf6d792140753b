"""P7: another replica acts within twenty seconds of a sudden death, and within three of a farewell."""

from __future__ import annotations

import time
from collections.abc import Callable

import pytest

from e2e.chart import LEASE
from tests.cluster.stage.stage import Stage

SHARE = 0.25
"""How much shorter the waits of the election are here than in production; the long form takes them as they are."""
WAITS = {"lease__DURATION": 12.0, "lease__DEADLINE": 8.0, "lease__RENEWAL": 2.0, "lease__GLANCE": 1.0}


@pytest.mark.parametrize("share", [SHARE, pytest.param(1.0, marks=pytest.mark.scale)])
@pytest.mark.parametrize(("end", "limit"), [("killed", 20.0), ("stopped", 3.0)])
def test_p07_another_replica_goes_on(
    stage: Stage, say: Callable[[str], None], share: float, end: str, limit: float
) -> None:
    stage.replica.stop()
    stage.api.delete("leases", *LEASE.split("/"))
    waits = {name: seconds * share for name, seconds in WAITS.items()}
    flags = ("--namespace", stage.namespace, f"--lease={LEASE}")
    first, second = (stage.cast.another(stage.proxy, *flags, **waits) for _ in range(2))
    try:
        first.start()
        stage.ask("before")
        stage.settled("before")
        second.start()

        if end == "killed":
            first.kill()
        else:
            first.stop()
        began = time.monotonic()
        stage.ask("after")
        stage.eventually(lambda: stage.graph("after"), "the follower to make the graph")
        took = time.monotonic() - began

        say(f"leader {end}, waits x {share:g}: the next one made a graph after {took:.1f} s")
        assert took <= limit
        stage.settled("before", "after")
    finally:
        first.close()
        second.close()
