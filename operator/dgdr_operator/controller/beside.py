"""Requests that are not ours to reconcile: answered for the platform's own controller, frozen, or left alone."""

import logging

from dgdr_operator.controller import answering, errors, modes, telling
from dgdr_operator.controller.acting import Actor
from dgdr_operator.controller.answers import Answer, Working
from dgdr_operator.controller.apply import Hands
from dgdr_operator.controller.cache import Name, name_of
from dgdr_operator.controller.outlook import Sources
from dgdr_operator.controller.world import Announce, ApplyRecord, LookAgain, Object, World
from dgdr_operator.planned import Planned

log = logging.getLogger(__name__)

PATIENCE = 2.0
"""Seconds until a Job that is announced is looked for again."""


class Beside:
    """Does for a request what the platform's own controller leaves to us."""

    def __init__(self, sources: Sources, actor: Actor) -> None:
        self._sources = sources
        self._hands: Hands = sources.hands
        self._actor = actor
        self._told: dict[Name, str] = {}

    def forget(self, key: Name) -> None:
        """The request is gone."""
        self._told.pop(key, None)

    async def act(self, request: Object, role: modes.Role) -> None:
        """What *role* asks for; nothing that was done is done again."""
        key, world = name_of(request), World(request=request)
        if role.kind == "planner":
            await self._answer(key, world)
        elif role.kind == "frozen":
            for action in telling.held(world, "ForeignController", role.why, self._sources.clock.timestamp()):
                await self._actor.perform(key, world, action)
        elif role.why and self._told.get(key) != role.why:
            self._told[key] = role.why
            await self._actor.perform(key, world, Announce(type="Warning", reason="ForeignController", note=role.why))

    async def _answer(self, key: Name, world: World) -> None:
        """Hands the plan over when the platform's controller waits for it, and not a moment before."""
        request = world.request
        job = answering.job_name(request)
        if job is None:
            return
        if not await self._hands.expects(request, job):
            await self._actor.perform(key, world, LookAgain(after=PATIENCE))
            return
        if await self._hands.has_answered(request):
            return
        answer: Answer = self._sources.estimation.answer(request, self._sources.inventory(request))
        if isinstance(answer, Working):
            return
        if isinstance(answer, Planned):
            await self._actor.perform(key, world, ApplyRecord(plan=answer))
        try:
            await self._hands.hand_over(answering.output(request, answer))
        except errors.Rejected as error:
            log.warning("no answer: %s", error, extra={"key": "/".join(key)})
            return
        log.info("answered the platform's controller", extra={"key": "/".join(key)})
