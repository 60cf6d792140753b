"""When the nodes or the release change under a plan: what is asked, when, how often, and who has to agree."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, cast

import pytest

from dgdr_operator.controller import recall, review
from dgdr_operator.controller.answers import Answer, Working
from dgdr_operator.controller.cache import Cache
from dgdr_operator.controller.outlook import Outlook, Sources
from dgdr_operator.planned import APPROVE, Planned
from tests.reconciling import worlds
from tests.reconciling.worlds import Model, graph

HOLD = 100.0


@dataclass
class Surroundings:
    """Everything that an outlook asks, with the answers in the open."""

    now: float = 0.0
    answer: Answer = field(default_factory=lambda: Working(seconds=0.0))
    asked: list[str] = field(default_factory=list)
    rung: list[tuple[tuple[str, str], float]] = field(default_factory=list)
    cache: Cache = field(default_factory=Cache)

    def outlook(self, release: str) -> Outlook:
        """An outlook upon it, under that release of ours."""
        sources = Sources(
            cache=self.cache,
            hands=cast("Any", Still()),
            estimation=cast("Any", Estimating(self)),
            queue=cast("Any", Ringing(self)),
            inventory=lambda _: None,
            clock=cast("Any", Ticking(self)),
            release=release,
            hold=HOLD,
        )
        return Outlook(sources)


@dataclass
class Still:
    """Hands that find everything in its place."""

    async def lacking(self, *_: object) -> tuple[str, ...]:
        """Nothing is."""
        return ()

    def unheeded(self, *_: object) -> frozenset[str]:
        """Nothing is."""
        return frozenset()

    async def look(self, *_: object) -> None:
        """No graph."""


@dataclass
class Estimating:
    """Gives the answer that was laid out, and counts."""

    around: Surroundings

    def answer(self, request: Mapping[str, Any], _: object) -> Answer:
        """The answer."""
        self.around.asked.append(request["metadata"]["name"])
        return self.around.answer


@dataclass
class Ringing:
    """Remembers who is to be looked at again, and when."""

    around: Surroundings

    def add(self, key: tuple[str, str]) -> None:
        """At once."""
        self.around.rung.append((key, 0.0))

    def add_after(self, key: tuple[str, str], seconds: float) -> None:
        """Later."""
        self.around.rung.append((key, seconds))


@dataclass
class Ticking:
    """A clock that stands where it was put."""

    around: Surroundings

    def seconds(self) -> float:
        """What it shows."""
        return self.around.now


def served(name: str = worlds.NAME, *, release: str = "1", **annotations: str) -> worlds.Object:
    """A request with a plan of *release*, and its graph."""
    model = Model(request=worlds.request(annotations=annotations))
    model.settle(plan(2, model.request, release))
    model.request["metadata"]["name"] = name
    return model.request


def plan(replicas: int, request: worlds.Object, release: str, rate: float = 100.0) -> Planned:
    """A plan for *request* made under *release*."""
    body = graph(replicas=replicas)
    body["metadata"]["annotations"]["dgdr-operator.io/throughput"] = str(rate)
    stamped = recall.stamped(body, recall.request_hash(request), recall.world_hash(None, release))
    return Planned(graph=stamped, summary=f"{replicas} replicas", fabric=(True, "NotRequired", ""))


@pytest.fixture
def around() -> Surroundings:
    """A cluster in which the request's graph stands."""
    found = Surroundings()
    found.cache.graphs.put(graph())
    return found


async def looks(outlook: Outlook, request: worlds.Object) -> tuple[str, str | None]:
    """The plan that is meant, and the one that waits, by their hashes."""
    world, answer = await outlook.at(request, None)
    return cast("Planned", answer).hash, world.pending.hash if world.pending else None


async def test_in_an_unchanged_world_nobody_asks(around: Surroundings) -> None:
    request = served()

    found = await looks(around.outlook("1"), request)

    assert found == (plan(2, request, "1").hash, None)
    assert around.asked == []


async def test_a_changed_world_has_to_last_before_anybody_asks(around: Surroundings) -> None:
    request, outlook = served(), around.outlook("2")
    around.answer = plan(4, request, "2")

    at_first = await looks(outlook, request)
    around.now = HOLD
    at_last = await looks(outlook, request)

    recorded = plan(2, request, "1").hash
    assert around.rung[0] == ((worlds.NAMESPACE, worlds.NAME), HOLD)
    assert (at_first, at_last) == ((recorded, None), (recorded, around.answer.hash))


async def test_the_same_plan_for_another_world_is_asked_for_once_and_is_no_news(around: Surroundings) -> None:
    request, outlook = served(), around.outlook("2")
    around.answer, around.now = plan(2, request, "2"), 1.0
    await looks(outlook, request)
    around.now = 1.0 + HOLD

    found = [await looks(outlook, request) for _ in range(3)]

    assert found == [(around.answer.hash, None)] * 3
    assert len(around.asked) == 1


async def test_requests_ask_one_after_the_other_so_that_new_ones_need_not_wait(around: Surroundings) -> None:
    requests, outlook = [served(name) for name in ("a", "b", "c")], around.outlook("2")
    for request in requests:
        await looks(outlook, request)
    around.now = HOLD

    for request in requests:
        await looks(outlook, request)
    around.answer = plan(4, requests[0], "2")
    await looks(outlook, requests[0])

    assert set(around.asked) == {"a"}
    assert around.rung[-1] == ((worlds.NAMESPACE, "b"), 0.0)


async def test_one_that_is_gone_does_not_hold_up_the_line(around: Surroundings) -> None:
    requests, outlook = [served(name) for name in ("a", "b")], around.outlook("2")
    await looks(outlook, requests[0])
    around.now = HOLD
    for request in requests:
        await looks(outlook, request)

    outlook.forget((worlds.NAMESPACE, "a"))

    assert around.rung[-1] == ((worlds.NAMESPACE, "b"), 0.0)


@pytest.mark.parametrize(
    ("annotations", "rate", "meant"),
    [
        ({}, 200.0, "recorded"),
        ({review.REPLAN: "never"}, 200.0, "recorded"),
        ({review.REPLAN: "auto"}, 200.0, "today"),
        ({review.REPLAN: "auto"}, 101.0, "recorded"),
        ({APPROVE: "today"}, 50.0, "today"),
    ],
    ids=["preview", "never", "auto, clearly faster", "auto, hardly faster", "approved"],
)
async def test_who_has_to_agree_to_a_plan_for_another_world(
    around: Surroundings, annotations: dict[str, str], rate: float, meant: str
) -> None:
    bare = worlds.request()
    today = plan(4, bare, "2", rate)
    request = served(**{name: today.hash if value == "today" else value for name, value in annotations.items()})
    outlook = around.outlook("2")
    around.answer = plan(4, request, "2", rate)
    await looks(outlook, request)
    around.now = HOLD

    found, waiting = await looks(outlook, request)

    recorded = plan(2, request, "1").hash
    never = annotations.get(review.REPLAN) == "never"
    assert found == (today.hash if meant == "today" else recorded)
    assert waiting == (None if never or meant == "today" else today.hash)


async def test_a_plan_of_a_time_before_worlds_were_written_down_is_kept(around: Surroundings) -> None:
    model = Model()
    model.settle(worlds.planned(graph(), model.request))
    around.now = 10 * HOLD

    await looks(around.outlook("2"), model.request)

    assert around.asked == []
