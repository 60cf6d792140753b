"""C03: the API server is gone in the middle of things, and comes back."""

from __future__ import annotations

import time

import pytest

from tests.cluster.stage.stage import SLACK, Stage

LONG = pytest.mark.scale


@pytest.mark.chaos
@pytest.mark.parametrize("seconds", [5, pytest.param(60, marks=LONG), pytest.param(300, marks=LONG)])
def test_c03_an_api_server_that_is_gone_is_waited_for(stage: Stage, seconds: float) -> None:
    names = [f"r{number}" for number in range(4)]
    for name in names:
        stage.ask(name)
    stage.eventually(stage.writes, "the first write")

    stage.proxy.vanish()
    time.sleep(seconds)
    alive, healthy = stage.replica.running, stage.replica.probe("healthz")
    stage.proxy.calm()

    assert (alive, healthy) == (True, 200)
    stage.settled(*names, seconds=30 * SLACK)
