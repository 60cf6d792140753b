"""C18: every answer takes long, and the pages of a list expire while it is read."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.cluster.stage.replica import Replica
from tests.cluster.stage.stage import Stage
from tests.cluster.user import GRAPHS
from tests.fakes.asked import Asked, Fault
from tests.fakes.proxy import Proxy


@pytest.mark.real
@pytest.mark.chaos
def test_c18_slow_answers_are_waited_for(stage: Stage) -> None:
    stage.proxy.fault = lambda asked: Fault(delay=0.5) if asked.verb != "watch" else None

    for name in ("a", "b", "c"):
        stage.ask(name)

    stage.settled("a", "b", "c")
    assert stage.replica.probe("healthz") == 200


@pytest.fixture
def leafing(stage: Stage) -> Iterator[tuple[Replica, Proxy]]:
    """A replica that reads lists two objects at a time, and the proxy before it."""
    stage.replica.stop()
    with stage.cast.ground.proxy() as proxy:
        replica = stage.cast.another(proxy, "--namespace", stage.namespace, cluster__PAGE=2)
        replica.start()
        yield replica, proxy
        replica.close()


@pytest.mark.chaos
def test_c18_a_list_whose_pages_expire_is_read_to_the_end(stage: Stage, leafing: tuple[Replica, Proxy]) -> None:
    replica, proxy = leafing
    names = [f"r{number}" for number in range(5)]
    for name in names:
        stage.ask(name)
    stage.settled(*names)
    expired: list[Asked] = []

    def expire(asked: Asked) -> Fault | None:
        if asked.verb != "list" or not asked.continues:
            return None
        expired.append(asked)
        return Fault(status=410, message="The provided continue parameter is too old")

    proxy.fault, proxy.edit = expire, lambda _, line: () if line else (line,)
    stage.api.delete(GRAPHS, stage.namespace, "r0-dgd")

    stage.eventually(lambda: len(expired) >= 2, "pages to expire")
    stage.eventually(lambda: stage.api.get(GRAPHS, stage.namespace, "r0-dgd"), "the graph to return")
    assert replica.running
    assert replica.faults() == []
