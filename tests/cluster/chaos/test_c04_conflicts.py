"""C04: three writes in ten are refused by a conflict, while somebody else writes into the same status."""

from __future__ import annotations

import contextlib
import random
import threading

import pytest

from tests.cluster.stage.stage import Stage
from tests.cluster.user import REQUESTS
from tests.fakes.api import Refused
from tests.fakes.asked import Asked, Fault

SECONDS = 4.0


@pytest.mark.chaos
def test_c04_conflicts_cost_at_most_twice_the_writes(stage: Stage) -> None:
    dice = random.Random(4)
    stage.ask("calm")
    stage.settled("calm")
    assert stage.quiet(0.5) == []
    budget = len(stage.writes())

    def conflict(asked: Asked) -> Fault | None:
        unlucky = asked.writes and asked.verb == "patch" and dice.random() < 0.3
        return Fault(status=409, message="the object has been modified") if unlucky else None

    stage.proxy.fault = conflict
    before = len(stage.writes())
    stage.ask("chat")
    stage.settled("chat")
    stage.proxy.calm()

    assert stage.quiet(0.5) == []
    assert len(stage.writes()) - before <= 2 * budget


@pytest.mark.chaos
def test_c04_another_writer_in_the_status_is_let_be(stage: Stage) -> None:
    stage.ask()
    stage.settled()
    assert stage.quiet(0.5) == []
    before, over = len(stage.writes()), threading.Event()

    def scribble() -> None:
        number = 0
        while not over.wait(0.05):
            number += 1
            with contextlib.suppress(Refused):
                condition = {"type": "Scribbled", "status": "True", "reason": "Ok", "message": str(number)}
                condition |= {"lastTransitionTime": "2026-01-01T00:00:00Z"}
                body = {name: stage.request()[name] for name in ("apiVersion", "kind")}
                place = {"metadata": {"name": "chat", "namespace": stage.namespace}}
                stage.api.apply(REQUESTS, {**body, **place, "status": {"conditions": [condition]}}, "scribe", "status")

    writer = threading.Thread(target=scribble)
    writer.start()
    over.wait(SECONDS)
    over.set()
    writer.join()

    assert stage.condition("chat", "Scribbled")["status"] == "True"
    assert stage.quiet(0.5) == []
    assert len(stage.writes()) == before
    assert stage.right()
