"""C20: a day of sweeps, in seconds."""

from __future__ import annotations

import time
from collections.abc import Iterator

import pytest

from e2e.saying import Say
from tests.cluster.stage.replica import Replica
from tests.cluster.stage.stage import Stage

A_DAY = 144
"""Sweeps in 24 hours, one every ten minutes."""


@pytest.fixture
def restless(stage: Stage) -> Iterator[Replica]:
    """A replica of this test's namespace that sweeps as fast as it can, alone."""
    stage.replica.stop()
    with stage.cast.ground.proxy() as proxy:
        replica = stage.cast.another(proxy, "--namespace", stage.namespace, sweep__PERIOD=0.02)
        replica.start_stubbornly()
        yield replica
        replica.close()


@pytest.mark.real
@pytest.mark.chaos
@pytest.mark.parametrize("days", [1, pytest.param(30, marks=pytest.mark.scale)])
def test_c20_a_day_of_sweeps_leaves_memory_and_descriptors_as_they_were(
    stage: Stage, restless: Replica, days: int, say: Say
) -> None:
    names = [f"r{number}" for number in range(4)]
    for name in names:
        stage.ask(name)
    stage.settled(*names)
    time.sleep(2)
    log = len(stage.proxy.log)
    began, before, open_before = time.monotonic(), restless.resident(), restless.descriptors()

    reconciles = restless.metric("controller_runtime_reconcile_total")
    wanted = reconciles + days * A_DAY * len(names)
    stage.eventually(
        lambda: restless.metric("controller_runtime_reconcile_total") >= wanted, "the days to pass", 120.0 * days
    )
    grown = restless.resident() - before

    took = time.monotonic() - began
    say(f"{days * A_DAY} sweeps of {len(names)} requests in {took:.1f} s: resident memory grew by {grown:.1f} MiB")
    assert grown < 8
    assert restless.descriptors() <= open_before + 4
    assert len(stage.proxy.log) == log
