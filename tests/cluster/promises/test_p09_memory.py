"""P9: memory is bounded: at most 256 MiB with 5,000 requests."""

from __future__ import annotations

import pytest

from e2e.saying import Say
from tests.cluster.stage.stage import Stage, in_modes
from tests.cluster.user import GRAPHS, REQUESTS

LIMIT = 256.0


@in_modes("owner", "plugin")
def test_p09_memory_stays_below_its_limit(stage: Stage, say: Say) -> None:
    crowded(stage, 30, say)


@pytest.mark.scale
@in_modes("owner")
def test_p09_memory_stays_below_its_limit_with_five_thousand(stage: Stage, say: Say) -> None:
    crowded(stage, 5000, say)


def crowded(stage: Stage, crowd: int, say: Say) -> None:
    """So many requests at once, all served, and the main process small all the same."""
    for number in range(crowd):
        stage.ask(f"r{number}")

    stage.eventually(lambda: len(stage.graphs()) == crowd, "all graphs", seconds=60 + crowd)
    stage.settled(f"r{crowd - 1}", seconds=60 + crowd)

    resident = stage.replica.resident()
    say(f"{crowd} requests: resident memory of the main process {resident:.0f} MiB")
    cleared(stage)
    assert resident <= LIMIT


def cleared(stage: Stage) -> None:
    """Takes everything away: those who come next share the cluster."""
    for plural in (REQUESTS, GRAPHS):
        while stage.api.list(plural, stage.namespace, limit="1")["items"]:
            stage.api.call("DELETE", stage.api.path(plural, stage.namespace), limit="500")
