"""C18: every answer takes long, and the pages of a list expire while it is read."""

from __future__ import annotations

import pytest

from tests.cluster.stage.stage import Stage
from tests.fakes.asked import Asked, Fault


@pytest.mark.chaos
def test_c18_slow_answers_are_waited_for(stage: Stage) -> None:
    stage.proxy.fault = lambda asked: Fault(delay=0.5) if asked.verb != "watch" else None

    for name in ("a", "b", "c"):
        stage.ask(name)

    stage.settled("a", "b", "c")
    assert stage.replica.probe("healthz") == 200


@pytest.mark.chaos
def test_c18_a_list_whose_pages_expire_is_read_to_the_end(stage: Stage) -> None:
    names = [f"r{number}" for number in range(5)]  # pages hold three
    for name in names:
        stage.ask(name)
    stage.settled(*names)
    expired: list[Asked] = []

    def expire(asked: Asked) -> Fault | None:
        if asked.verb != "list" or not asked.continues:
            return None
        expired.append(asked)
        return Fault(status=410, message="The provided continue parameter is too old")

    stage.proxy.fault = expire
    swept = stage.replica.metric("dgdr_watch_restarts_total")
    stage.proxy.edit = lambda _, line: () if line else (line,)
    stage.api.delete("dynamographdeployments", stage.namespace, "r0-dgd")

    stage.eventually(lambda: len(expired) >= 2, "pages to expire")
    stage.eventually(lambda: stage.api.get("dynamographdeployments", stage.namespace, "r0-dgd"), "the graph to return")
    assert stage.replica.running
    assert swept >= 0
