"""Where the watch library is sharp: each test fails without the shim that it is about."""

from __future__ import annotations

import asyncio
import json

import pytest

from dgdr_operator.controller.doorbell import ForeverWithJitter, settings
from dgdr_operator.controller.life import Life
from tests.cluster.user import REQUESTS, User
from tests.fakes.asked import Asked, Fault
from tests.fakes.server import ApiServer


def watches_requests(asked: Asked) -> bool:
    """A watch on requests."""
    return asked.verb == "watch" and asked.resource == REQUESTS


@pytest.mark.usefixtures("controller")
async def test_k01_no_trace_of_the_watch_library_in_any_object(user: User, server: ApiServer) -> None:
    await user.ask("chat")
    await user.ask("odd", sla={"ttft": -1})
    await user.wait(lambda: user.condition("chat", "Synced"), "the graph to be noticed")
    await user.report("chat-dgd", "successful")
    await user.wait_phase("chat", "Deployed")
    await user.wait_phase("odd", "Failed")

    everything = json.dumps([list(shelf.values()) for shelf in server.store.objects.values()])
    assert "kopf" not in everything
    assert "finalizers" not in everything
    assert {asked.manager for asked in server.writes} == {"dgdr-operator", "dgdr-operator-status"}


@pytest.mark.chaos
@pytest.mark.parametrize("code", [500, 504])
async def test_k04_an_error_on_the_watch_ends_a_life_and_not_the_controller(
    user: User, server: ApiServer, controller: Life, code: int
) -> None:
    faults = [Fault(status=code, event=True)]
    server.fault = lambda asked: faults.pop() if faults and watches_requests(asked) else None
    await user.wait(lambda: not faults, "the watch to fail")

    await user.ask("chat")

    await user.wait(lambda: user.graph("chat-dgd"), "the graph")
    assert controller.wrong(0.0) is None


@pytest.mark.chaos
@pytest.mark.parametrize("status", [403, 410, 503])
async def test_k06_a_cluster_that_refuses_the_watch_for_a_while_is_waited_for(
    user: User, server: ApiServer, controller: Life, status: int
) -> None:
    server.fault = lambda asked: Fault(status=status) if watches_requests(asked) else None
    await user.wait(lambda: any(watches_requests(asked) for asked in server.log), "a watch to be refused")
    await asyncio.sleep(3)
    server.fault = lambda _: None

    await user.ask("chat")

    await user.wait(lambda: user.graph("chat-dgd"), "the graph")
    assert controller.wrong(0.0) is None


def test_k06_the_patience_of_the_watch_never_runs_out_and_begins_anew_each_time() -> None:
    delays = ForeverWithJitter()

    for _ in range(2):
        series = iter(delays)
        first, *others = (next(series) for _ in range(100))
        assert first <= 1.3
        assert max(others) <= 13


def test_k09_the_watch_library_may_not_kill_the_process() -> None:
    assert settings().process.ultimate_exiting_timeout is None


def test_k20_the_watch_library_posts_no_events() -> None:
    assert not settings().posting.enabled
