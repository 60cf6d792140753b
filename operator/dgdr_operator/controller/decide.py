"""Request, graph, answer and time in; the actions to take out.

Pure, and idempotent: when the actions are taken, no more follow. The status is read back only for decisions that are
recorded there: the graph's name and the plan, both written before the graph.
"""

from collections.abc import Iterator
from dataclasses import replace

from dgdr_operator import status
from dgdr_operator.controller import deploying, differ, handover, recall, review, telling
from dgdr_operator.controller.answers import Answer, Refused, Working
from dgdr_operator.controller.world import Action, LookAgain, Object, World, is_ours
from dgdr_operator.planned import PAUSE, Planned
from dgdr_operator.status import Verdict

PATIENCE = 1.0
"""Seconds that an answer may take before the status says that one is being worked on."""
PATIENCE_OF_MANY = 0.02
"""What each further one in line adds: to say so takes as long as to say the plan, and everybody waits for it."""
REASONS = {"crashed": "EstimatorCrashed", "timed-out": "EstimatorTimedOut"}
"""Reason of Profiling by what stopped it; SelectingConfigFailed for all else."""


def graph_name(request: Object, answer: Answer) -> str | None:
    """The name under which to look for the graph: the recorded one, else the planned one."""
    planned = answer.name if isinstance(answer, Planned) else None
    return World(request=request).recorded_name or planned


def actions(world: World, answer: Answer, now: str) -> list[Action]:
    """What to do, in order; each action may be repeated or lost without harm."""
    if review.paused(world.request):
        return list(_still(world, "Paused", f"nothing is done while {PAUSE} is true", now))
    if world.held:
        return list(_still(world, *world.held, now))
    match answer:
        case Working():
            found = _while_working(world, answer, now)
        case Refused():
            found = telling.report(world, _refusal(world, answer), now)
        case Planned():
            found = _planned(world, handover.settled(answer, world.graph or world.recorded_graph, world.old), now)
    return list(found)


def _still(world: World, reason: str, message: str, now: str) -> Iterator[Action]:
    """Do nothing and say why; a graph that stands, or should, is still looked at, so that the status does not lie."""
    plan, phase = recall.remembered(world.request), world.status.get("phase")
    if plan is None or phase not in (status.Phase.DEPLOYING, status.Phase.DEPLOYED):
        yield from telling.held(world, reason, message, now)
    else:
        yield from deploying.standing_still(world, plan, status.unsynced(reason, message), now)


def _planned(world: World, plan: Planned, now: str) -> Iterator[Action]:
    if review.auto_apply(world.request) or review.approved(world.request, plan):
        yield from deploying.deploy(world, plan, now)
    else:
        yield from telling.report(world, _preview(world, plan), now, plan)
        if world.gaps:
            yield LookAgain(after=deploying.GAP_PAUSE)


def _preview(world: World, plan: Planned) -> Verdict:
    """The plan as it is shown before it is applied, beside what runs meanwhile."""
    shown = status.ready(plan)
    if world.graph is None:
        for gap in world.gaps:
            shown = shown.adding(gap.condition)
        return shown
    shown = replace(shown, graph=world.known_name)
    differs = is_ours(world.graph, world.request) and differ.changes(world.graph, plan.graph)
    return shown.adding(telling.waiting(plan, world.graph, "not applied yet")) if differs else shown


def _while_working(world: World, answer: Working, now: str) -> Iterator[Action]:
    left = PATIENCE + PATIENCE_OF_MANY * (answer.line - 1) - answer.seconds
    if left > 0:
        yield LookAgain(after=left)
        return
    if _already_failed(world):
        return
    waiting = status.profiling("SelectingConfig", "the estimator is working on it", graph=world.known_name)
    yield from telling.report(world, waiting, now)


def _already_failed(world: World) -> bool:
    """Whether the status says no to this very spec: it stands until there is another answer, also after a restart."""
    generation = world.request["metadata"].get("generation")
    return world.status.get("phase") == status.Phase.FAILED and world.status.get("observedGeneration") == generation


def _refusal(world: World, answer: Refused) -> Verdict:
    if answer.why == "invalid":
        return status.invalid(answer.message, graph=world.known_name)
    reason = REASONS.get(answer.why, "SelectingConfigFailed")
    return status.refused(answer.message, reason=reason, feasible=answer.feasible, graph=world.known_name)
