"""Which changes of a status are worth an Event, and in which words. Pure; the reasons are constants."""

from collections.abc import Iterator, Mapping
from typing import Literal

from dgdr_operator import status
from dgdr_operator.controller.world import Announce, World
from dgdr_operator.status import Condition, Type, Verdict

FAILURES = {
    "ValidationFailed": "ValidationFailed",
    "DeploymentRejected": "DeploymentCreationFailed",
    "DeploymentDeleted": "DeploymentDeleted",
}
"""Reason of the Event by reason of the failure; all others are ProfilingCheckFailed."""

STOPS: Mapping[str, Literal["Normal", "Warning"]] = {"Paused": "Normal", "RollbackUnknown": "Warning"}
"""Reasons of Synced for which nothing is done any more."""

TOLD: Mapping[str, Literal["Normal", "Warning"]] = {"DeploymentReady": "Normal", "DeploymentDegraded": "Warning"}
"""Changes of DeploymentReady that are worth an Event."""


def of(world: World, verdict: Verdict) -> Iterator[Announce]:
    """The Events for the step from the live status to *verdict*."""
    if verdict.phase == status.Phase.FAILED:
        yield from _failure(world, verdict)
        return
    conditions = {condition.type: condition for condition in verdict.conditions}
    yield from _sync(world, conditions.get(Type.SYNCED))
    if verdict.selected is not None and not world.recorded_graph:
        yield Announce(type="Normal", reason="SpecGenerated", note=conditions[Type.PROFILING].message)
    state = conditions.get(Type.DEPLOYMENT_READY)
    if state and state.reason in TOLD and state.reason != world.condition(Type.DEPLOYMENT_READY).get("reason"):
        yield Announce(type=TOLD[state.reason], reason=state.reason, note=state.message)


def _sync(world: World, now: Condition | None) -> Iterator[Announce]:
    """The pause that ended, and the plan that waits for the user's word."""
    before = world.condition(Type.SYNCED)
    if before.get("reason") == "Paused" and not (now and now.reason == "Paused"):
        yield Announce(type="Normal", reason="Resumed", note="the request is worked on again")
    if now and now.reason in STOPS and before.get("reason") != now.reason:
        yield Announce(type=STOPS[now.reason], reason=now.reason, note=now.message)
    if now and now.reason == "ReplanPending" and before.get("message") != status.cut(now.message):
        yield Announce(type="Normal", reason="ReplanPending", note=now.message)


def _failure(world: World, verdict: Verdict) -> Iterator[Announce]:
    summary, before = status.succeeded(verdict), world.condition(Type.SUCCEEDED)
    if (before.get("reason"), before.get("message")) != (summary.reason, status.cut(summary.message)):
        reason = FAILURES.get(summary.reason, "ProfilingCheckFailed")
        yield Announce(type="Warning", reason=reason, note=summary.message)
