"""The estimator's processes: a killed one is replaced, a hanging one is ended, and no question is asked twice."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from pathlib import Path

import pytest

from dgdr_operator.controller import estimation as estimation_module
from dgdr_operator.controller.answers import Refused, Working
from dgdr_operator.controller.clock import Clock
from dgdr_operator.controller.estimation import Estimation, Job, Slot
from dgdr_operator.controller.recall import REQUEST_HASH, request_hash
from dgdr_operator.controller.workqueue import Key
from dgdr_operator.planned import Planned
from dgdr_operator.settings import Settings
from tests.reconciling import errands, worlds

KEY: Key = (worlds.NAMESPACE, worlds.NAME)


def asking(model: str, name: str = worlds.NAME) -> worlds.Object:
    """A request whose model tells the child what to do."""
    body = worlds.request()
    body["spec"]["model"] = model
    body["metadata"]["name"] = name
    return body


def job(model: str) -> Job:
    """One question."""
    return Job(question=(KEY, model, ""), body=asking(model), nodes=None, settings=Settings())


@asynccontextmanager
async def working(slot: Slot | None = None) -> AsyncIterator[tuple[Estimation, asyncio.Queue[Key]]]:
    """An estimation at work with one slot, and the keys it rings."""
    rung: asyncio.Queue[Key] = asyncio.Queue()
    estimation = Estimation([slot or Slot(60.0, errands.plans)], Settings(), rung.put_nowait, Clock())
    work = asyncio.create_task(estimation.work())
    try:
        yield estimation, rung
    finally:
        work.cancel()
        await asyncio.gather(work, return_exceptions=True)
        estimation.close()


async def test_a_question_rings_when_it_is_answered_and_is_never_asked_again() -> None:
    async with working() as (estimation, rung):
        first = estimation.answer(asking("a"), None)
        again = estimation.answer(asking("a"), None)
        key = await rung.get()
        answers = [estimation.answer(asking("a"), None) for _ in range(3)]

    assert isinstance(first, Working)
    assert isinstance(again, Working)
    assert key == KEY
    assert rung.empty()
    assert len({id(answer) for answer in answers}) == 1


async def test_a_plan_is_stamped_with_the_request_it_was_made_for() -> None:
    async with working() as (estimation, rung):
        estimation.answer(asking("a"), None)
        await rung.get()
        answer = estimation.answer(asking("a"), None)

    assert isinstance(answer, Planned)
    assert answer.graph["metadata"]["annotations"][REQUEST_HASH] == request_hash(asking("a"))


async def test_a_killed_process_is_replaced_and_the_question_asked_again(tmp_path: Path) -> None:
    slot = Slot(60.0, errands.plans)
    try:
        (answer,) = await slot.answer([job(f"crash once, mark {tmp_path / 'mark'}")])
    finally:
        slot.close()

    assert isinstance(answer, Planned)


async def test_a_question_that_kills_twice_is_refused_and_the_next_one_answered() -> None:
    slot = Slot(60.0, errands.plans)
    try:
        (poison,), (other,) = await slot.answer([job("crash")]), await slot.answer([job("a")])
    finally:
        slot.close()

    assert isinstance(poison, Refused)
    assert poison.why == "crashed"
    assert isinstance(other, Planned)


async def test_a_question_that_meets_a_fault_is_refused_and_the_next_one_answered(
    caplog: pytest.LogCaptureFixture,
) -> None:
    slot = Slot(60.0, errands.plans)
    try:
        (refused,), (answered,) = await slot.answer([job("fault")]), await slot.answer([job("a")])
    finally:
        slot.close()

    assert isinstance(refused, Refused)
    assert refused.why == "crashed"
    assert "ZeroDivisionError" in refused.message
    assert isinstance(answered, Planned)
    assert "a fault in the estimator" in caplog.text


async def test_a_hanging_process_is_ended_and_the_next_question_answered() -> None:
    slot = Slot(0.2, errands.plans)
    try:
        (hanging,) = await slot.answer([job("hang")])
        slot.limit = 60.0
        (other,) = await slot.answer([job("a")])
    finally:
        slot.close()

    assert isinstance(hanging, Refused)
    assert hanging.why == "timed-out"
    assert isinstance(other, Planned)


async def test_a_question_nobody_waits_for_is_not_computed() -> None:
    async with working() as (estimation, rung):
        estimation.answer(asking("hang"), None)
        estimation.answer(asking("a"), None)
        key = await rung.get()
        answer = estimation.answer(asking("a"), None)

    assert key == KEY
    assert isinstance(answer, Planned)


async def test_a_process_may_be_ended_before_it_has_started() -> None:
    hasty, patient = Slot(60.0, errands.plans), Slot(60.0, errands.plans)

    hasty.close()
    (answer,) = await patient.answer([job("a")])
    patient.close()

    assert isinstance(answer, Planned)


@pytest.mark.parametrize("together", [1, 2, 256])
async def test_equal_questions_are_answered_in_one_go_and_every_one_rings_once(
    together: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(estimation_module, "TOGETHER", together)
    went: list[int] = []

    class Counting(Slot):
        async def answer(self, jobs: Sequence[Job]) -> Sequence[Planned | Refused]:
            went.append(len(jobs))
            return await super().answer(jobs)

    names = [f"r{number}" for number in range(5)]
    async with working(slot=Counting(60.0, errands.plans)) as (estimation, rung):
        for name in names:
            estimation.answer(asking("a", name), None)
        rings = [await rung.get() for _ in names]
        answers = [estimation.answer(asking("a", name), None) for name in names]

    assert sorted(rings) == [(worlds.NAMESPACE, name) for name in names]
    assert rung.empty()
    assert all(isinstance(answer, Planned) for answer in answers)
    assert (sum(went), max(went)) == (5, min(together, 5))


async def test_a_fault_that_the_name_of_one_request_meets_is_its_own() -> None:
    names = [f"r{number}" for number in range(3)]
    async with working() as (estimation, rung):
        for name in names:
            estimation.answer(asking("fault in r1", name), None)
        for _ in names:
            await rung.get()
        answers = [estimation.answer(asking("fault in r1", name), None) for name in names]

    assert [isinstance(answer, Planned) for answer in answers] == [True, False, True]


async def test_a_recorded_plan_finds_the_pages_about_its_search_while_they_are_the_newest_of_its_request() -> None:
    async with working() as (estimation, rung):
        estimation.answer(asking("a"), None)
        await rung.get()
        answer = estimation.answer(asking("a"), None)
        assert isinstance(answer, Planned)
        recorded = Planned(graph=answer.graph, summary=answer.summary, fabric=answer.fabric)
        found = estimation.pages(asking("a"), recorded)
        of_another = estimation.pages(asking("a", name="other"), recorded)
        estimation.answer(asking("b"), None)
        outdated = estimation.pages(asking("a"), recorded)

    assert found.report == answer.report != b""
    assert (of_another.report, outdated.report) == (b"", b"")


async def test_only_the_newest_answers_keep_the_pages_about_their_search(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(estimation_module, "REPORTS_KEPT", 2)
    kept = []
    async with working() as (estimation, rung):
        for model in ("a", "b", "c"):
            estimation.answer(asking(model), None)
            await rung.get()
        for model in ("a", "b", "c"):
            answer = estimation.answer(asking(model), None)
            assert isinstance(answer, Planned)
            kept.append(answer.report)

    assert kept == [b"", b"on b", b"on c"]
