"""C05: a busy API server, storms of server faults, and one answer in ten at random."""

from __future__ import annotations

import itertools
import random
import time

import pytest

from tests.cluster.stage.stage import Stage, first
from tests.cluster.user import GRAPHS
from tests.fakes.asked import Asked, Fault

LONG = pytest.mark.scale


def writes_graph(asked: Asked) -> bool:
    """An apply of a graph."""
    return asked.verb == "patch" and asked.resource == GRAPHS


@pytest.mark.chaos
def test_c05_a_busy_server_is_given_the_time_it_asks_for(stage: Stage) -> None:
    tried: list[float] = []
    busy = Fault(status=429, message="too many requests", headers={"Retry-After": "2"})

    def answer(asked: Asked) -> Fault | None:
        if not (writes_graph(asked) and asked.namespace == stage.namespace):
            return None
        tried.append(time.monotonic())
        return busy if len(tried) <= 2 else None

    stage.proxy.fault = answer
    stage.ask()
    stage.settled()

    pauses = [later - sooner for sooner, later in itertools.pairwise(tried[:3])]
    assert min(pauses) >= 1.9, pauses


@pytest.mark.real
@pytest.mark.chaos
@pytest.mark.parametrize("status", [pytest.param(500, marks=LONG), 503, pytest.param(504, marks=LONG)])
def test_c05_a_storm_passes(stage: Stage, status: int) -> None:
    stage.proxy.fault = first(12, Fault(status=status), lambda asked: asked.verb != "watch")

    stage.ask()

    stage.settled()
    assert stage.replica.probe("healthz") == 200


@pytest.mark.chaos
def test_c05_one_answer_in_ten_is_an_error(stage: Stage) -> None:
    dice = random.Random(5)
    faults = [Fault(status=500), Fault(status=503), Fault(status=429), Fault(cut=True), Fault(cut=True, after=True)]
    stage.proxy.fault = lambda _: dice.choice(faults) if dice.random() < 0.1 else None

    names = [f"r{number}" for number in range(10)]
    for name in names:
        stage.ask(name)

    stage.settled(*names)
    assert len(stage.graphs()) == len(names)
