"""Events: told once, counted when they repeat, limited for each request, and each reason explained on a page."""

from __future__ import annotations

import ast
import asyncio
from pathlib import Path
from typing import Any

import pytest

from dgdr_operator.controller import errors, events, news
from dgdr_operator.controller.events import BURST, PERIOD, REASONS, Events
from dgdr_operator.controller.world import Announce
from tests.reconciling import worlds

ROOT = Path(__file__).resolve().parents[2]
CONTROLLER = ROOT / "operator" / "dgdr_operator" / "controller"


class Board:
    """Stands in for the API server's Events."""

    def __init__(self) -> None:
        self.events: dict[str, dict[str, Any]] = {}
        self.fault: errors.ClusterError | None = None

    async def create(self, _: object, __: str, body: dict[str, Any]) -> None:
        """A new Event."""
        if self.fault:
            raise self.fault
        name = body["metadata"]["name"]
        if name in self.events:
            raise errors.Conflict(name)
        self.events[name] = body

    async def merge(self, _: object, __: str, name: str, changes: dict[str, Any]) -> None:
        """Other values for some fields."""
        if name not in self.events:
            raise errors.NotFound(name)
        self.events[name] |= changes

    @property
    def counts(self) -> dict[str, int]:
        """Reason -> how often it was told."""
        return {body["reason"]: body.get("series", {}).get("count", 1) for body in self.events.values()}


def telling(board: Board, now: float = 0.0) -> Events:
    """Events that end up on *board*."""
    server: Any = board
    return Events(server, lambda: now)


async def announce(told: Events, *said: tuple[dict[str, Any], Announce]) -> None:
    """Announces, and waits until all was told."""
    work = asyncio.create_task(told.work())
    for about, action in said:
        told.announce(about, action)
    await told.all_told(10.0)
    work.cancel()


def saying(note: str = "why", reason: str = "DriftCorrected") -> Announce:
    """Something to tell."""
    return Announce(type="Normal", reason=reason, note=note)


def request(uid: str = "u") -> dict[str, Any]:
    """The request that it is about."""
    body = worlds.request()
    return {**body, "metadata": {**body["metadata"], "uid": uid}}


async def test_a_repeat_is_counted_in_the_first_event() -> None:
    board = Board()
    told = telling(board)

    for _ in range(3):
        await announce(told, (request(), saying()))
    await announce(told, (request(), saying(reason="PlanChanged")))

    assert board.counts == {"DriftCorrected": 3, "PlanChanged": 1}


async def test_an_event_of_an_earlier_life_is_counted_and_one_that_expired_told_anew() -> None:
    board = Board()
    await announce(telling(board), (request(), saying()))
    told = telling(board)
    await announce(told, (request(), saying()))
    counted = board.counts

    board.events.clear()
    await announce(told, (request(), saying()))

    assert counted == {"DriftCorrected": 2}
    assert board.counts == {"DriftCorrected": 1}


async def test_a_request_has_its_share_of_events_and_takes_none_of_anothers() -> None:
    board, now = Board(), [0.0]
    server: Any = board
    told = Events(server, lambda: now[0])

    for number in range(3 * BURST):
        await announce(told, (request(), saying(str(number))))
    first = len(board.events)
    await announce(told, (request("other"), saying("another's")))
    now[0] += PERIOD
    for number in range(3 * BURST):
        await announce(told, (request(), saying(f"later {number}")))

    assert first == BURST
    assert len(board.events) == BURST + 1 + 1


async def test_an_event_that_cannot_be_told_is_no_fault() -> None:
    board = Board()
    board.fault = errors.Denied("no right")

    await announce(telling(board), (request(), saying()))

    assert board.events == {}


class Deaf(Board):
    """Never comes to an end."""

    async def create(self, _: object, __: str, body: dict[str, Any]) -> None:
        """Takes for ever."""
        del body
        await asyncio.Event().wait()


async def test_nobody_waits_for_an_event_and_what_is_left_at_the_end_is_counted(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(events, "WAITING", 3)
    told = telling(Deaf())
    work = asyncio.create_task(told.work())

    for number in range(5):
        told.announce(request(), saying(str(number)))
    await told.all_told(0.05)
    work.cancel()

    assert "2 Events were not told" in caplog.text


async def test_events_wait_while_requests_do_but_not_for_ever() -> None:
    board, now, crowd = Board(), [0.0], [True]
    server: Any = board
    told = Events(server, lambda: now[0], lambda: crowd[0])
    work = asyncio.create_task(told.work())

    told.announce(request(), saying("first"))
    await asyncio.sleep(3 * events.PAUSE)
    waiting = len(board.events)
    now[0] += events.PATIENCE
    await asyncio.sleep(3 * events.PAUSE)
    late = len(board.events)
    told.announce(request(), saying("second"))
    crowd[0] = False
    await asyncio.sleep(3 * events.PAUSE)
    work.cancel()

    assert (waiting, late, len(board.events)) == (0, 1, 2)


def test_every_reason_in_the_code_is_one_of_the_constants() -> None:
    used = {reason for path in CONTROLLER.glob("*.py") for reason in _reasons(ast.parse(path.read_text()))}
    used |= {*news.FAILURES.values(), *news.TOLD}

    assert len(used) > 6
    assert used <= REASONS.keys()


def _reasons(tree: ast.Module) -> set[str]:
    """The literal reasons of all calls of Announce and of telling.held, whose reason becomes an Event's."""
    found: set[str] = set()
    for node in ast.walk(tree):
        if not isinstance(node, ast.Call):
            continue
        called = ast.unparse(node.func).rpartition(".")[2]
        named = [word.value for word in node.keywords if word.arg == "reason"]
        if called == "Announce":
            found |= {word for value in named for word in _words(value)}
        elif called == "held" and len(node.args) > 1:
            found |= _words(node.args[1])
    return found


def _words(value: ast.expr) -> set[str]:
    constants = {one.value for one in ast.walk(value) if isinstance(one, ast.Constant)}
    return {word for word in constants if isinstance(word, str) and word[:1].isupper()}


def test_the_page_lists_every_reason_in_the_same_words() -> None:
    page = (ROOT / "docs" / "events.md").read_text()

    rows = dict(line.strip("| ").split(" | ") for line in page.splitlines() if line.startswith("| `"))

    assert rows == {f"`{reason}`": meaning for reason, meaning in REASONS.items()}


def test_reasons_are_one_word_each() -> None:
    assert all(reason.isalpha() and reason[0].isupper() for reason in REASONS)
    assert events.NOTE_LIMIT == 1024
