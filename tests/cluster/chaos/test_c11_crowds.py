"""C11: many requests at once, and one that is poison."""

from __future__ import annotations

import time

import pytest

from e2e.saying import Say
from tests.cluster.stage.stage import Stage


@pytest.mark.chaos
@pytest.mark.parametrize("crowd", [40, pytest.param(1000, marks=pytest.mark.scale)])
def test_c11_a_crowd_is_served_and_poison_delays_nobody(stage: Stage, crowd: int, say: Say) -> None:
    stage.ask("poison", workload={"isl": 10**9, "osl": 10**9})
    began = time.monotonic()
    names = [f"r{number}" for number in range(crowd)]
    for name in names:
        stage.ask(name)
    asked = time.monotonic() - began

    stage.eventually(lambda: len(stage.graphs()) >= crowd, "all graphs", seconds=60 + crowd)
    took = time.monotonic() - began
    stage.until("Failed", "poison")
    for name in names[:: max(1, crowd // 10)]:
        stage.settled(name, seconds=60 + crowd)

    assert len(stage.graphs()) == crowd
    say(
        f"{crowd} equal requests and a poison: asked for in {asked:.1f} s, the last graph after {took:.1f} s; "
        f"resident memory {stage.replica.resident():.0f} MiB"
    )
