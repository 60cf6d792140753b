"""Living with a plan: shown, approved, paused, gone back to, and never applied behind the user's back."""

from __future__ import annotations

from dataclasses import replace

import pytest

from dgdr_operator.controller import review
from dgdr_operator.controller.answers import Answer, Refused
from dgdr_operator.planned import APPROVE, PAUSE, ROLLBACK, Planned
from tests.reconciling import worlds
from tests.reconciling.worlds import GRAPH, Model, edited, graph, planned


@pytest.fixture
def shown() -> Model:
    """A request that wants to see its plan first."""
    return Model(request=worlds.request(auto_apply=False))


@pytest.fixture
def served() -> Model:
    """A request whose graph serves."""
    return worlds.served(Model())


def say(model: Model, name: str, value: str) -> None:
    """The user annotates the request."""
    model.request["metadata"]["annotations"][name] = value


def test_a_shown_plan_is_applied_when_its_hash_is_approved(shown: Model) -> None:
    plan = planned(graph(), shown.request)
    shown.settle(plan)

    say(shown, APPROVE, plan.hash)
    shown.settle(plan)

    assert shown.phase == "Deploying"
    assert shown.graph is not None


def test_an_approval_never_covers_another_plan(shown: Model) -> None:
    first = planned(graph(), shown.request)
    say(shown, APPROVE, first.hash)
    shown.settle(first)

    second = edited(shown, graph(replicas=4))
    shown.settle(second)

    assert shown.phase == "Ready"
    assert shown.graph is not None
    assert shown.graph["spec"]["components"][1]["replicas"] == 2
    assert shown.condition("Synced")["reason"] == "ReplanPending"
    assert f"worker.replicas 2 -> 4; approve it with {APPROVE}={second.hash}" in shown.condition("Synced")["message"]


def test_no_approval_is_no_approval(shown: Model) -> None:
    plan = Planned(graph=graph(), summary="of a time before plans had hashes", fabric=(True, "NotRequired", ""))

    shown.settle(plan)

    assert shown.phase == "Ready"
    assert shown.graph is None


def test_the_report_is_written_once_for_each_plan(shown: Model) -> None:
    first = planned(graph(), shown.request)
    shown.settle(first)
    shown.settle(first)
    second = edited(shown, graph(replicas=4))
    shown.settle(second)

    assert [record.plan for record in shown.records] == [first, second]


@pytest.mark.parametrize("answer", ["another plan", "a refusal"])
def test_a_paused_request_is_left_as_it_is(served: Model, answer: str) -> None:
    standing, before = served.graph, served.status
    say(served, PAUSE, "true")
    refusal = Refused(why="infeasible", message="infeasible")
    found: Answer = refusal if answer == "a refusal" else edited(served, graph(replicas=4))

    served.settle(found)

    assert served.graph == standing
    assert served.condition("Synced")["reason"] == "Paused"
    assert served.phase == before["phase"]
    assert served.status["profilingResults"] == before["profilingResults"]
    assert [event.reason for event in served.told] == ["Paused"]


def test_a_pause_is_no_reason_to_lie(served: Model) -> None:
    say(served, PAUSE, "true")
    plan = planned(graph(), served.request)
    served.settle(plan)

    served.report("pending")
    served.settle(plan)
    fallen = (served.phase, served.condition("Synced")["reason"])
    served.delete_graph()
    served.settle(plan)

    assert fallen == ("Deploying", "Paused")
    assert served.condition("DeploymentReady")["reason"] == "DeploymentDeleted"
    assert served.graph is None


def test_a_request_paused_from_the_start_is_not_begun() -> None:
    model = Model()
    say(model, PAUSE, "true")

    model.settle(planned(graph(), model.request))

    assert model.phase == "Pending"
    assert model.graph is None


def test_resuming_catches_up(served: Model) -> None:
    say(served, PAUSE, "true")
    plan = edited(served, graph(replicas=4))
    served.settle(plan)

    say(served, PAUSE, "false")
    served.settle(plan)

    assert served.graph is not None
    assert served.graph["spec"]["components"][1]["replicas"] == 4
    assert [event.reason for event in served.told] == ["Paused", "Resumed", "PlanChanged"]


def test_a_plan_that_is_gone_back_to_is_applied_unasked(served: Model) -> None:
    before = planned(graph(), served.request)
    newer = edited(served, graph(replicas=4))
    served.settle(newer)
    served.told.clear()

    say(served, ROLLBACK, before.hash)
    served.settle(before)

    assert served.graph is not None
    assert served.graph["spec"]["components"][1]["replicas"] == 2
    assert [event.reason for event in served.told] == ["RolledBack"]


def test_a_plan_that_nobody_remembers_holds_everything(served: Model) -> None:
    standing = served.graph
    served.held = ("RollbackUnknown", "rollback names the plan 123, and the history has abc")

    served.settle(edited(served, graph(replicas=4)))

    assert served.graph == standing
    assert served.condition("Synced")["reason"] == "RollbackUnknown"
    assert served.phase == "Deployed"


def test_a_plan_for_another_world_waits_for_approval_while_the_graph_serves_on(served: Model) -> None:
    plan = planned(graph(), served.request)
    standing, served.pending = served.graph, planned(graph(replicas=4), served.request)

    served.settle(plan)

    assert served.graph == standing
    assert served.phase == "Deployed"
    assert served.condition("Synced")["reason"] == "ReplanPending"
    assert served.pending.hash in served.condition("Synced")["message"]
    assert served.records[-1].pending == served.pending
    assert [event.reason for event in served.told] == ["ReplanPending"]


def test_a_plan_that_is_obsolete_waits_no_longer(served: Model) -> None:
    plan = planned(graph(), served.request)
    served.pending = planned(graph(replicas=4), served.request)
    served.settle(plan)

    served.pending = None
    served.settle(plan)

    assert served.condition("Synced")["status"] == "True"


@pytest.mark.parametrize(
    ("before", "after", "last", "verdict"),
    [
        (100, 111, None, True),
        (100, 109, None, False),
        (100, 90, None, False),
        (100, 200, 100.0, False),
        (100, 200, -1700.0, True),
        (0, 200, None, False),
    ],
    ids=["clearly faster", "within the uncertainty", "slower", "too soon", "long after", "an old plan without numbers"],
)
def test_a_plan_is_replaced_unasked_only_for_a_gain_beyond_doubt_and_seldom(
    before: float, after: float, last: float | None, *, verdict: bool
) -> None:
    plans = [promising(rate) for rate in (before, after)]

    assert review.worth_it(plans[0], plans[1], last, now=200.0) is verdict


def promising(rate: float) -> Planned:
    """A plan with that many tokens per second and GPU."""
    body = graph()
    body["metadata"]["annotations"]["dgdr-operator.io/throughput"] = str(rate)
    return Planned(graph=body, summary="", fabric=(True, "NotRequired", ""))


def test_a_graph_goes_with_its_request_only_where_the_user_says_so(served: Model) -> None:
    plan = planned(graph(), served.request)

    say(served, review.DELETION, "delete")
    served.settle(plan)
    owned = (served.graph or {})["metadata"].get("ownerReferences")
    say(served, review.DELETION, "keep")
    served.settle(plan)

    assert owned == [{"uid": "u-1"}]
    assert "ownerReferences" not in (served.graph or {})["metadata"]
    assert served.status["dgdName"] == GRAPH


def test_a_plan_is_known_by_what_it_runs_and_not_by_what_it_was_made_for() -> None:
    asked = [worlds.request(), worlds.request(generation=2)]

    first, second, other = planned(graph(), asked[0]), planned(graph(), asked[1]), planned(graph(replicas=3), asked[0])

    assert first.hash == second.hash != other.hash
    assert replace(first, summary="in other words").hash == first.hash
