"""Random requests, from the API server through reading, planning and reconciling: no fault, no stuck key, none lost."""

from __future__ import annotations

import asyncio
import logging
import time
from collections import Counter
from typing import Any

import pytest

from dgdr_operator.controller import slot
from dgdr_operator.controller.answers import Answer, Refused
from dgdr_operator.controller.life import Life
from dgdr_operator.controller.metrics import REGISTRY
from dgdr_operator.settings import Settings
from e2e.saying import Say
from tests.cluster.fuzzing import Dice, outcome
from tests.cluster.user import NAMESPACE, REQUESTS
from tests.fakes.server import ApiServer

AT_ONCE = 100
TOLD = 1000
"""Requests after which a long run says how far it is."""


@pytest.mark.chaos
@pytest.mark.parametrize("count", [100, pytest.param(100_000, marks=pytest.mark.scale)])
@pytest.mark.usefixtures("controller")
async def test_random_requests_all_come_to_an_end(
    server: ApiServer,
    controller: Life,
    count: int,
    caplog: pytest.LogCaptureFixture,
    say: Say,
) -> None:
    forgotten: list[
        dict[str, Any]
    ] = []  # in this event loop: others may tell at any time what earlier tests left undone
    asyncio.get_running_loop().set_exception_handler(lambda _, context: forgotten.append(context))
    caplog.set_level(logging.WARNING)
    dice, ends, began = Dice(7), Counter[str](), time.monotonic()
    for first in range(0, count, AT_ONCE):
        names = [f"r{number}" for number in range(first, min(first + AT_ONCE, count))]
        for name in names:
            await server.put(REQUESTS, dice.request(name, NAMESPACE))
        await _until_all_ended(server, names)
        ends.update(_phase(server, name) for name in names)
        _clear(server)
        faults = [record for record in caplog.records if record.exc_info and record.name.startswith("dgdr_operator")]
        assert not faults, faults[0].getMessage()
        assert not [context for context in forgotten if context.get("exception")]
        caplog.clear()
        if ends.total() % TOLD == 0:
            say(f"{ends.total()} of {count} random requests in {time.monotonic() - began:.0f} s: {dict(ends)}")
    say(f"{count} random requests in {time.monotonic() - began:.0f} s: {dict(ends)}")

    assert ends.total() == count
    assert controller.wrong(0.0) is None
    await _at_rest()


async def _at_rest() -> None:
    """No key is stuck in anybody's hands."""
    async with asyncio.timeout(60):
        while REGISTRY.get_sample_value("controller_runtime_active_workers", {"controller": "dgdr"}):  # noqa: ASYNC110 - the world is polled
            await asyncio.sleep(0.05)


async def _until_all_ended(server: ApiServer, names: list[str]) -> None:
    try:
        async with asyncio.timeout(120):
            while not all(_phase(server, name) for name in names):  # noqa: ASYNC110 - the world is polled
                await asyncio.sleep(0.05)
    except TimeoutError:
        lost = [server.store.objects[REQUESTS][NAMESPACE, name] for name in names if not _phase(server, name)]
        raise AssertionError(f"no end for {len(lost)} of {len(names)} requests, the first: {lost[0]}") from None


def _phase(server: ApiServer, name: str) -> str:
    return outcome(server.store.objects[REQUESTS][NAMESPACE, name])


def _clear(server: ApiServer) -> None:
    for plural, shelf in tuple(server.store.objects.items()):
        for name in tuple(shelf):
            server.store.remove(plural, name)
    server.log.clear()


@pytest.mark.chaos
@pytest.mark.parametrize("count", [300, pytest.param(20_000, marks=pytest.mark.scale)])
def test_random_bodies_are_planned_or_refused_in_words(count: int, say: Say) -> None:
    dice, kinds, began = Dice(11, wild=1.0), Counter[str](), time.monotonic()

    for number in range(count):
        answer: Answer = slot.plan(dice.request(f"r{number}", NAMESPACE), None, Settings())
        kinds[answer.why if isinstance(answer, Refused) else "planned"] += 1
        assert not isinstance(answer, Refused) or answer.message

    say(f"{count} bodies read and planned in {time.monotonic() - began:.0f} s: {dict(kinds)}")
    assert kinds.total() == count
    assert kinds["planned"]
    assert kinds["invalid"]
