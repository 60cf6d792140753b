"""P4: without the controller graphs go on serving, and nothing is kept from being deleted."""

from __future__ import annotations

from tests.cluster.stage.stage import Stage
from tests.cluster.user import REQUESTS


def test_p04_stopped_and_started_again_it_leaves_serving_graphs_untouched(stage: Stage) -> None:
    stage.ask()
    stage.settled()
    assert stage.quiet() == []
    before = stage.graph()

    stage.replica.stop()
    while_down = stage.graph()
    stage.replica.start()

    assert stage.quiet() == []
    assert while_down == before == stage.graph()


def test_p04_without_it_requests_and_namespaces_can_be_deleted(stage: Stage) -> None:
    stage.ask("a")
    stage.ask("b")
    stage.settled("a", "b")
    stage.replica.stop()

    stage.api.delete(REQUESTS, stage.namespace, "a")
    gone = stage.request("a")
    stage.api.delete("namespaces", "", stage.namespace)

    assert gone == {}
    stage.eventually(lambda: stage.api.get("namespaces", "", stage.namespace) is None, "the namespace to end")
