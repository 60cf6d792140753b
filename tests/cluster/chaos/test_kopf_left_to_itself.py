"""What the watch library would do to the process around it: kill it, leave it deaf, listen for others."""

from __future__ import annotations

import signal
from contextlib import suppress
from pathlib import Path

import kopf
import pytest

from dgdr_operator.controller.doorbell import settings
from tests.cluster.stage.replica import Replica
from tests.cluster.stage.stage import Stage, first
from tests.cluster.user import REQUESTS
from tests.fakes.asked import Asked, Fault

LISTENS = "0A"
"""State of a socket, as the kernel writes it."""
SHARE = 0.2
"""Of the watch's patience, so that the test need not be patient."""


def watches_requests(asked: Asked) -> bool:
    """A watch on requests."""
    return asked.verb == "watch" and asked.resource == REQUESTS


def fall(stage: Stage) -> None:
    """The watch ends for good, and the library needs seconds to say goodbye."""
    stage.proxy.fault = first(1, Fault(status=500, event=True), watches_requests)
    stage.proxy.cut()


def fell(replica: Replica) -> bool:
    """Whether the process lived through the fall of its watch."""
    with suppress(OSError):  # nobody answers who is dead
        return replica.metric("dgdr_watch_restarts_total") > 0
    return False


def test_k09_the_watch_library_may_not_kill_the_process(stage: Stage) -> None:
    with stage.alone(KILL=0.2) as replica:
        stage.ask("before")
        stage.settled("before")

        fall(stage)
        stage.eventually(lambda: fell(replica) or not replica.running, "the watch to fall")

        assert replica.running
        stage.ask()
        stage.settled()


def test_k09_it_would_if_it_were_let(stage: Stage) -> None:
    with stage.alone(KILL=0.2, UNGUARDED=1) as replica:
        stage.ask("before")
        stage.settled("before")

        fall(stage)
        stage.eventually(lambda: not replica.running, "the process to be killed")

        assert replica.kill() == -signal.SIGKILL


def test_k18_a_dead_connection_is_noticed_long_before_the_library_would(stage: Stage) -> None:
    with stage.alone(HASTE=SHARE, sweep__PERIOD=600.0):
        stage.ask("before")
        stage.settled("before")
        dead: list[Asked] = []

        def silence(asked: Asked) -> Fault | None:
            if dead or not watches_requests(asked):
                return None
            dead.append(asked)
            return Fault(delay=3600.0)

        stage.proxy.fault = silence
        stage.proxy.cut()
        stage.eventually(lambda: dead, "a watch that says nothing and does not end")
        stage.ask()

        left_to_itself = kopf.OperatorSettings().watching.inactivity_timeout
        stage.eventually(stage.graph, "the graph", seconds=0.8 * SHARE * left_to_itself)


def test_k18_a_watch_ends_in_order_before_its_silence_counts_and_within_what_is_promised() -> None:
    watching = settings().watching

    assert watching.server_timeout is not None
    assert watching.server_timeout < watching.inactivity_timeout < 30


@pytest.mark.chaos
def test_k23_nothing_listens_but_the_probes_and_no_webhook_is_configured(stage: Stage) -> None:
    stage.ask()
    stage.settled()

    assert listening(stage.replica.pid) == {stage.replica.port}
    told = [passed.asked for passed in stage.proxy.log if "webhook" in passed.asked.resource]
    assert {asked.verb for asked in told} <= {"list"}


def listening(pid: int) -> set[int]:
    """The TCP ports on which a process listens."""
    held = set()
    for link in Path(f"/proc/{pid}/fd").iterdir():
        with suppress(FileNotFoundError):  # closed meanwhile
            held.add(str(link.readlink()))
    lines = [line for name in ("tcp", "tcp6") for line in Path(f"/proc/{pid}/net/{name}").read_text().splitlines()[1:]]
    sockets = [line.split() for line in lines]
    return {int(one[1].rpartition(":")[2], 16) for one in sockets if one[3] == LISTENS and f"socket:[{one[9]}]" in held}
