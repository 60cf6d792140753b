"""What one reconcile looks at: which plan is meant, which graphs stand, and what the world says to them now."""

from collections import deque
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, replace

from dgdr_operator.controller import decide, handover, recall, record, review
from dgdr_operator.controller.answers import Answer, Working
from dgdr_operator.controller.apply import Hands
from dgdr_operator.controller.cache import Cache, Name, name_of
from dgdr_operator.controller.clock import Clock
from dgdr_operator.controller.estimation import Estimation
from dgdr_operator.controller.safety import Gap
from dgdr_operator.controller.workqueue import Workqueue
from dgdr_operator.controller.world import Object, Trouble, World, at
from dgdr_operator.inventory import Inventory
from dgdr_operator.planned import ROLLBACK, Planned
from dgdr_operator.status import Phase


@dataclass(frozen=True, slots=True, kw_only=True)
class Sources:
    """Where an outlook looks. inventory: as a request sees it; fresh: has free GPUs counted anew where that is due;
    gaps: what a graph would miss in a namespace;
    release: our version and settings; hold: seconds a changed world has to last.
    """

    cache: Cache
    hands: Hands
    estimation: Estimation
    queue: Workqueue
    inventory: Callable[[Object], Inventory | None]
    clock: Clock
    fresh: Callable[[], Awaitable[None]] | None = None
    gaps: Callable[[Object, str], Awaitable[tuple[Gap, ...]]] | None = None
    release: str = ""
    hold: float = 120.0


@dataclass(frozen=True, slots=True)
class _Judged:
    """The plan that would be made today, None if it is the recorded one; and the question that it answers."""

    question: tuple[str, str]
    plan: Planned | None


class Outlook:
    """Keeps in mind what is dear to find out: the plans of today for requests that have one of yesterday."""

    def __init__(self, sources: Sources) -> None:
        self._sources = sources
        self._judged: dict[Name, _Judged] = {}
        self._moved: dict[Name, float] = {}
        self._asking: Name | None = None
        self._line: deque[Name] = deque()
        self._seen: tuple[str, float] = ("", 0.0)

    async def at(self, request: Object, trouble: Trouble | None) -> tuple[World, Answer]:
        """The world around *request*, and the answer to it."""
        pin = review.said(request, ROLLBACK)
        held, pending = None, None
        if pin:
            answer, held = await self._pinned(request, pin)
        else:
            if self._sources.fresh and recall.recorded(request) is None:
                await self._sources.fresh()
            answer, pending = self._answer(request)
        graph, old = await self._graphs(request, answer)
        settled = handover.settled(answer, graph or {}, old) if isinstance(answer, Planned) else None
        lacking = await self._sources.hands.lacking(settled.graph, graph) if graph and settled else ()
        room = self._room(request)
        world = World(request=request, graph=graph, trouble=trouble, lacking=lacking, old=old, held=held, room=room)
        begun = (request.get("status") or {}).get("phase") != Phase.DEPLOYED
        if isinstance(answer, Planned) and self._sources.gaps and (graph is None or begun):
            namespace = str(request["metadata"]["namespace"])
            world = replace(world, gaps=await self._sources.gaps(answer.graph, namespace))
        world = replace(world, unheeded=self._sources.hands.unheeded(graph))
        if pending and graph:
            world = replace(world, pending=handover.settled(pending, graph, old))
        return world, answer

    def _room(self, request: Object) -> int | None:
        """Free GPUs beside those that the request's own graph holds."""
        nodes = self._sources.inventory({"metadata": request["metadata"]})
        named = at(request, "spec", "hardware", "gpuSku")
        return nodes.room(str(named) if named else None) if nodes and nodes.counted and nodes.groups else None

    def forget(self, key: Name) -> None:
        """The request is gone."""
        self._judged.pop(key, None)
        self._moved.pop(key, None)
        self._next(key)

    async def _pinned(self, request: Object, pin: str) -> tuple[Answer, tuple[str, str] | None]:
        """The plan that the user went back to, or why it cannot be told."""
        known = recall.remembered(request)
        if known and known.hash == pin:
            return known, None
        live = await self._sources.hands.read_record(request)
        found = record.find(live, pin)
        if found:
            return recall.at_home(found, request), None
        there = ", ".join(str(one.get("plan")) for one in record.history(live)) or "none"
        message = f"{ROLLBACK} names the plan {pin}, and the history has {there}"
        return known or Working(seconds=0.0), ("RollbackUnknown", message)

    def _answer(self, request: Object) -> tuple[Answer, Planned | None]:
        """The plan for *request*, and the one that would be made today, where that waits for the user's word."""
        recorded, key = recall.recorded(request), name_of(request)
        if recorded is None:
            self._judged.pop(key, None)
            return self._sources.estimation.answer(request, self._sources.inventory(request)), None
        if World(request=request).unreported:
            recorded = self._sources.estimation.pages(request, recorded)
        today = self._today(request, recorded)
        if today is None:
            return recorded, None
        now = self._sources.clock.seconds()
        shown = not World(request=request).recorded_name and not review.auto_apply(request)
        if shown or review.approved(request, today):
            return today, None
        unasked = review.policy(request) == "auto" and review.auto_apply(request)
        if unasked and review.worth_it(recorded, today, self._moved.get(key), now):
            self._moved[key] = now
            return today, None
        return recorded, today

    def _today(self, request: Object, recorded: Planned) -> Planned | None:
        """The plan that would be made in the world of today, if that changed for good and the plan is another one."""
        key, world = name_of(request), recall.world_hash(self._sources.inventory(request), self._sources.release)
        made_for = recall.made_for(recorded.graph)
        if made_for in ("", world) or review.policy(request) == "never":
            self._next(key)
            return None
        question = (world, recall.request_hash(request))
        known = self._judged.get(key)
        if known is None or known.question != question:
            known = self._judge(request, recorded, question)
        return known.plan if known else None

    def _judge(self, request: Object, recorded: Planned, question: tuple[str, str]) -> _Judged | None:
        """Asks, when the world has lasted and nobody else is asking: requests without a plan come first."""
        key, now = name_of(request), self._sources.clock.seconds()
        if self._seen[0] != question[0]:
            self._seen = (question[0], now)
        if not review.steady(self._seen[1], now, self._sources.hold):
            self._sources.queue.add_after(key, self._seen[1] + self._sources.hold - now)
            return None
        if self._asking not in (None, key):
            if key not in self._line:
                self._line.append(key)
            return None
        self._asking = key
        answer = self._sources.estimation.answer(request, self._sources.inventory(request))
        if isinstance(answer, Working):
            return None
        self._next(key)
        other = isinstance(answer, Planned) and answer.hash != recorded.hash
        self._judged[key] = _Judged(question, answer if isinstance(answer, Planned) and other else None)
        return self._judged[key]

    def _next(self, key: Name) -> None:
        """*key* has its answer, or needs none: the next one in line may ask."""
        if self._asking == key:
            self._asking = None
            if self._line:
                self._sources.queue.add(self._line.popleft())

    async def _graphs(self, request: Object, answer: Answer) -> tuple[Object | None, Object | None]:
        """The request's graph, and the one that it takes over from while that stands.

        That a recorded graph is gone is believed only after a look at the cluster itself.
        """
        world, cache = World(request=request), self._sources.cache
        name, namespace = decide.graph_name(request, answer), request["metadata"]["namespace"]
        named: Object | None = cache.graphs.get((namespace, name)) if name else None
        if named is None and name and world.recorded_name == name:
            named = await self._sources.hands.look(namespace, name)
        return handover.pair(world, named, cache.graphs_of(name_of(request)))
