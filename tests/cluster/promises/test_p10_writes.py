"""P10: a life from request to Deployed costs at most six object writes and four Events."""

from __future__ import annotations

from collections import Counter

from e2e.saying import Say
from tests.cluster.stage.stage import Stage


def test_p10_a_life_costs_at_most_six_writes_and_four_events(stage: Stage, say: Say) -> None:
    stage.ask("before", workload={"isl": 3100, "osl": 310})  # wakes the estimator
    stage.settled("before")
    assert stage.quiet() == []
    before = len(stage.writes())

    stage.ask()
    stage.settled()
    assert stage.quiet() == []

    counted = Counter(asked.resource for asked in stage.writes()[before:])
    events = counted.pop("events", 0)
    say(f"a life: {dict(counted)}, {events} events")
    assert counted.total() <= 6
    assert events <= 4


def test_p10_a_refusal_costs_at_most_six_writes_and_four_events(stage: Stage) -> None:
    stage.ask(sla={"ttft": 1, "itl": 1})
    stage.until("Failed")
    assert stage.quiet() == []

    counted = Counter(asked.resource for asked in stage.writes())
    assert counted.pop("events", 0) <= 4
    assert counted.total() <= 6
