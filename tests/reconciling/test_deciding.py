"""What the controller does in each situation, told one situation at a time."""

from __future__ import annotations

import pytest

from dgdr_operator.controller import recall
from dgdr_operator.controller.answers import Refused, Working
from dgdr_operator.controller.world import DRIFT, Announce, ApplyGraph, ApplyStatus, LookAgain, Trouble
from dgdr_operator.planned import Planned
from tests.reconciling import worlds
from tests.reconciling.worlds import GRAPH, Model, graph, planned


@pytest.fixture
def served(model: Model) -> Model:
    """A request whose graph serves."""
    return worlds.served(model)


def test_the_name_and_the_plan_are_recorded_before_the_graph_is_made(model: Model, plan: Planned) -> None:
    first, *others = (action for action in model.decide(plan) if not isinstance(action, Announce))

    assert isinstance(first, ApplyStatus)
    assert first.status["dgdName"] == GRAPH
    assert first.status["profilingResults"]["selectedConfig"] == plan.graph
    assert others == [ApplyGraph(graph=plan.graph, create=True)]


def test_a_request_becomes_a_graph_that_serves_in_four_writes_and_three_events(model: Model, plan: Planned) -> None:
    model.serve(plan)

    assert model.phases == ["Deploying", "Deploying", "Deployed"]
    assert [event.reason for event in model.told] == ["SpecGenerated", "DeploymentCreated", "DeploymentReady"]


def test_a_quick_answer_is_awaited_in_silence(model: Model) -> None:
    assert model.decide(Working(seconds=0.25)) == [LookAgain(after=0.75)]


def test_among_many_that_wait_the_status_waits_longer(model: Model) -> None:
    assert model.decide(Working(seconds=0.5, line=101)) == [LookAgain(after=2.5)]


def test_a_slow_answer_shows_that_planning_is_under_way(model: Model) -> None:
    model.settle(Working(seconds=2.0))

    assert model.phase == "Profiling"
    assert model.status["profilingPhase"] == "SelectingConfig"


def test_a_refusal_stands_while_the_same_is_asked_again_after_a_restart(model: Model) -> None:
    model.settle(Refused(why="infeasible", message="infeasible: ttft<=50ms", feasible="InfeasibleSLA"))

    assert model.decide(Working(seconds=5.0)) == []


def test_a_malformed_request_fails_with_the_name_of_the_field(model: Model) -> None:
    model.settle(Refused(why="invalid", message="spec.workload.isl must be positive, not -1"))

    assert model.phase == "Failed"
    assert model.condition("Validation")["status"] == "False"
    assert "spec.workload.isl" in model.condition("Succeeded")["message"]
    assert [event.reason for event in model.told] == ["ValidationFailed"]


def test_an_infeasible_request_fails_with_the_refusal_line(model: Model) -> None:
    model.settle(Refused(why="infeasible", message="infeasible: ttft<=50ms; best 142ms", feasible="InfeasibleSLA"))

    assert model.condition("Profiling")["reason"] == "SelectingConfigFailed"
    assert model.condition("Feasible")["reason"] == "InfeasibleSLA"
    assert model.condition("Succeeded")["message"] == "Profiling failed: infeasible: ttft<=50ms; best 142ms"


def test_an_edit_that_mends_a_failed_request_leads_to_a_graph(model: Model) -> None:
    model.settle(Refused(why="invalid", message="spec.model is missing"))

    model.request = {**worlds.request(generation=2), "status": model.status}
    model.settle(planned(graph(), model.request))

    assert model.phase == "Deploying"
    assert model.graph is not None


def test_without_auto_apply_the_plan_is_shown_and_nothing_is_made(model: Model) -> None:
    model.request = worlds.request(auto_apply=False)
    plan = planned(graph(), model.request)

    model.settle(plan)

    assert model.phase == "Ready"
    assert model.status["profilingResults"]["selectedConfig"] == plan.graph
    assert model.graph is None


def test_switching_auto_apply_on_makes_the_graph_that_was_shown(model: Model) -> None:
    model.request = worlds.request(auto_apply=False)
    plan = planned(graph(), model.request)
    model.settle(plan)

    model.request["spec"]["autoApply"] = True

    assert recall.recorded(model.request) == plan
    model.settle(plan)
    assert model.phase == "Deploying"
    assert model.graph is not None


def test_a_deleted_graph_is_made_again(served: Model, plan: Planned) -> None:
    served.delete_graph()

    served.settle(plan)

    assert served.graph is not None
    assert [event.reason for event in served.told] == ["DeploymentDeleted"]


@pytest.mark.parametrize("drift", ["report", "ignore"])
def test_a_deleted_graph_stays_deleted_where_the_user_says_so(served: Model, drift: str) -> None:
    served.request["metadata"]["annotations"][DRIFT] = drift
    plan = recall.recorded(served.request)
    assert plan is not None

    served.delete_graph()
    served.settle(plan)

    assert served.graph is None
    assert served.phase == "Failed"
    assert served.condition("DeploymentReady")["reason"] == "DeploymentDeleted"


def test_a_graph_that_is_being_deleted_is_left_until_it_is_gone(served: Model, plan: Planned) -> None:
    assert served.graph is not None
    served.graph["metadata"]["deletionTimestamp"] = worlds.NOW

    served.settle(plan)

    assert served.condition("DeploymentReady")["reason"] == "DeploymentDeleted"


def test_an_edited_graph_is_put_back_and_the_event_names_the_field(served: Model, plan: Planned) -> None:
    assert served.graph is not None
    served.graph["spec"]["components"][1]["replicas"] = 7

    served.settle(plan)

    assert served.graph["spec"]["components"][1]["replicas"] == 2
    assert [event.note for event in served.told] == [f"put back in {GRAPH}: spec.components[worker].replicas"]


def test_an_edited_graph_is_only_reported_where_the_user_says_so(served: Model, plan: Planned) -> None:
    assert served.graph is not None
    served.request["metadata"]["annotations"][DRIFT] = "report"
    served.graph["spec"]["components"][1]["replicas"] = 7

    served.settle(plan)

    assert served.graph["spec"]["components"][1]["replicas"] == 7
    assert "spec.components[worker].replicas" in served.condition("Synced")["message"]


def test_what_the_cluster_did_not_take_is_not_written_again_and_again(served: Model, plan: Planned) -> None:
    assert served.graph is not None
    served.graph["spec"]["components"][1]["replicas"] = 7
    served.unheeded = frozenset({"spec.components[worker].replicas"})

    assert served.decide(plan) == []


def test_fields_of_others_are_none_of_our_business(served: Model, plan: Planned) -> None:
    assert served.graph is not None
    served.graph["metadata"]["labels"]["team"] = "blue"
    served.graph["spec"]["components"][1]["podTemplate"]["spec"]["nodeSelector"] = {"zone": "a"}

    assert served.decide(plan) == []


def test_a_graph_of_somebody_else_is_not_adopted(model: Model, plan: Planned) -> None:
    model.graph = graph(owner="another")

    model.settle(plan)

    assert model.condition("DeploymentReady")["reason"] == "DeploymentRejected"
    assert "for the request another" in model.condition("Succeeded")["message"]
    assert model.graph == graph(owner="another")


def test_a_graph_that_the_cluster_rejects_fails_with_its_sentence(model: Model, plan: Planned) -> None:
    model.trouble = Trouble(kind="rejected", message="spec.components: too many", graph=plan.graph)

    model.settle(plan)

    assert model.phase == "Failed"
    assert model.condition("Succeeded")["message"] == "Deployment failed: spec.components: too many"


def test_a_missing_right_is_named_and_nothing_is_tried_meanwhile(model: Model, plan: Planned) -> None:
    model.trouble = Trouble(kind="denied", message="cannot create dynamographdeployments", graph=plan.graph)

    model.settle(plan)

    assert model.condition("Synced")["reason"] == "PermissionMissing"
    assert model.graph is None


@pytest.mark.parametrize(("current", "rolling"), [(False, False), (True, True)])
def test_success_counts_only_for_the_present_spec_and_at_rest(
    model: Model, plan: Planned, *, current: bool, rolling: bool
) -> None:
    model.settle(plan)

    model.report("successful", current=current, rolling=rolling)
    model.settle(plan)

    assert model.phase == "Deploying"


def test_a_graph_that_stops_serving_is_degraded_and_recovers(served: Model, plan: Planned) -> None:
    served.report("pending")
    served.settle(plan)
    fallen = (served.phase, served.condition("DeploymentReady")["reason"])

    served.report("successful")
    served.settle(plan)

    assert fallen == ("Deploying", "DeploymentDegraded")
    assert served.phase == "Deployed"


def test_a_new_plan_of_the_same_shape_changes_the_graph_in_place(served: Model) -> None:
    served.request = {**worlds.request(generation=2), "status": served.status}
    plan = planned(graph(replicas=4), served.request)

    served.settle(plan)

    assert served.graph is not None
    assert served.graph["spec"]["components"][1]["replicas"] == 4
    assert served.phase == "Deploying"


@pytest.mark.parametrize(
    "body", [graph(workers=("prefill", "decode")), graph(engine="sglang"), graph(name="another-name")]
)
def test_a_plan_of_another_shape_waits_until_the_old_graph_is_deleted(served: Model, body: worlds.Object) -> None:
    standing = served.graph
    served.request = {**worlds.request(generation=2), "status": served.status}
    plan = planned(body, served.request)

    served.settle(plan)
    held = (served.graph, served.condition("Synced")["reason"], served.status["dgdName"])
    served.delete_graph()
    served.settle(plan)

    assert held == (standing, "ReplanPending", GRAPH)
    assert served.graph is not None
    assert served.graph["spec"] == plan.graph["spec"]


def test_no_new_revision_during_a_rolling_update(served: Model) -> None:
    served.report("pending", rolling=True)
    standing = served.graph
    served.request = {**worlds.request(generation=2), "status": served.status}

    served.settle(planned(graph(replicas=4), served.request))

    assert served.graph == standing
    assert served.condition("Synced")["reason"] == "ReplanPending"


def test_a_status_that_was_wiped_is_written_again_around_the_standing_graph(served: Model, plan: Planned) -> None:
    standing = served.graph
    del served.request["status"]

    served.settle(plan)

    assert served.phase == "Deployed"
    assert served.graph == standing
