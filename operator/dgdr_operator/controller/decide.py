"""Request, graph, answer and time in; the actions to take out.

Pure, and idempotent: when the actions are taken, no more follow. The status is read back only for decisions that are
recorded there: the graph's name and the plan, both written before the graph.
"""

from collections.abc import Iterator
from dataclasses import replace
from itertools import islice

from dgdr_operator import status
from dgdr_operator.controller import covers, graphs, news, recall
from dgdr_operator.controller.answers import Answer, Refused, Working
from dgdr_operator.controller.world import (
    DRIFT,
    Action,
    Announce,
    ApplyGraph,
    ApplyStatus,
    LookAgain,
    Object,
    World,
    is_ours,
    taken,
)
from dgdr_operator.status import Condition, Planned, Type, Verdict

PATIENCE = 1.0
"""Seconds that an answer may take before the status says that one is being worked on."""
PATHS_SHOWN = 10
REASONS = {"crashed": "EstimatorCrashed", "timed-out": "EstimatorTimedOut"}
"""Reason of Profiling by what stopped it; SelectingConfigFailed for all else."""


def graph_name(request: Object, answer: Answer) -> str | None:
    """The name under which to look for the graph: the recorded one, else the planned one."""
    planned = answer.name if isinstance(answer, Planned) else None
    return World(request=request).recorded_name or planned


def actions(world: World, answer: Answer, now: str) -> list[Action]:
    """What to do, in order; each action may be repeated or lost without harm."""
    match answer:
        case Working(seconds=seconds):
            found = _while_working(world, seconds, now)
        case Refused():
            found = _report(world, _refusal(world, answer), now)
        case Planned() if not _auto_apply(world.request):
            standing = world.recorded_name if world.graph is not None else None
            found = _report(world, replace(status.ready(answer), graph=standing), now)
        case Planned():
            found = _deploy(world, answer, now)
    return list(found)


def _while_working(world: World, seconds: float, now: str) -> Iterator[Action]:
    if seconds < PATIENCE:
        yield LookAgain(after=PATIENCE - seconds)
        return
    waiting = status.profiling("SelectingConfig", "the estimator is working on it", graph=world.recorded_name)
    yield from _report(world, waiting, now)


def _refusal(world: World, answer: Refused) -> Verdict:
    if answer.why == "invalid":
        return status.invalid(answer.message, graph=world.recorded_name)
    reason = REASONS.get(answer.why, "SelectingConfigFailed")
    return status.refused(answer.message, reason=reason, feasible=answer.feasible, graph=world.recorded_name)


def _auto_apply(request: Object) -> bool:
    """The field's default is true in v1beta1 and false in v1alpha1."""
    default = not str(request.get("apiVersion")).endswith("/v1alpha1")
    return bool((request.get("spec") or {}).get("autoApply", default))


def _deploy(world: World, plan: Planned, now: str) -> Iterator[Action]:
    hindrance = _hindrance(world, plan)
    if hindrance:
        yield from _report(world, status.undeployed(plan, reason=hindrance[0], message=hindrance[1]), now)
    elif world.graph is None:
        yield from _create(world, plan, now)
    elif world.graph["metadata"].get("deletionTimestamp"):
        gone = f"graph {plan.name} is being deleted; it is created again when it is gone"
        yield from _report(world, status.deploying(plan, reason="DeploymentDeleted", message=gone), now)
    else:
        yield from _keep(world, world.graph, plan, now)


def _hindrance(world: World, plan: Planned) -> tuple[str, str] | None:
    """Why no graph can stand for the plan, as reason and message, or None."""
    graph, trouble = world.graph, world.trouble
    if graph is not None and not is_ours(graph, world.request):
        return "DeploymentRejected", taken(graph)
    if trouble and trouble.kind == "rejected" and trouble.graph == plan.graph:
        return "DeploymentRejected", trouble.message
    if graph is None and world.drift != "correct" and world.recorded_graph == plan.graph and _stood(world):
        return "DeploymentDeleted", f"graph {plan.name} was deleted, and {DRIFT} says {world.drift}"
    return None


def _stood(world: World) -> bool:
    """Whether the status says that the graph stood in the cluster, or that it was deleted from there."""
    deleted = world.condition(Type.DEPLOYMENT_READY).get("reason") == "DeploymentDeleted"
    return deleted or world.condition(Type.SYNCED).get("status") == "True"


def _create(world: World, plan: Planned, now: str) -> Iterator[Action]:
    again = _stood(world) and world.recorded_graph == plan.graph
    verdict = status.deploying(plan, reason="DeploymentInProgress", message=f"graph {plan.name} is being created")
    if world.denied:
        yield from _report(world, verdict.adding(status.unsynced("PermissionMissing", world.denied)), now)
        return
    yield from _report(world, verdict, now)
    yield ApplyGraph(graph=plan.graph, create=True)
    if again:
        yield Announce(type="Warning", reason="DeploymentDeleted", note=f"graph {plan.name} was deleted; created again")
    else:
        yield Announce(type="Normal", reason="DeploymentCreated", note=f"graph {plan.name}: {plan.summary}")


def _keep(world: World, graph: Object, plan: Planned, now: str) -> Iterator[Action]:
    """There is a graph of ours: let it say what the plan says, and say what it does."""
    verdict = replace(_mirrored(world, graph, plan), graph=graph["metadata"]["name"])
    wrong = [*world.lacking, *islice(covers.differences(graph, plan.graph), PATHS_SHOWN)]
    if not wrong:
        yield from _report(world, verdict.adding(status.synced(plan.name)), now)
        return
    left = _reason_to_leave(world, graph, plan, wrong)
    if left:
        yield from _report(world, verdict.adding(left), now)
    elif recall.same_plan(graph, plan):
        yield ApplyGraph(graph=plan.graph, create=False)
        yield Announce(type="Normal", reason="DriftCorrected", note=f"put back in {plan.name}: {', '.join(wrong)}")
    else:
        changing = f"graph {plan.name} is being changed to the new plan"
        yield from _report(world, status.deploying(plan, reason="DeploymentInProgress", message=changing), now)
        yield ApplyGraph(graph=plan.graph, create=False)


def _reason_to_leave(world: World, graph: Object, plan: Planned, wrong: list[str]) -> Condition | None:
    """Why the graph is left different from the plan, if so."""
    obstacle = graphs.obstacle(graph, plan.graph)
    if obstacle:
        held = (
            f"{graph['metadata']['name']} cannot be changed in place: {obstacle}; delete it to let the plan take over"
        )
        return status.unsynced("ReplanPending", held)
    if graphs.state(graph).rolling:
        return status.unsynced("ReplanPending", f"waits until the rolling update of {plan.name} has ended")
    if world.drift != "correct" and recall.same_plan(graph, plan):
        return status.unsynced("FieldConflict", f"changed by somebody else: {', '.join(wrong)}")
    if world.denied:
        return status.unsynced("PermissionMissing", world.denied)
    return None


def _mirrored(world: World, graph: Object, plan: Planned) -> Verdict:
    """What the Dynamo operator reports, in the request's words."""
    state, counts = graphs.state(graph), graphs.replicas(graph)
    said = f"graph {graph['metadata']['name']} is {state.word or 'created'}"
    if state.serving:
        return status.deployed(plan, f"{said} and serves", counts)
    served = world.condition(Type.DEPLOYMENT_READY)
    before = served.get("status") == "True" or served.get("reason") == "DeploymentDegraded"
    fell = state.word == "failed" or (before and state.current and not state.rolling)
    reason = "DeploymentDegraded" if fell else "DeploymentInProgress"
    because = f"{said} ({state.why})" if state.why else said
    return status.deploying(plan, reason=reason, message=because, replicas=counts)


def _report(world: World, verdict: Verdict, now: str) -> Iterator[Action]:
    """Write the status if it says anything new, then tell what happened."""
    generation = world.request["metadata"].get("generation", 0)
    desired = status.render(verdict, generation=generation, previous=world.status, now=now)
    if not status.same(world.status, desired):
        yield ApplyStatus(status=desired)
        yield from news.of(world, verdict)
