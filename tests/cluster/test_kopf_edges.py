"""Where the watch library is sharp: each test fails without the shim that it is about."""

from __future__ import annotations

import asyncio
import copy
import json
import signal
import threading
import time

import pytest

from dgdr_operator.controller.doorbell import ForeverWithJitter, settings
from dgdr_operator.controller.life import Life
from tests.cluster.user import GRAPHS, REQUESTS, User
from tests.fakes.asked import Asked, Fault
from tests.fakes.server import ApiServer


def watches_requests(asked: Asked) -> bool:
    """A watch on requests."""
    return asked.verb == "watch" and asked.resource == REQUESTS


async def falls(user: User, server: ApiServer, fault: Fault) -> None:
    """The next watch on requests meets *fault*."""
    left = [fault]
    server.fault = lambda asked: left.pop() if left and watches_requests(asked) else None
    server.hang_up(REQUESTS)
    await user.wait(lambda: not left, "the watch to fail")


@pytest.mark.usefixtures("controller")
async def test_k01_k13_k19_no_trace_of_the_watch_library_in_any_object_and_no_lock_or_index_of_its(
    user: User, server: ApiServer
) -> None:
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
    assert not [asked for asked in server.log if "peering" in asked.resource]  # K19: nothing is locked by it either
    assert not [asked for asked in server.log if asked.resource == "nodes" and asked.verb == "watch"]  # K13: no index


@pytest.mark.usefixtures("controller")
async def test_k02_a_deleted_graph_comes_back_and_a_copied_request_is_served(user: User, server: ApiServer) -> None:
    await user.ask("chat")
    await user.wait(lambda: user.condition("chat", "Synced"), "the graph to be noticed")
    clone = copy.deepcopy(user.request("chat"))
    del clone["status"]  # a server takes none from whoever creates
    clone["metadata"] = {**clone["metadata"], "name": "clone", "uid": "another"}

    await user.delete_graph("chat-dgd")
    await server.put(REQUESTS, clone)

    await user.wait(lambda: user.graph("chat-dgd"), "the graph to come back")
    await user.wait(lambda: user.graph("clone-dgd"), "the clone's graph")


@pytest.mark.usefixtures("controller")
async def test_k03_what_fails_after_an_event_is_tried_again(user: User, server: ApiServer) -> None:
    left = [Fault(status=500)] * 2
    server.fault = lambda asked: left.pop() if left and asked.writes else None

    await user.ask("chat")

    await user.wait(lambda: user.graph("chat-dgd"), "the graph")
    assert not left


@pytest.mark.chaos
@pytest.mark.parametrize("code", [500, 504])
async def test_k04_an_error_on_the_watch_ends_a_life_and_not_the_controller(
    user: User, server: ApiServer, controller: Life, code: int
) -> None:
    await falls(user, server, Fault(status=code, event=True))

    await user.ask("chat")

    await user.wait(lambda: user.graph("chat-dgd"), "the graph")
    assert controller.wrong(0.0) is None


@pytest.mark.chaos
async def test_k04_two_faults_at_once_do_not_leave_it_waiting_for_itself(
    user: User, server: ApiServer, controller: Life
) -> None:
    await user.wait(lambda: sum(asked.verb == "watch" for asked in server.log) >= 2, "both watches")
    left = [Fault(status=504, event=True)]

    def fail(asked: Asked) -> Fault | None:
        if asked.verb != "watch":
            return None
        return (left.pop() if left else None) if asked.resource == REQUESTS else Fault(cut=True)

    server.fault = fail
    server.hang_up(GRAPHS)
    await asyncio.sleep(0.5)
    server.hang_up(REQUESTS)
    await user.wait(lambda: not left, "the watch to fail")
    await asyncio.sleep(4)
    server.fault = lambda _: None

    await user.ask("chat")

    await user.wait(lambda: user.graph("chat-dgd"), "the graph")
    assert controller.wrong(0.0) is None


@pytest.mark.chaos
async def test_k05_a_watch_that_is_refused_as_too_old_begins_anew(
    user: User, server: ApiServer, controller: Life
) -> None:
    await falls(user, server, Fault(status=410))

    await user.ask("chat")

    await user.wait(lambda: user.graph("chat-dgd"), "the graph")
    assert controller.wrong(0.0) is None


@pytest.mark.chaos
@pytest.mark.parametrize("status", [403, 503])
async def test_k06_a_cluster_that_refuses_the_watch_for_a_while_is_waited_for(
    user: User, server: ApiServer, controller: Life, status: int
) -> None:
    server.fault = lambda asked: Fault(status=status) if watches_requests(asked) else None
    await user.wait(lambda: any(watches_requests(asked) for asked in server.log), "a watch to be refused")
    await asyncio.sleep(2)
    server.fault = lambda _: None

    await user.ask("chat")

    await user.wait(lambda: user.graph("chat-dgd"), "the graph")
    assert controller.wrong(0.0) is None


@pytest.mark.parametrize("series", ["K6", "K24"])
def test_k06_k24_the_patience_of_the_watch_never_runs_out_and_begins_anew_each_time(series: str) -> None:
    del series  # one series per request, which K24 cuts short and K6 lets end
    delays = ForeverWithJitter()

    for _ in range(2):
        begun = iter(delays)
        first, *others = (next(begun) for _ in range(100))
        assert first <= 1.3
        assert max(others) <= 13


@pytest.mark.chaos
@pytest.mark.usefixtures("controller")
async def test_k07_a_list_whose_pages_expire_ends_nothing(user: User, server: ApiServer, controller: Life) -> None:
    await user.ask("chat")
    await user.wait(lambda: user.graph("chat-dgd"), "the graph")
    server.reads.page = 1
    await user.ask("more")
    left = [Fault(status=410)] * 2
    server.fault = lambda asked: left.pop() if left and asked.continues else None

    controller.sweep()
    await user.wait(lambda: not left, "two pages to expire")
    await user.delete_graph("chat-dgd", silently=True)
    controller.sweep()

    await user.wait(lambda: user.graph("chat-dgd"), "the graph to come back")
    assert settings().watching.server_timeout is not None
    assert not any(asked.continues and asked.verb == "watch" for asked in server.log)


@pytest.mark.chaos
async def test_k08_k10_a_fall_of_the_watch_cancels_nothing_of_ours_and_parks_no_thread(
    user: User, server: ApiServer, controller: Life
) -> None:
    await user.ask("chat")
    await user.wait(lambda: user.condition("chat", "Synced"), "the graph to be noticed")
    ours = [task for task in asyncio.all_tasks() if "dgdr_operator" in repr(task)]
    threads = threading.active_count()

    await falls(user, server, Fault(status=500, event=True))
    await user.ask("after")
    await user.wait(lambda: user.graph("after-dgd"), "the graph")

    assert ours
    assert not [task for task in ours if task.cancelled()]
    assert threading.active_count() <= threads + 2
    assert controller.wrong(0.0) is None


async def test_k11_signals_stay_with_whoever_had_them(controller: Life, user: User) -> None:
    await user.ask("chat")
    await user.wait(lambda: user.graph("chat-dgd"), "the watch to be at work")

    bells = [thread for thread in threading.enumerate() if thread.name == "doorbell"]
    assert bells
    assert threading.main_thread() not in bells
    assert signal.getsignal(signal.SIGTERM) == signal.SIG_DFL
    assert controller.wrong(0.0) is None


@pytest.mark.usefixtures("controller")
async def test_k12_what_was_deleted_across_a_gap_is_missed_by_the_sweep(
    user: User, server: ApiServer, controller: Life
) -> None:
    await user.ask("chat")
    await user.wait(lambda: user.condition("chat", "Synced"), "the graph to be noticed")

    await user.delete_graph("chat-dgd", silently=True)
    server.store.compact()
    controller.sweep()

    await user.wait(lambda: user.graph("chat-dgd"), "the graph to come back")


@pytest.mark.chaos
async def test_k17_a_busy_list_is_not_asked_ten_times_a_second(user: User, server: ApiServer, controller: Life) -> None:
    server.fault = lambda asked: (
        Fault(status=429, headers={"Retry-After": "1"}) if asked.verb in ("list", "watch") else None
    )
    before = len(server.log)
    began = time.monotonic()
    await asyncio.sleep(3)
    took = time.monotonic() - began
    asked = [one for one in server.log[before:] if one.resource == REQUESTS]
    server.fault = lambda _: None

    assert len(asked) <= 2 * took + 2
    await user.ask("chat")
    await user.wait(lambda: user.graph("chat-dgd"), "the graph")
    assert controller.wrong(0.0) is None


@pytest.mark.chaos
async def test_k21_a_token_that_is_refused_once_is_read_again(user: User, server: ApiServer, controller: Life) -> None:
    await falls(user, server, Fault(status=401))

    await user.ask("chat")

    await user.wait(lambda: user.graph("chat-dgd"), "the graph")
    assert controller.wrong(0.0) is None
