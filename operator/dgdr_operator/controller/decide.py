"""Request, graph, answer and time in; the actions to take out. Pure, and idempotent: once they are taken, no more follow.

The status is read back only for decisions recorded there: the graph's name and the plan, written before the graph.
"""

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from hashlib import sha256
from itertools import islice
from typing import Any, Literal

from dgdr_operator import status
from dgdr_operator.controller import covers, graphs
from dgdr_operator.controller.answers import Answer, Refused, Working
from dgdr_operator.request import OWN
from dgdr_operator.status import Planned, Type, Verdict

Object = Mapping[str, Any]

PATIENCE = 1.0
"""Seconds that an answer may take before the status says that one is being worked on."""
REQUEST_HASH = f"{OWN}/request-hash"
DRIFT = f"{OWN}/drift"
NOT_PLANNED_BY = frozenset({DRIFT, f"{OWN}/deletion-policy"})
"""Our annotations that do not change what is planned."""
PATHS_SHOWN = 10


@dataclass(frozen=True, slots=True, kw_only=True)
class ApplyStatus:
    """Write this whole status."""

    status: Mapping[str, Any]


@dataclass(frozen=True, slots=True, kw_only=True)
class ApplyGraph:
    """Make the graph say this; *create*: none is known, so make sure that the name is free first."""

    graph: Object
    create: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class Announce:
    """Tell the user by an Event."""

    type: Literal["Normal", "Warning"]
    reason: str
    note: str


@dataclass(frozen=True, slots=True, kw_only=True)
class LookAgain:
    """Come back after so many seconds."""

    after: float


Action = ApplyStatus | ApplyGraph | Announce | LookAgain


@dataclass(frozen=True, slots=True, kw_only=True)
class Trouble:
    """What the cluster said to the last try: rejected for good, or denied for lack of a right; about which graph."""

    kind: Literal["rejected", "denied"]
    message: str
    graph: Object


@dataclass(frozen=True, slots=True, kw_only=True)
class World:
    """What stands in the cluster for one request: the request, its graph, and the trouble with it, if any."""

    request: Object
    graph: Object | None = None
    trouble: Trouble | None = None

    @property
    def status(self) -> Mapping[str, Any]:
        """The live status, empty if there is none."""
        return self.request.get("status") or {}

    @property
    def recorded_name(self) -> str | None:
        """The graph's name as recorded."""
        return self.status.get("dgdName")

    @property
    def drift(self) -> str:
        """What the user wants done about changes that are not ours."""
        return str((self.request["metadata"].get("annotations") or {}).get(DRIFT, "correct"))

    def condition(self, kind: Type) -> Mapping[str, Any]:
        """The live condition of that type, empty if there is none."""
        return next((c for c in self.status.get("conditions") or () if c.get("type") == kind), {})


def request_hash(request: Object) -> str:
    """A digest of everything a user says that a plan depends on; autoApply does not change a plan."""
    spec = dict(request.get("spec") or {})
    if isinstance(spec.get("autoApply"), bool):
        del spec["autoApply"]
    annotations = request["metadata"].get("annotations") or {}
    ours = {name: value for name, value in annotations.items() if name.startswith(OWN) and name not in NOT_PLANNED_BY}
    said = json.dumps([request.get("apiVersion"), spec, ours], sort_keys=True, default=str)
    return sha256(said.encode()).hexdigest()[:16]


def stamped(graph: Object, digest: str) -> dict[str, Any]:
    """*graph* with the request it was planned for, so that a restart knows the plan to be still the right one."""
    metadata = graph["metadata"]
    annotations = {**(metadata.get("annotations") or {}), REQUEST_HASH: digest}
    return {**graph, "metadata": {**metadata, "annotations": annotations}}


def recorded(request: Object) -> Planned | None:
    """The plan that the status holds for exactly this request; then nothing needs to be computed."""
    world = World(request=request)
    selected = (world.status.get("profilingResults") or {}).get("selectedConfig") or {}
    digest = ((selected.get("metadata") or {}).get("annotations") or {}).get(REQUEST_HASH)
    summary, fabric = world.condition(Type.PROFILING), world.condition(Type.FABRIC_READY)
    if digest != request_hash(request) or not summary or not fabric:
        return None
    verdict = (fabric["status"] == "True", fabric["reason"], fabric["message"])
    return Planned(graph=selected, summary=summary["message"], fabric=verdict)


def graph_name(request: Object, answer: Answer) -> str | None:
    """The name under which to look for the graph: the recorded one, else the planned one."""
    planned = answer.name if isinstance(answer, Planned) else None
    return World(request=request).recorded_name or planned


def actions(world: World, answer: Answer, now: str) -> list[Action]:
    """What to do, in order; each action may be repeated or lost without harm."""
    match answer:
        case Working(seconds=seconds):
            return _while_working(world, seconds, now)
        case Refused():
            return [*_report(world, _refusal(world, answer), now)]
        case Planned() if not _auto_apply(world.request):
            return [*_report(world, status.ready(answer), now)]
        case Planned():
            return [*_deploy(world, answer, now)]


def _while_working(world: World, seconds: float, now: str) -> list[Action]:
    if seconds < PATIENCE:
        return [LookAgain(after=PATIENCE - seconds)]
    waiting = status.profiling("SelectingConfig", "the estimator is working on it", graph=world.recorded_name)
    return [*_report(world, waiting, now)]


def _refusal(world: World, answer: Refused) -> Verdict:
    if answer.why == "invalid":
        return status.invalid(answer.message, graph=world.recorded_name)
    reason = {"crashed": "EstimatorCrashed", "timed-out": "EstimatorTimedOut"}.get(answer.why, "SelectingConfigFailed")
    return status.refused(answer.message, reason=reason, feasible=answer.feasible, graph=world.recorded_name)


def _auto_apply(request: Object) -> bool:
    """The field's default is true in v1beta1 and false in v1alpha1."""
    default = not str(request.get("apiVersion")).endswith("/v1alpha1")
    return bool((request.get("spec") or {}).get("autoApply", default))


def _deploy(world: World, plan: Planned, now: str) -> Iterator[Action]:
    hindrance = _hindrance(world, plan)
    if hindrance:
        yield from _report(world, hindrance, now)
    elif world.graph is None:
        yield from _create(world, plan, now)
    elif world.graph["metadata"].get("deletionTimestamp"):
        gone = f"graph {plan.name} is being deleted; it is created again when it is gone"
        yield from _report(world, status.deploying(plan, reason="DeploymentDeleted", message=gone), now)
    else:
        yield from _keep(world, world.graph, plan, now)


def _hindrance(world: World, plan: Planned) -> Verdict | None:
    """Why no graph can stand for the plan, if so."""
    graph, trouble = world.graph, world.trouble
    if graph is not None and not ours(graph, world.request):
        return status.undeployed(plan, reason="DeploymentRejected", message=taken(graph))
    if trouble and trouble.kind == "rejected" and trouble.graph == plan.graph:
        return status.undeployed(plan, reason="DeploymentRejected", message=trouble.message)
    if graph is None and world.condition(Type.SYNCED).get("status") == "True" and world.drift != "correct":
        message = f"graph {plan.name} was deleted, and {DRIFT} says {world.drift}"
        return status.undeployed(plan, reason="DeploymentDeleted", message=message)
    if graph is None and world.condition(Type.DEPLOYMENT_READY).get("reason") == "DeploymentDeleted":
        return _still_deleted(world, plan)
    return None


def _still_deleted(world: World, plan: Planned) -> Verdict | None:
    if world.drift == "correct":
        return None
    return status.undeployed(
        plan, reason="DeploymentDeleted", message=f"graph {plan.name} was deleted, and {DRIFT} says {world.drift}"
    )


def ours(graph: Object, request: Object) -> bool:
    """Whether the labels of *graph* name *request*."""
    labels = graph["metadata"].get("labels") or {}
    owner = (labels.get("dgdr.nvidia.com/namespace"), labels.get("dgdr.nvidia.com/name"))
    return owner == (request["metadata"].get("namespace"), request["metadata"]["name"])


def taken(graph: Object) -> str:
    """Who holds the name, and what to do about it."""
    labels = graph["metadata"].get("labels") or {}
    holder = labels.get("dgdr.nvidia.com/name")
    by = f"for the request {holder}" if holder else "by somebody else"
    name = graph["metadata"]["name"]
    return f"a graph called {name} was made {by}; delete it, or choose another name in overrides.dgd.metadata.name"


def _create(world: World, plan: Planned, now: str) -> Iterator[Action]:
    again = world.condition(Type.SYNCED).get("status") == "True"
    verdict = status.deploying(plan, reason="DeploymentInProgress", message=f"graph {plan.name} is being created")
    yield from _report(world, _with_denial(world, verdict), now)
    if world.trouble and world.trouble.kind == "denied":
        return
    yield ApplyGraph(graph=plan.graph, create=True)
    if again:
        yield Announce(type="Warning", reason="DeploymentDeleted", note=f"graph {plan.name} was deleted; created again")
    else:
        yield Announce(type="Normal", reason="DeploymentCreated", note=f"graph {plan.name}: {plan.summary}")


def _keep(world: World, graph: Object, plan: Planned, now: str) -> Iterator[Action]:
    """There is a graph of ours: let it say what the plan says, and say what it does."""
    verdict = _mirrored(world, graph, plan)
    wrong = list(islice(covers.differences(graph, plan.graph), PATHS_SHOWN))
    if not wrong:
        yield from _report(world, verdict.adding(status.synced(plan.name)), now)
        return
    reason = _reason_to_leave(world, graph, plan, wrong)
    if reason:
        yield from _report(world, verdict.adding(reason), now)
        return
    if not _same_plan(graph, plan):
        changing = f"graph {plan.name} is being changed to the new plan"
        yield from _report(world, status.deploying(plan, reason="DeploymentInProgress", message=changing), now)
    yield ApplyGraph(graph=plan.graph, create=False)
    if _same_plan(graph, plan):
        yield Announce(type="Normal", reason="DriftCorrected", note=f"put back in {plan.name}: {', '.join(wrong)}")


def _reason_to_leave(world: World, graph: Object, plan: Planned, wrong: list[str]) -> status.Condition | None:
    """Why the graph is left different from the plan, if so."""
    obstacle = graphs.obstacle(graph, plan.graph)
    if obstacle:
        held = f"{graph['metadata']['name']} cannot be changed in place: {obstacle}; delete it to let the plan take over"
        return status.unsynced("ReplanPending", held)
    if graphs.state(graph).rolling:
        return status.unsynced("ReplanPending", f"waits until the rolling update of {plan.name} has ended")
    if world.drift != "correct" and _same_plan(graph, plan):
        return status.unsynced("FieldConflict", f"changed by somebody else: {', '.join(wrong)}")
    if world.trouble and world.trouble.kind == "denied":
        return status.unsynced("PermissionMissing", world.trouble.message)
    return None


def _same_plan(graph: Object, plan: Planned) -> bool:
    """Whether *graph* was made for this very plan, so that differences are not ours."""
    live, planned = ((body["metadata"].get("annotations") or {}) for body in (graph, plan.graph))
    return all(live.get(name) == value for name, value in planned.items() if name.startswith(f"{OWN}/"))


def _with_denial(world: World, verdict: Verdict) -> Verdict:
    denied = world.trouble and world.trouble.kind == "denied"
    return verdict.adding(status.unsynced("PermissionMissing", world.trouble.message)) if denied else verdict


def _mirrored(world: World, graph: Object, plan: Planned) -> Verdict:
    """What the Dynamo operator reports, in the request's words."""
    state, counts = graphs.state(graph), graphs.replicas(graph)
    said = f"graph {graph['metadata']['name']} is {state.word or 'created'}"
    if state.serving:
        return status.deployed(plan, f"{said} and serves", counts)
    because = f"{said} ({state.why})" if state.why else said
    served = world.condition(Type.DEPLOYMENT_READY)
    fell = state.current and not state.rolling and (served.get("status") == "True" or _degraded(served))
    reason = "DeploymentDegraded" if fell or state.word == "failed" else "DeploymentInProgress"
    return status.deploying(plan, reason=reason, message=because, replicas=counts)


def _degraded(condition: Mapping[str, Any]) -> bool:
    return condition.get("reason") == "DeploymentDegraded"


def _report(world: World, verdict: Verdict, now: str) -> Iterator[Action]:
    """Write the status if it says anything new, then tell what happened."""
    metadata = world.request["metadata"]
    desired = status.render(verdict, generation=metadata.get("generation", 0), previous=world.status, now=now)
    if status.same(world.status, desired):
        return
    yield ApplyStatus(status=desired)
    yield from _news(world, verdict)


def _news(world: World, verdict: Verdict) -> Iterator[Announce]:
    summary = status.succeeded(verdict)
    before = world.condition(Type.SUCCEEDED)
    if verdict.phase == status.Phase.FAILED:
        if (before.get("reason"), before.get("message")) != (summary.reason, status.cut(summary.message)):
            yield Announce(type="Warning", reason=FAILURES.get(summary.reason, "ProfilingCheckFailed"), note=summary.message)
        return
    if verdict.selected is not None and (world.status.get("profilingResults") or {}) == {}:
        plan = next(c for c in verdict.conditions if c.type == Type.PROFILING)
        yield Announce(type="Normal", reason="SpecGenerated", note=plan.message)
    now_ready = next((c for c in verdict.conditions if c.type == Type.DEPLOYMENT_READY), None)
    if now_ready and now_ready.reason != world.condition(Type.DEPLOYMENT_READY).get("reason"):
        kind = TOLD.get(now_ready.reason)
        if kind:
            yield Announce(type=kind, reason=now_ready.reason, note=now_ready.message)


FAILURES = {
    "ValidationFailed": "ValidationFailed",
    "DeploymentRejected": "DeploymentCreationFailed",
    "DeploymentDeleted": "DeploymentDeleted",
}
"""Reason of the Event by reason of the failure; all others are ProfilingCheckFailed."""

TOLD: Mapping[str, Literal["Normal", "Warning"]] = {"DeploymentReady": "Normal", "DeploymentDegraded": "Warning"}
"""Changes of DeploymentReady that are worth an Event."""
