"""The recorded plan: used as long as it is the answer to what the user says now, and not a word longer."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from dgdr_operator.controller import recall
from dgdr_operator.controller.answers import Refused
from dgdr_operator.controller.world import DRIFT
from dgdr_operator.planned import Planned
from tests.reconciling.worlds import Model, Object, graph, planned

Change = Callable[[Object], object]


@pytest.fixture
def settled() -> Model:
    """A request whose plan stands in the cluster."""
    model = Model()
    model.settle(planned(graph(), model.request))
    return model


def annotate(name: str, value: str) -> Change:
    """An edit of one annotation."""
    return lambda request: request["metadata"]["annotations"].update({name: value})


def test_a_settled_request_needs_no_new_plan(settled: Model) -> None:
    found = recall.recorded(settled.request)

    assert isinstance(found, Planned)
    assert settled.decide(found) == []


@pytest.mark.parametrize(
    "change",
    [
        lambda request: request["spec"]["workload"].update(isl=1),
        lambda request: request["spec"].update(autoApply="yes"),
        annotate("dgdr-operator.io/disagg-without-rdma", "allow"),
        annotate("dgdr-operator.io/retry", "once more"),
    ],
    ids=["spec", "a word for a boolean", "a knob", "retry"],
)
def test_what_changes_the_question_needs_a_new_answer(settled: Model, change: Change) -> None:
    change(settled.request)

    assert recall.recorded(settled.request) is None


@pytest.mark.parametrize(
    "change",
    [
        lambda request: request["spec"].update(autoApply=False),
        annotate(DRIFT, "report"),
        annotate("team", "blue"),
        lambda request: request["metadata"].update(resourceVersion="7", labels={"a": "b"}),
    ],
    ids=["autoApply", "drift", "a foreign annotation", "metadata"],
)
def test_what_does_not_change_the_question_keeps_the_answer(settled: Model, change: Change) -> None:
    change(settled.request)

    assert recall.recorded(settled.request) is not None


def test_a_status_without_its_plan_is_no_answer(settled: Model) -> None:
    del settled.request["status"]["profilingResults"]

    assert recall.recorded(settled.request) is None


@pytest.mark.parametrize("spec", ["a sentence", [1, 2], None, 7])
def test_any_spec_can_be_digested(spec: object) -> None:
    request = {"apiVersion": "nvidia.com/v1beta1", "metadata": {"name": "odd"}, "spec": spec}

    assert len(recall.request_hash(request)) == 16


def test_the_same_failure_after_an_edit_is_not_told_twice() -> None:
    model, answer = Model(), Refused(why="invalid", message="spec.model is empty")
    model.settle(answer)

    model.request["metadata"]["generation"] = 2
    model.settle(answer)

    assert model.status["observedGeneration"] == 2
    assert [event.reason for event in model.told] == ["ValidationFailed"]
