"""What happened -> the status to write: phase, conditions, observedGeneration. Pure: the time is passed in.

Phases, condition types and reasons are the words of the DynamoGraphDeploymentRequest's own status; `Profiling` is
inverted there: True means finished. Feasible, FabricReady, Synced, Reconciling and Stalled are additions.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from enum import StrEnum
from typing import Any, Literal

from dgdr_operator.planned import Planned

MESSAGE_LIMIT = 1024
"""Characters of a condition's message; the API allows 32,768, people read less."""


class Phase(StrEnum):
    """Where a request stands."""

    PENDING = "Pending"
    PROFILING = "Profiling"
    READY = "Ready"
    DEPLOYING = "Deploying"
    DEPLOYED = "Deployed"
    FAILED = "Failed"


EDGES: Mapping[str | None, frozenset[Phase]] = {
    None: frozenset(Phase),
    Phase.PENDING: frozenset(Phase) - {Phase.DEPLOYED},
    Phase.PROFILING: frozenset(Phase) - {Phase.PENDING},
    Phase.READY: frozenset(Phase) - {Phase.PENDING},
    Phase.DEPLOYING: frozenset(Phase) - {Phase.PENDING},
    Phase.DEPLOYED: frozenset(Phase) - {Phase.PENDING},
    Phase.FAILED: frozenset(Phase) - {Phase.PENDING},
}
"""From which phase which other may follow; None: no status, because it is new or because somebody wiped it."""


class Type(StrEnum):
    """Types of conditions, in the order in which they are shown."""

    VALIDATION = "Validation"
    PROFILING = "Profiling"
    SPEC_GENERATED = "SpecGenerated"
    DEPLOYMENT_READY = "DeploymentReady"
    FEASIBLE = "Feasible"
    FABRIC_READY = "FabricReady"
    SYNCED = "Synced"
    RECONCILING = "Reconciling"
    STALLED = "Stalled"
    SUCCEEDED = "Succeeded"


@dataclass(frozen=True, slots=True)
class Condition:
    """One statement about a request."""

    type: Type
    status: Literal["True", "False", "Unknown"]
    reason: str
    message: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Verdict:
    """A whole status before it knows its time and generation.

    conditions: without Succeeded, Reconciling and Stalled, which follow from phase and the others;
    profiling_phase: how far planning came, on failure where it stopped; graph: name of the graph, recorded before it
    exists; selected: the graph as planned; replicas: wanted and available, summed over the graph's components.
    """

    phase: Phase
    conditions: tuple[Condition, ...]
    profiling_phase: str | None = None
    graph: str | None = None
    selected: Mapping[str, Any] | None = None
    replicas: tuple[int, int] | None = None

    def adding(self, condition: Condition) -> "Verdict":
        """The same verdict with *condition* in the place of any other of its type."""
        others = tuple(known for known in self.conditions if known.type != condition.type)
        return replace(self, conditions=(*others, condition))


VALID = Condition(Type.VALIDATION, "True", "ValidationPassed", "the request is valid")


def waiting(message: str) -> Verdict:
    """Nobody has begun to plan."""
    idle = Condition(Type.PROFILING, "False", "Initializing", message)
    return Verdict(phase=Phase.PENDING, conditions=(VALID, idle))


def profiling(step: str, message: str, *, graph: str | None = None) -> Verdict:
    """The plan is being computed."""
    running = Condition(Type.PROFILING, "False", step, message)
    return Verdict(phase=Phase.PROFILING, conditions=(VALID, running), profiling_phase=step, graph=graph)


def invalid(message: str, *, graph: str | None = None) -> Verdict:
    """The request is malformed; *message* names the field."""
    return Verdict(
        phase=Phase.FAILED, graph=graph, conditions=(Condition(Type.VALIDATION, "False", "ValidationFailed", message),)
    )


def refused(message: str, *, reason: str, feasible: str | None = None, graph: str | None = None) -> Verdict:
    """The request is valid and cannot be planned; *feasible*: the reason why no plan keeps the promises."""
    stopped = Condition(Type.PROFILING, "False", reason, message)
    verdict = Verdict(phase=Phase.FAILED, conditions=(VALID, stopped), profiling_phase="SelectingConfig", graph=graph)
    return verdict.adding(Condition(Type.FEASIBLE, "False", feasible, message)) if feasible else verdict


def ready(plan: Planned) -> Verdict:
    """There is a plan, and the user wants to see it before it is applied."""
    return Verdict(phase=Phase.READY, conditions=_of_plan(plan), profiling_phase=None, graph=None, selected=plan.graph)


def deploying(plan: Planned, *, reason: str, message: str, replicas: tuple[int, int] | None = None) -> Verdict:
    """The graph is wanted, or exists and is not serving yet, or not any more."""
    waiting = Condition(Type.DEPLOYMENT_READY, "False", reason, message)
    return _of_graph(Phase.DEPLOYING, plan, waiting, replicas)


def deployed(plan: Planned, message: str, replicas: tuple[int, int] | None) -> Verdict:
    """The graph serves."""
    serving = Condition(Type.DEPLOYMENT_READY, "True", "DeploymentReady", message)
    return _of_graph(Phase.DEPLOYED, plan, serving, replicas)


def undeployed(plan: Planned, *, reason: str, message: str) -> Verdict:
    """There is a plan, but no graph can stand for it: refused by the cluster, or deleted and to be left deleted."""
    return _of_graph(Phase.FAILED, plan, Condition(Type.DEPLOYMENT_READY, "False", reason, message), None)


def unsynced(reason: str, message: str) -> Condition:
    """What stands in the cluster is not what the plan says, and why that is left so."""
    return Condition(Type.SYNCED, "False", reason, message)


def synced(graph: str) -> Condition:
    """What stands in the cluster is what the plan says."""
    return Condition(Type.SYNCED, "True", "Applied", f"graph {graph} is as planned")


def _of_graph(phase: Phase, plan: Planned, state: Condition, replicas: tuple[int, int] | None) -> Verdict:
    conditions = (*_of_plan(plan), state)
    return Verdict(phase=phase, conditions=conditions, graph=plan.name, selected=plan.graph, replicas=replicas)


def _of_plan(plan: Planned) -> tuple[Condition, ...]:
    good, reason, message = plan.fabric
    return (
        VALID,
        Condition(Type.PROFILING, "True", "ProfilingCompleted", plan.summary),
        Condition(Type.SPEC_GENERATED, "True", "SpecGenerated", f"graph {plan.name} is generated{_called(plan)}"),
        Condition(Type.FEASIBLE, *plan.feasible),
        Condition(Type.FABRIC_READY, "True" if good else "False", reason, message),
    )


def _called(plan: Planned) -> str:
    return f", plan {plan.hash}" if plan.hash else ""


BLAME = (
    (Type.VALIDATION, "Validation failed: "),
    (Type.PROFILING, "Profiling failed: "),
    (Type.SPEC_GENERATED, "Spec generation failed: "),
    (Type.DEPLOYMENT_READY, "Deployment failed: "),
)
"""Where a failed request's reason comes from: the first of these that is False, and how its message is introduced."""


def succeeded(verdict: Verdict) -> Condition:
    """The condition that sums up all others, shown by `kubectl get`."""
    by_type = {condition.type: condition for condition in verdict.conditions}
    match verdict.phase:
        case Phase.READY:
            return Condition(Type.SUCCEEDED, "True", "SpecGenerated", by_type[Type.PROFILING].message)
        case Phase.DEPLOYED:
            return Condition(Type.SUCCEEDED, "True", "Deployed", by_type[Type.DEPLOYMENT_READY].message)
        case Phase.FAILED:
            return _blamed(by_type)
    last = by_type.get(Type.DEPLOYMENT_READY) or by_type[Type.PROFILING]
    return Condition(Type.SUCCEEDED, "False", verdict.phase.value, last.message)


def _blamed(by_type: Mapping[Type, Condition]) -> Condition:
    for kind, introduction in BLAME:
        found = by_type.get(kind)
        if found and found.status == "False":
            return Condition(Type.SUCCEEDED, "False", found.reason, introduction + found.message)
    return Condition(Type.SUCCEEDED, "False", "Failed", "the request failed")


def _progress(verdict: Verdict, summary: Condition) -> tuple[Condition, ...]:
    """What generic tools look at: work under way, or standing still until something changes."""
    match verdict.phase:
        case Phase.FAILED:
            return (Condition(Type.STALLED, "True", summary.reason, summary.message),)
        case Phase.PENDING | Phase.PROFILING | Phase.DEPLOYING:
            return (Condition(Type.RECONCILING, "True", verdict.phase.value, summary.message),)
    return ()


def render(verdict: Verdict, *, generation: int, previous: Mapping[str, Any] | None, now: str) -> dict[str, Any]:
    """The status of a v1beta1 request. *previous* (the live status) gives the times of what did not flip."""
    summary = succeeded(verdict)
    conditions = sorted(
        (*verdict.conditions, *_progress(verdict, summary), summary), key=lambda c: list(Type).index(c.type)
    )
    since = {known["type"]: known for known in owned_conditions(previous)}
    written: dict[str, Any] = {
        "phase": verdict.phase.value,
        "observedGeneration": generation,
        "conditions": [_written(condition, generation, since.get(condition.type), now) for condition in conditions],
    }
    if verdict.profiling_phase:
        written["profilingPhase"] = verdict.profiling_phase
    if verdict.graph:
        written["dgdName"] = verdict.graph
    if verdict.selected is not None:
        written["profilingResults"] = {"selectedConfig": verdict.selected}
    if verdict.replicas is not None:
        wanted, available = verdict.replicas
        written["deploymentInfo"] = {"replicas": wanted, "availableReplicas": available}
    return written


def amended(live: Mapping[str, Any], condition: Condition, *, now: str) -> dict[str, Any]:
    """The status *live* with *condition* in the place of any other of its type, and nothing else changed."""
    known = {one["type"]: one for one in owned_conditions(live)}
    generation = int(live.get("observedGeneration") or 0)
    known[condition.type.value] = _written(condition, generation, known.get(condition.type.value), now)
    written = {name: live[name] for name in FIELDS if name in live}
    written["conditions"] = sorted(known.values(), key=lambda one: list(Type).index(one["type"]))
    selected = (live.get("profilingResults") or {}).get("selectedConfig")
    return {**written, **({"profilingResults": {"selectedConfig": selected}} if selected is not None else {})}


def _written(condition: Condition, generation: int, before: Mapping[str, Any] | None, now: str) -> dict[str, Any]:
    flipped = before is None or before.get("status") != condition.status
    return {
        "type": condition.type.value,
        "status": condition.status,
        "reason": condition.reason,
        "message": cut(condition.message),
        "observedGeneration": generation,
        "lastTransitionTime": now if flipped or before is None else before["lastTransitionTime"],
    }


def cut(message: str) -> str:
    """*message* without line breaks, and with "..." in the place of what is too long."""
    line = " ".join(message.split())
    return line if len(line) <= MESSAGE_LIMIT else f"{line[: MESSAGE_LIMIT - 3]}..."


FIELDS = ("phase", "observedGeneration", "profilingPhase", "dgdName", "deploymentInfo")
"""Plain fields of a status that are ours; conditions and profilingResults.selectedConfig are compared beside them."""


def same(live: Mapping[str, Any] | None, desired: Mapping[str, Any]) -> bool:
    """Whether *live* already says exactly what *desired* says, conditions of others apart."""
    return live is not None and _ours(live) == _ours(desired)


def _ours(status: Mapping[str, Any]) -> tuple[Any, ...]:
    conditions = {condition["type"]: dict(condition) for condition in owned_conditions(status)}
    results = status.get("profilingResults") or {}
    return (*(status.get(name) for name in FIELDS), results.get("selectedConfig"), conditions)


def owned_conditions(status: Mapping[str, Any] | None) -> Iterable[Mapping[str, Any]]:
    """The conditions of *status* that are ours to write."""
    ours = {kind.value for kind in Type}
    return tuple(known for known in (status or {}).get("conditions") or () if known.get("type") in ours)
