"""The status and the report that say what is the case, and the Events about what is new in them. Pure."""

from collections.abc import Iterator
from dataclasses import replace

from dgdr_operator import status
from dgdr_operator.controller import differ, news
from dgdr_operator.controller.world import Action, Announce, ApplyRecord, ApplyStatus, Object, World
from dgdr_operator.planned import APPROVE, Planned
from dgdr_operator.status import Condition, Type, Verdict


def report(world: World, verdict: Verdict, now: str, plan: Planned | None = None) -> Iterator[Action]:
    """Write the status if it says anything new, then tell what happened; before it the report, if that lacks *plan*.

    The report comes first: a crash between the two leaves one that is written once more.
    """
    generation = world.request["metadata"].get("generation", 0)
    desired = status.render(verdict, generation=generation, previous=world.status, now=now)
    if status.same(world.status, desired):
        return
    if plan is not None and _news(world, plan):
        yield ApplyRecord(plan=plan, pending=world.pending)
    yield ApplyStatus(status=desired)
    yield from news.of(world, verdict)


def held(world: World, reason: str, message: str, now: str) -> Iterator[Action]:
    """Say in Synced why nothing is done, and leave all else in the status as it is."""
    condition = status.unsynced(reason, message)
    if not world.status.get("conditions"):
        unbegun = replace(status.waiting(message), graph=world.known_name)
        yield from report(world, unbegun.adding(condition), now)
        return
    desired = status.amended(world.status, condition, now=now)
    if not status.same(world.status, desired):
        yield ApplyStatus(status=desired)
        if world.condition(Type.SYNCED).get("reason") != reason:
            yield Announce(type="Normal" if reason == "Paused" else "Warning", reason=reason, note=message)


def waiting(plan: Planned, live: Object, why: str) -> Condition:
    """*plan* is not applied to the graph *live*: what it would change, and how to approve it."""
    found = differ.sentence(differ.changes(live, plan.graph))
    return status.unsynced("ReplanPending", f"{why}: {found}; approve it with {APPROVE}={plan.hash}")


def _news(world: World, plan: Planned) -> bool:
    """Whether the report does not yet have the plan, or not the one that waits."""
    if world.recorded_graph != plan.graph or world.unreported:
        return True
    return world.pending is not None and world.pending.hash not in str(world.condition(Type.SYNCED).get("message", ""))
