"""C16: requests are edited, switched and deleted at every moment of their lives."""

from __future__ import annotations

import pytest

from tests.cluster.stage.stage import Stage
from tests.cluster.user import REQUESTS
from tests.fakes.asked import Object

LONG = pytest.mark.scale
EARLY: dict[str, Object] = {"Failed": {"sla": {"ttft": 1, "itl": 1}}, "Ready": {"autoApply": False}}
"""What a request says at first, to be in a phase."""


@pytest.mark.chaos
@pytest.mark.parametrize(
    "phase", [pytest.param("", marks=LONG), "Deploying", "Deployed", "Failed", pytest.param("Ready", marks=LONG)]
)
def test_c16_an_edit_in_any_phase_is_what_counts(stage: Stage, phase: str) -> None:
    early = EARLY.get(phase, {})
    stage.cast.dynamo.idle = phase == "Deploying"
    stage.ask(workload={"isl": 2500, "osl": 250}, **early)
    if phase:
        stage.until(phase)
    stage.cast.dynamo.idle = False

    stage.ask(workload={"isl": 2600, "osl": 260}, autoApply=True)

    stage.eventually(lambda: stage.status().get("observedGeneration", 0) >= 2 or not phase, "the edit to be seen")
    stage.eventually(lambda: stage.graph() is not None, "the graph")
    stage.cast.dynamo.touch(stage.graph() or {})
    stage.settled()
    assert len(stage.graphs()) == 1
    assert stage.quiet() == []


@pytest.mark.chaos
def test_c16_a_request_that_is_deleted_while_it_is_planned_leaves_nothing(stage: Stage) -> None:
    for number in range(5):
        stage.ask(f"r{number}", workload={"isl": 2700 + number, "osl": 270}, autoApply=False)
        stage.api.delete(REQUESTS, stage.namespace, f"r{number}")

    assert stage.quiet() == []
    assert stage.graphs() == []


@pytest.mark.chaos
def test_c16_a_graph_outlives_its_request(stage: Stage) -> None:
    stage.ask()
    stage.settled()
    before = stage.graph()

    stage.api.delete(REQUESTS, stage.namespace, "chat")

    assert stage.quiet() == []
    assert stage.graphs() == [before]


@pytest.mark.chaos
def test_c16_a_namespace_that_ends_is_not_held_up(stage: Stage) -> None:
    for name in ("a", "b"):
        stage.ask(name)
    stage.settled("a")

    stage.api.delete("namespaces", "", stage.namespace)

    stage.eventually(lambda: stage.api.get("namespaces", "", stage.namespace) is None, "the namespace to end")
    assert stage.replica.probe("healthz") == 200
