"""When a report is written: after the first graph, for which people wait, and else before anything is done."""

from __future__ import annotations

from dgdr_operator.controller.world import ApplyGraph, ApplyRecord, ApplyStatus, Trouble
from dgdr_operator.planned import PAUSE, Planned
from tests.reconciling import worlds
from tests.reconciling.worlds import Model, graph


def made(model: Model, plan: Planned) -> None:
    """The graph of *plan* is made; then the controller is killed, or busy with others."""
    for action in model.decide(plan):
        model.perform(action)


def test_the_first_report_comes_after_the_graph_and_before_the_status_says_how_that_stands(
    model: Model, plan: Planned
) -> None:
    made(model, plan)

    report, stands, *_ = model.decide(plan)

    assert report == ApplyRecord(plan=plan)
    assert isinstance(stands, ApplyStatus)
    assert any(condition["type"] == "Synced" for condition in stands.status["conditions"])


def test_it_is_written_once(model: Model, plan: Planned) -> None:
    model.serve(plan)

    assert [report.plan for report in model.records] == [plan]


def test_a_request_that_is_paused_before_its_report_was_written_gets_it_all_the_same(
    model: Model, plan: Planned
) -> None:
    made(model, plan)
    model.request["metadata"]["annotations"][PAUSE] = "true"
    model.settle(plan)

    assert [report.plan for report in model.records] == [plan]


def test_so_does_one_whose_graph_the_cluster_would_not_take(model: Model, plan: Planned) -> None:
    for action in model.decide(plan):
        if not isinstance(action, ApplyGraph):
            model.perform(action)
    model.trouble = Trouble(kind="rejected", message="no such engine", graph=plan.graph)
    model.settle(plan)

    assert model.phase == "Failed"
    assert [report.plan for report in model.records] == [plan]


def test_what_changes_a_graph_that_stands_is_reported_before_it_is_done(model: Model, plan: Planned) -> None:
    model.serve(plan)
    changed = worlds.edited(model, graph(replicas=3))

    report, *_, change = (one for one in model.decide(changed) if isinstance(one, ApplyRecord | ApplyGraph))

    assert report == ApplyRecord(plan=changed)
    assert isinstance(change, ApplyGraph)
