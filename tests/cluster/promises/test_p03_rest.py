"""P3: nothing changes, and nothing is written."""

from __future__ import annotations

import pytest

from tests.cluster.stage.stage import Stage, in_modes

SWEEPS = 3
"""Sweeps and rounds through the nodes, a second each here: half an hour of production."""


@in_modes("owner", "plugin")
def test_p03_at_rest_nothing_is_written(stage: Stage) -> None:
    stage.ask("served")
    stage.ask("shown", autoApply=False)
    stage.ask("refused", sla={"ttft": 1, "itl": 1})
    stage.settled("served")
    stage.until("Ready", "shown")
    stage.until("Failed", "refused")

    assert stage.quiet(SWEEPS * 1.2) == []


@in_modes("plugin")
def test_p03_an_answer_that_is_not_read_is_not_given_twice(stage: Stage) -> None:
    assert stage.cast.platform is not None
    with stage.cast.platform.deaf():
        stage.ask("served")
        stage.ask("refused", sla={"ttft": 1, "itl": 1})
        stage.eventually(lambda: stage.answer("served") and stage.answer("refused"), "both answers")

        assert stage.quiet(SWEEPS * 1.2) == []


@pytest.mark.real
@in_modes("owner", "plugin")
def test_p03_a_restart_of_a_settled_world_writes_nothing(stage: Stage) -> None:
    stage.ask()
    stage.settled()
    assert stage.quiet() == []
    before = len(stage.writes())

    stage.replica.stop()
    stage.replica.start()

    assert stage.quiet() == []
    assert len(stage.writes()) == before


@pytest.mark.parametrize("mode", ["ignore", "plugin"])
@in_modes("auto")
def test_p03_a_request_that_is_not_ours_to_serve_gets_neither_status_nor_graph(stage: Stage, mode: str) -> None:
    stage.ask("theirs", annotations={"dgdr-operator.io/mode": mode})
    stage.ask("ours")
    stage.settled("ours")

    assert stage.quiet() == []
    assert stage.status("theirs") == {}
    assert [graph["metadata"]["name"] for graph in stage.graphs()] == ["ours-dgd"]
