"""A plan that may be applied, and the graph as it stands: what to create, change, replace or leave. Pure."""

from collections.abc import Iterator
from dataclasses import replace

from dgdr_operator import status
from dgdr_operator.controller import covers, differ, graphs, handover, recall, review, telling, trial
from dgdr_operator.controller.world import (
    DRIFT,
    Action,
    Announce,
    ApplyGraph,
    DeleteGraph,
    LookAgain,
    Measure,
    Object,
    World,
    is_ours,
    taken,
)
from dgdr_operator.planned import ROLLBACK, Planned
from dgdr_operator.status import Condition, Type, Verdict

PATHS_SHOWN = 10
GAP_PAUSE = 15.0
"""Seconds until it is looked again whether what was missing is there."""
ROUTINE = frozenset({"", "pods_not_ready", "updating", "mixed_not_ready_reasons", "some_resources_are_not_ready"})
"""Why a graph does not serve while it starts as every graph does: not worth a write at every step."""


def deploy(world: World, plan: Planned, now: str) -> Iterator[Action]:
    """What *plan* needs; the graph is made, kept as planned, or replaced as the user wants."""
    hindrance = _hindrance(world, plan)
    if hindrance:
        verdict = status.undeployed(plan, reason=hindrance[0], message=hindrance[1])
        yield from telling.report(world, verdict, now, plan)
    elif world.graph is None and (gap := next((one for one in world.gaps if one.blocks), None)):
        verdict = status.undeployed(plan, reason="DeploymentRejected", message=gap.condition.message)
        yield from telling.report(world, verdict.adding(gap.condition), now, plan)
        yield LookAgain(after=GAP_PAUSE)
    elif world.graph is None:
        yield from _create(world, plan, now)
    elif world.graph["metadata"].get("deletionTimestamp"):
        gone = f"graph {world.graph['metadata']['name']} is being deleted; {plan.name} is created when it is gone"
        yield from telling.report(world, status.deploying(plan, reason="DeploymentDeleted", message=gone), now, plan)
    else:
        obstacle = graphs.obstacle(world.graph, plan.graph)
        step = _replace(world, world.graph, plan, obstacle, now) if obstacle else _keep(world, world.graph, plan, now)
        yield from step


def standing_still(world: World, plan: Planned, because: Condition, now: str) -> Iterator[Action]:
    """Nothing is done, *because*; what the graph of the recorded *plan* reports is told all the same."""
    name = world.known_name or plan.name
    reason = "DeploymentDeleted" if _stood(world) else "DeploymentInProgress"
    gone = status.deploying(plan, reason=reason, message=f"graph {name} is not there")
    verdict = _mirrored(world, world.graph, plan) if world.graph else replace(gone, graph=name)
    yield from telling.report(world, verdict.adding(because), now, plan)


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
    ready = world.condition(Type.DEPLOYMENT_READY)
    known = ready.get("status") == "True" or ready.get("reason") in ("DeploymentDeleted", "DeploymentDegraded")
    return known or world.condition(Type.SYNCED).get("status") == "True"


def _create(world: World, plan: Planned, now: str) -> Iterator[Action]:
    again = _stood(world) and world.recorded_graph == plan.graph
    verdict = status.deploying(plan, reason="DeploymentInProgress", message=f"graph {plan.name} is being created")
    for gap in world.gaps:
        verdict = verdict.adding(gap.condition)
    if world.old:
        verdict = verdict.adding(_taking_over(plan, world.old))
    if world.denied:
        verdict = verdict.adding(status.unsynced("PermissionMissing", world.denied))
        yield from telling.report(world, verdict, now, plan)
        return
    # people wait for their graph, and not for its report, which comes before the next status
    yield from telling.report(world, verdict, now, plan if world.old else None)
    yield ApplyGraph(graph=plan.graph, create=True)
    if again:
        yield Announce(type="Warning", reason="DeploymentDeleted", note=f"graph {plan.name} was deleted; created again")
    else:
        yield Announce(type="Normal", reason="DeploymentCreated", note=f"graph {plan.name}: {plan.summary}")


def _keep(world: World, graph: Object, plan: Planned, now: str) -> Iterator[Action]:
    """There is a graph of ours that can say what the plan says: let it, and say what it does."""
    verdict = _mirrored(world, graph, plan)
    differing = (path for path in covers.differences(graph, plan.graph) if path not in world.unheeded)
    wrong = [*world.lacking, *_ownership(world.request, graph), *differing][:PATHS_SHOWN]
    if not wrong:
        yield from _at_rest(world, graph, plan, now)
        return
    left = _reason_to_leave(world, graph, plan, wrong)
    if left:
        yield from telling.report(world, verdict.adding(left), now, plan)
    elif recall.same_plan(graph, plan):
        if world.recorded_graph != plan.graph:
            yield from telling.report(world, verdict, now, plan)
        yield ApplyGraph(graph=plan.graph, create=False)
        yield Announce(type="Normal", reason="DriftCorrected", note=f"put back in {plan.name}: {', '.join(wrong)}")
    else:
        changing = f"graph {plan.name} is being changed to the new plan"
        verdict = status.deploying(plan, reason="DeploymentInProgress", message=changing)
        yield from telling.report(world, verdict, now, plan)
        yield ApplyGraph(graph=plan.graph, create=False)
        yield _changed(world, plan, f"{plan.name}: {differ.sentence(differ.changes(graph, plan.graph))}")


def _changed(world: World, plan: Planned, note: str) -> Announce:
    back = review.said(world.request, ROLLBACK) == plan.hash != ""
    return Announce(type="Normal", reason="RolledBack" if back else "PlanChanged", note=note)


def _at_rest(world: World, graph: Object, plan: Planned, now: str) -> Iterator[Action]:
    """The graph is as planned: say so, see off the one it replaces, or show the plan that would be made today."""
    verdict = _mirrored(world, graph, plan)
    if world.old is None:
        why = "the nodes or the release changed, and another plan would be made now"
        waiting = telling.waiting(world.pending, graph, why) if world.pending else status.synced(plan.name)
        yield from telling.report(world, verdict.adding(waiting), now, plan)
        if graphs.state(graph).serving and (job := trial.wanted(world, plan)):
            yield Measure(job=job)
        return
    leaving = graphs.state(graph).serving and not world.old["metadata"].get("deletionTimestamp")
    said = status.unsynced("PermissionMissing", world.denied) if world.denied else _taking_over(plan, world.old)
    yield from telling.report(world, verdict.adding(said), now, plan)
    if leaving and not world.denied:
        yield DeleteGraph(graph=world.old, because=f"{plan.name} serves in its place")


def _taking_over(plan: Planned, old: Object) -> Condition:
    return status.unsynced("ReplanPending", f"graph {plan.name} takes over from {old['metadata']['name']}")


def _reason_to_leave(world: World, graph: Object, plan: Planned, wrong: list[str]) -> Condition | None:
    """Why the graph is left different from the plan, if so."""
    if graphs.state(graph).rolling:
        return status.unsynced("ReplanPending", f"waits until the rolling update of {plan.name} has ended")
    if world.drift != "correct" and recall.same_plan(graph, plan):
        return status.unsynced("FieldConflict", f"changed by somebody else: {', '.join(wrong)}")
    if world.denied:
        return status.unsynced("PermissionMissing", world.denied)
    return None


def _replace(world: World, graph: Object, plan: Planned, obstacle: str, now: str) -> Iterator[Action]:
    """The graph cannot be changed into the plan: hold, make the new one beside it, or instead of it."""
    strategy, name = review.strategy(world.request), graph["metadata"]["name"]
    mirrored = _mirrored(world, graph, plan)
    if world.denied:
        yield from telling.report(world, mirrored.adding(status.unsynced("PermissionMissing", world.denied)), now, plan)
    elif strategy == "recreate":
        gone = status.unsynced("ReplanPending", f"{name} makes room for the new plan: {obstacle}")
        yield from telling.report(world, mirrored.adding(gone), now, plan)
        yield DeleteGraph(graph=graph, because=f"{review.STRATEGY} says recreate")
    elif strategy == "blue-green" and world.old is None and (_lacking_room(world, plan) == 0):
        new = handover.successor(plan, graph)
        yield from _create(replace(world, graph=None, old=graph), new, now)
    elif strategy == "blue-green" and world.old is not None:
        yield from _start_over(world, graph, plan, now)
    else:
        held = status.unsynced("ReplanPending", _held(world, plan, name, obstacle))
        yield from telling.report(world, mirrored.adding(held), now, plan)


def _start_over(world: World, graph: Object, plan: Planned, now: str) -> Iterator[Action]:
    """A third plan while two graphs stand: the one that serves stays, the other one goes first."""
    old = world.old or graph
    leaving = old if graphs.state(graph).serving else graph
    held = status.unsynced("ReplanPending", f"{leaving['metadata']['name']} goes before the new plan is applied")
    yield from telling.report(world, _mirrored(world, graph, plan).adding(held), now, plan)
    if not leaving["metadata"].get("deletionTimestamp"):
        yield DeleteGraph(graph=leaving, because="a newer plan is waiting")


def _held(world: World, plan: Planned, name: str, obstacle: str) -> str:
    short = _lacking_room(world, plan)
    if review.strategy(world.request) == "blue-green" and short:
        return f"{name} cannot be changed in place: {obstacle}; {short} more free GPUs are needed to make both stand"
    asked = f"delete it, or set {review.STRATEGY} to blue-green or recreate, to let the plan take over"
    return f"{name} cannot be changed in place: {obstacle}; {asked}"


def _lacking_room(world: World, plan: Planned) -> int:
    """GPUs that are missing for a second graph; 0 where nobody knows."""
    return 0 if world.room is None else max(0, handover.gpus(plan.graph) - world.room)


def _ownership(request: Object, graph: Object) -> Iterator[str]:
    """The owner reference that is missing, or one too many: whether the graph goes when the request does."""
    references = graph["metadata"].get("ownerReferences") or ()
    owned = any(one.get("uid") == request["metadata"].get("uid") for one in references)
    if owned != review.goes_along(request):
        yield "metadata.ownerReferences"


def _mirrored(world: World, graph: Object, plan: Planned) -> Verdict:
    """What the Dynamo operator reports, in the request's words."""
    state, counts = graphs.state(graph), graphs.replicas(graph)
    name = graph["metadata"]["name"]
    if state.serving:
        return replace(status.deployed(plan, f"graph {name} is successful and serves", counts), graph=name)
    served = world.condition(Type.DEPLOYMENT_READY)
    before = served.get("status") == "True" or served.get("reason") == "DeploymentDegraded"
    fell = state.word == "failed" or (before and state.current and not state.rolling)
    reason = "DeploymentDegraded" if fell else "DeploymentInProgress"
    because = f"graph {name} {'has failed' if state.word == 'failed' else 'does not serve yet'}"
    if fell or state.reason not in ROUTINE:
        because += f" ({state.why})" if state.why else ""
    verdict = replace(status.deploying(plan, reason=reason, message=because, replicas=counts), graph=name)
    for gap in world.gaps:
        verdict = verdict if gap.blocks else verdict.adding(gap.condition)
    return verdict
