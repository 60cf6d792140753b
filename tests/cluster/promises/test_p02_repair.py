"""P2: after any single fault the world is right again within thirty seconds; what a watch lost, within a sweep."""

from __future__ import annotations

import pytest

from tests.cluster.stage.stage import SLACK, Stage, in_modes
from tests.cluster.user import GRAPHS, REQUESTS
from tests.fakes.api import STEPS

SECONDS = 30.0 * SLACK


@in_modes("owner", "plugin")
def test_p02_after_a_fault_the_world_is_right_within_half_a_minute(stage: Stage) -> None:
    stage.ask()
    stage.eventually(stage.writes, "the first write")
    stage.proxy.vanish()
    stage.ask("late")
    stage.proxy.calm()

    stage.settled("chat", "late", seconds=SECONDS)


@in_modes("owner", "plugin")
def test_p02_a_request_that_the_watch_lost_is_found_by_the_sweep(stage: Stage) -> None:
    stage.ask("heard")
    stage.settled("heard")
    stage.proxy.edit = lambda asked, line: () if asked.resource == REQUESTS else (line,)

    stage.ask()

    stage.settled(seconds=SECONDS)


@in_modes("owner")
@pytest.mark.parametrize("loss", ["deleted", "changed"])
def test_p02_what_the_watch_lost_of_a_graph_is_found_by_the_sweep(stage: Stage, loss: str) -> None:
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


@in_modes("plugin")
def test_p02_an_answer_that_was_deleted_before_it_was_read_is_given_again(stage: Stage) -> None:
    assert stage.cast.platform is not None
    with stage.cast.platform.deaf():
        stage.ask()
        stage.eventually(stage.answer, "the answer")

        stage.api.delete("configmaps", stage.namespace, "dgdr-output-chat")
        stage.eventually(stage.answer, "the answer again", SECONDS)

    stage.settled()
