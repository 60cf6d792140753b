"""C06: a watch that fails in every way a watch can fail."""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Iterable

import pytest

from tests.cluster.stage.stage import Stage
from tests.fakes.asked import Asked, Fault


def error(code: int) -> Callable[[Stage], None]:
    """An ERROR on the next two watches."""

    def fail(stage: Stage) -> None:
        left = [Fault(status=code, event=True)] * 2
        stage.proxy.fault = lambda asked: left.pop() if asked.verb == "watch" and left else None
        stage.proxy.cut()

    return fail


def refused(code: int) -> Callable[[Stage], None]:
    """The next two watches are refused."""

    def fail(stage: Stage) -> None:
        left = [Fault(status=code)] * 2
        stage.proxy.fault = lambda asked: left.pop() if asked.verb == "watch" and left else None
        stage.proxy.cut()

    return fail


def edited(edit: Callable[[Asked, bytes], Iterable[bytes]]) -> Callable[[Stage], None]:
    """All lines of all watches are edited."""

    def fail(stage: Stage) -> None:
        stage.proxy.edit = edit

    return fail


def half(_: Asked, line: bytes) -> Iterable[bytes]:
    """Half a line, and the end."""
    yield line[: len(line) // 2]
    raise ConnectionResetError


def bookmark(_: Asked, line: bytes) -> Iterable[bytes]:
    """A bookmark instead of every event."""
    event = json.loads(line)
    kept = {name: event["object"][name] for name in ("apiVersion", "kind")}
    metadata = {"resourceVersion": event["object"]["metadata"]["resourceVersion"]}
    yield json.dumps({"type": "BOOKMARK", "object": {**kept, "metadata": metadata}}).encode() + b"\n"


def silence(_: Asked, line: bytes) -> Iterable[bytes]:
    """Nothing."""
    del line
    return ()


def closing(stage: Stage) -> None:
    """Every watch ends a little later than it began."""
    for _ in range(4):
        stage.proxy.cut()
        time.sleep(0.3)


FAILURES = {
    "ERROR 410": error(410),
    "ERROR 500": error(500),
    "ERROR 429": error(429),
    "ERROR 504": error(504),
    "HTTP 410": refused(410),
    "HTTP 403": refused(403),
    "half a line": edited(half),
    "bookmarks only": edited(bookmark),
    "silence": edited(silence),
    "an end, and an end, and an end": closing,
}

DAILY = ("ERROR 410", "ERROR 500", "HTTP 410", "half a line", "silence")
"""The failures of the always-run suite: one of each way that the watch library takes them."""


@pytest.mark.chaos
@pytest.mark.parametrize(
    "failure", [name if name in DAILY else pytest.param(name, marks=pytest.mark.scale) for name in FAILURES]
)
def test_c06_whatever_becomes_of_the_watch_requests_are_served(stage: Stage, failure: str) -> None:
    FAILURES[failure](stage)

    stage.ask()

    stage.settled()
    assert stage.replica.running
    assert stage.replica.probe("healthz") == 200


@pytest.mark.chaos
def test_k16_a_deaf_watch_is_noticed_and_begun_anew(stage: Stage) -> None:
    before = stage.replica.metric("dgdr_watch_deaf_total")
    stage.proxy.edit = silence

    stage.ask()

    stage.settled()
    stage.eventually(lambda: stage.replica.metric("dgdr_watch_deaf_total") > before, "the silence to be noticed")
    assert stage.replica.probe("healthz") == 200
