"""What a status says: one vocabulary, one time per flip, one sentence for people."""

from __future__ import annotations

import re
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dgdr_operator import status
from dgdr_operator.status import Type, Verdict
from tests.reconciling import worlds

PLAN = worlds.planned(worlds.graph(), worlds.request())
VERDICTS = (
    status.profiling("SelectingConfig", "searching"),
    status.invalid("spec.model is empty"),
    status.refused("infeasible: ttft<=1ms", reason="SelectingConfigFailed", feasible="InfeasibleSLA"),
    status.ready(PLAN),
    status.deploying(PLAN, reason="DeploymentInProgress", message="graph chat-dgd is pending", replicas=(2, 0)),
    status.deployed(PLAN, "graph chat-dgd serves", (2, 2)),
    status.undeployed(PLAN, reason="DeploymentRejected", message="too many components"),
)
REASON = re.compile(r"^[A-Za-z]([A-Za-z0-9_,:]*[A-Za-z0-9_])?$")
verdicts = pytest.mark.parametrize("verdict", VERDICTS, ids=lambda verdict: verdict.phase)


def render(
    verdict: Verdict, previous: dict[str, Any] | None = None, *, generation: int = 1, now: str = "t0"
) -> dict[str, Any]:
    """The status as JSON."""
    return status.render(verdict, generation=generation, previous=previous, now=now)


@verdicts
def test_every_condition_names_the_generation_it_is_about(verdict: Verdict) -> None:
    found = render(verdict, generation=7)

    assert {found["observedGeneration"], *(c["observedGeneration"] for c in found["conditions"])} == {7}


@verdicts
def test_reasons_are_words_that_the_api_accepts(verdict: Verdict) -> None:
    assert all(REASON.match(condition["reason"]) for condition in render(verdict)["conditions"])


@verdicts
def test_no_condition_is_said_twice(verdict: Verdict) -> None:
    kinds = [condition["type"] for condition in render(verdict)["conditions"]]

    assert len(kinds) == len(set(kinds))


@pytest.mark.parametrize("before", VERDICTS, ids=lambda verdict: verdict.phase)
@verdicts
def test_a_time_moves_only_when_its_condition_flips(before: Verdict, verdict: Verdict) -> None:
    first = render(before, now="t0")
    second = render(verdict, first, now="t1")

    earlier = {condition["type"]: condition["status"] for condition in first["conditions"]}
    for condition in second["conditions"]:
        same = earlier.get(condition["type"]) == condition["status"]
        assert condition["lastTransitionTime"] == ("t0" if same else "t1")


@verdicts
def test_the_same_verdict_again_is_no_news(verdict: Verdict) -> None:
    first = render(verdict, now="t0")

    assert status.same(first, render(verdict, first, now="t1"))


@verdicts
def test_conditions_of_others_do_not_matter(verdict: Verdict) -> None:
    first = render(verdict)
    foreign = {**first, "conditions": [*first["conditions"], {"type": "Checked", "status": "True"}]}

    assert status.same(foreign, render(verdict, foreign))


@pytest.mark.parametrize("before", VERDICTS, ids=lambda verdict: verdict.phase)
@verdicts
def test_another_verdict_is_news(before: Verdict, verdict: Verdict) -> None:
    first = render(before)

    assert status.same(first, render(verdict, first)) == (before is verdict)


@verdicts
def test_profiling_is_true_exactly_when_there_is_a_plan(verdict: Verdict) -> None:
    found = {condition["type"]: condition["status"] for condition in render(verdict)["conditions"]}

    assert (found.get("Profiling") == "True") == (verdict.selected is not None)


@verdicts
def test_generic_tools_see_work_under_way_or_a_standstill_or_neither(verdict: Verdict) -> None:
    kinds = {condition["type"] for condition in render(verdict)["conditions"]} & {"Reconciling", "Stalled"}

    expected = {"Failed": {"Stalled"}, "Ready": set(), "Deployed": set()}
    assert kinds == expected.get(verdict.phase.value, {"Reconciling"})


def test_a_failure_is_blamed_on_the_first_thing_that_went_wrong() -> None:
    verdict = status.invalid("spec.model is empty").adding(status.unsynced("Paused", "by hand"))

    assert status.succeeded(verdict).message == "Validation failed: spec.model is empty"
    assert status.succeeded(verdict).reason == "ValidationFailed"


@given(st.text(max_size=3000))
def test_a_message_is_one_line_that_fits(message: str) -> None:
    found = status.cut(message)

    assert len(found) <= status.MESSAGE_LIMIT
    assert len(found.splitlines()) <= 1


def test_every_phase_has_its_edges() -> None:
    assert set(status.EDGES) == {None, *status.Phase}
    assert all(Type(kind) for kind in ("Validation", "Profiling", "SpecGenerated", "DeploymentReady", "Succeeded"))
