"""C19: a replica is told to stop while it has its hands full."""

from __future__ import annotations

import time

import pytest

from e2e.saying import Say
from tests.cluster.chaos.test_c13_two_replicas import Pair, holder, pair
from tests.cluster.stage.stage import SLACK, Stage

__all__ = ["pair"]


@pytest.mark.chaos
def test_c19_a_busy_leader_that_is_told_to_stop_hands_over(stage: Stage, pair: Pair, say: Say) -> None:
    (leader, _), (_, other) = pair()
    first = holder(stage)
    names = [f"r{number}" for number in range(12)]
    for number, name in enumerate(names):
        stage.ask(name, workload={"isl": 4000 + number, "osl": 400})
    stage.eventually(lambda: len(stage.graphs()) > 1, "work to be under way")

    began = time.monotonic()
    code = leader.stop()
    took = time.monotonic() - began
    stage.eventually(lambda: holder(stage) not in ("", first), "the follower to lead")
    stage.eventually(lambda: [one for one in other.writes if one.namespace == stage.namespace], "the follower to act")
    acted = time.monotonic() - began - took

    say(f"SIGTERM under load: ended after {took:.1f} s with {code}; the follower acted {acted:.1f} s later")
    assert code == 0
    assert took < 10 * SLACK
    assert acted < 3 * SLACK
    stage.settled(*names)
    assert len(stage.graphs()) == len(names)
