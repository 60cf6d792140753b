"""P2: after any single fault the world is right again within thirty seconds; what a watch lost, within a sweep."""

from __future__ import annotations

import pytest

from tests.cluster.stage.stage import SLACK, Stage
from tests.cluster.user import GRAPHS
from tests.fakes.api import STEPS

SECONDS = 30.0 * SLACK


def test_p02_after_a_fault_the_world_is_right_within_half_a_minute(stage: Stage) -> None:
    stage.ask()
    stage.eventually(stage.writes, "the first write")
    stage.proxy.vanish()
    stage.ask("late")
    stage.proxy.calm()

    stage.settled("chat", "late", seconds=SECONDS)


@pytest.mark.parametrize("loss", ["deleted", "changed"])
def test_p02_what_the_watch_lost_is_found_by_the_sweep(stage: Stage, loss: str) -> None:
    stage.ask()
    stage.settled()
    before = stage.graph() or {}
    name = before["metadata"]["name"]
    stage.proxy.edit = lambda asked, line: () if asked.resource == GRAPHS else (line,)

    if loss == "deleted":
        stage.api.delete(GRAPHS, stage.namespace, name)
    else:
        steps = [{"op": "replace", "path": "/spec/components/1/replicas", "value": 7}]
        stage.api.patch(GRAPHS, stage.namespace, name, steps, STEPS)

    stage.eventually(lambda: (stage.graph() or {}).get("spec") == before["spec"], "the graph to be right", SECONDS)
    stage.settled(seconds=SECONDS)
