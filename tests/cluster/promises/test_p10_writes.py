"""P10: a life from request to Deployed costs at most six object writes and four Events, beside the platform two."""

from __future__ import annotations

from collections import Counter

from e2e.saying import Say
from tests.cluster.stage.stage import Stage, in_modes

MOST = {"owner": (6, 4), "plugin": (2, 0)}
"""Object writes and Events."""


@in_modes("owner", "plugin")
def test_p10_a_life_costs_no_more_than_is_promised(stage: Stage, say: Say) -> None:
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
    assert within(stage, counted.total(), events)


@in_modes("owner", "plugin")
def test_p10_a_refusal_costs_no_more_than_is_promised(stage: Stage) -> None:
    stage.ask(sla={"ttft": 1, "itl": 1})
    stage.until("Failed")
    assert stage.quiet() == []

    counted = Counter(asked.resource for asked in stage.writes())
    events = counted.pop("events", 0)
    assert within(stage, counted.total(), events)


def within(stage: Stage, writes: int, events: int) -> bool:
    """Whether a life may cost so much."""
    most = MOST[stage.cast.mode]
    return 0 < writes <= most[0] and events <= most[1]
