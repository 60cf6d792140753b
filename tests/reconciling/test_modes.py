"""Whose request it is, and what the platform's own controller is told when it is not ours."""

from __future__ import annotations

import copy
from typing import Any

import pytest
import yaml

from dgdr_operator.controller import answering, modes, record
from dgdr_operator.controller.answers import Refused
from dgdr_operator.controller.modes import Mode
from dgdr_operator.planned import Planned
from tests.reconciling import worlds
from tests.reconciling.worlds import graph, planned

WITHOUT_PODS = {"overrides": {"profilingJob": {"completions": 0, "parallelism": 0}}}


def request(said: str = "", *, without_pods: bool = False, foreign: bool = False) -> worlds.Object:
    """A request with the annotation mode, with a Job that has no pods, and with the platform's finalizer."""
    body = worlds.request(annotations={modes.MODE: said} if said else None)
    body["spec"] |= WITHOUT_PODS if without_pods else {}
    if foreign:
        body["metadata"]["finalizers"] = [modes.FINALIZER]
    return body


def role(body: worlds.Object, mode: Mode = "auto", *, upstream: bool = False, ours: bool = False) -> str:
    """What we are to *body*; *ours*: we made its graph."""
    made = graph()
    made["metadata"]["labels"]["nvidia.com/managed-by"] = "dgdr-operator"
    return modes.role(body, mode, made if ours else None, upstream=upstream).kind


def test_alone_in_a_cluster_every_request_is_ours() -> None:
    assert role(request()) == role(request(without_pods=True)) == role(request("owner")) == "owner"


def test_beside_the_platforms_controller_we_plan_for_those_that_ask() -> None:
    assert role(request(without_pods=True), upstream=True) == "planner"
    assert role(request("plugin", without_pods=True), upstream=True) == "planner"
    assert role(request(), upstream=True) == "apart"


def test_a_request_that_should_be_ignored_is() -> None:
    assert role(request("ignore")) == role(request("ignore", without_pods=True), upstream=True) == "apart"


def test_a_single_request_with_the_platforms_finalizer_is_not_ours_whatever_was_found() -> None:
    assert role(request(foreign=True)) == "apart"
    assert role(request(foreign=True, without_pods=True)) == "planner"


@pytest.mark.parametrize("mode", ["auto", "owner", "plugin"])
def test_a_request_whose_graph_we_made_is_frozen_and_never_changes_hands(mode: Mode) -> None:
    assert role(request(foreign=True, without_pods=True), mode, upstream=True, ours=True) == "frozen"


def test_the_annotation_without_a_job_that_has_no_pods_is_answered_with_what_is_missing() -> None:
    found = modes.role(request("plugin"), "auto", None, upstream=True)

    assert found.kind == "apart"
    assert "completions 0" in found.why


def test_only_a_job_of_this_very_request_without_pods_is_waited_upon() -> None:
    body = {**request(without_pods=True), "status": {"phase": "Profiling", "profilingJobName": "profile-chat"}}
    job: dict[str, Any] = {"metadata": {"ownerReferences": [{"uid": "u-1"}]}, "spec": {"completions": 0}}
    older, working = copy.deepcopy(job), copy.deepcopy(job)
    older["metadata"]["ownerReferences"][0]["uid"] = "u-0"
    working["spec"]["completions"] = 1

    assert answering.job_name(body) == "profile-chat"
    assert answering.job_name({**body, "status": {**body["status"], "phase": "Ready"}}) is None
    assert [answering.is_expected(body, one) for one in (job, older, working)] == [True, False, False]


@pytest.fixture
def plan() -> Planned:
    """A plan with engine files."""
    files = {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "chat-dgd-engine"}, "data": {"a": "b"}}
    body = graph()
    body["metadata"]["annotations"]["dgdr-operator.io/companions"] = worlds.as_json([files])
    return planned(body, request())


def test_a_plan_is_handed_over_as_the_profiler_would_have_written_it(plan: Planned) -> None:
    found = answering.output(request(), plan)

    files, body = yaml.safe_load_all(found["data"]["final_config.yaml"])
    assert found["metadata"]["name"] == "dgdr-output-chat"
    assert found["metadata"]["labels"]["dgdr.nvidia.com/name"] == "chat"
    assert (
        found["metadata"]["ownerReferences"][0] | {"controller": True, "uid": "u-1"}
        == found["metadata"]["ownerReferences"][0]
    )
    assert (found["data"]["phase"], found["data"]["profiler_status"]) == ("Done", "success")
    assert (files["kind"], body["kind"], body["spec"]) == ("ConfigMap", "DynamoGraphDeployment", plan.graph["spec"])
    assert "labels" not in body["metadata"]


def test_a_refusal_is_handed_over_with_its_numbers_in_a_phase_that_the_platform_knows() -> None:
    found = answering.output(request(), Refused(why="infeasible", message="infeasible: ttft<=1ms"))["data"]

    assert (found["phase"], found["profiler_status"]) == ("SelectingConfig", "failed")
    assert found["profiler_error"] == "infeasible: ttft<=1ms"


def test_an_answer_counts_only_for_the_request_it_was_given_to(plan: Planned) -> None:
    given = answering.output(request(), plan)
    namesake = {**request(), "metadata": {**request()["metadata"], "uid": "u-2"}}
    progress = {**given, "data": {"phase": "SelectingConfig", "message": "at work"}}

    assert answering.is_given(request(), given)
    assert not answering.is_given(namesake, given)
    assert not answering.is_given(request(), progress)
    assert not answering.is_given(request(), None)


def test_our_own_report_is_no_output_of_a_profiler(plan: Planned) -> None:
    draft = record.Draft(plan=plan, pending=None, diff="", now=worlds.NOW)

    labels = record.build(request(), None, draft)["metadata"]["labels"]

    assert not set(labels) & {"dgdr.nvidia.com/name", "dgdr.nvidia.com/namespace"}
