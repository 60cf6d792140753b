"""P9: memory is bounded: at most 256 MiB with 5,000 requests."""

from __future__ import annotations

import pytest

from e2e.saying import Say
from tests.cluster.stage.stage import Stage, in_modes

LIMIT = 256.0


@in_modes("owner", "plugin")
@pytest.mark.parametrize("crowd", [30, pytest.param(5000, marks=pytest.mark.scale)])
def test_p09_memory_stays_below_its_limit(stage: Stage, crowd: int, say: Say) -> None:
    for number in range(crowd):
        stage.ask(f"r{number}")

    stage.eventually(lambda: len(stage.graphs()) == crowd, "all graphs", seconds=60 + crowd)
    stage.settled(f"r{crowd - 1}", seconds=60 + crowd)

    resident = stage.replica.resident()
    say(f"{crowd} requests: resident memory of the main process {resident:.0f} MiB")
    assert resident <= LIMIT
