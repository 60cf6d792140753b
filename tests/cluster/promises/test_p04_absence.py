"""P4: without the controller graphs go on serving, and nothing is kept from being deleted."""

from __future__ import annotations

from tests.cluster.stage.stage import Stage, in_modes
from tests.cluster.user import GRAPHS, REQUESTS
from tests.fakes.api import STEPS
from tests.fakes.asked import Object


@in_modes("owner", "plugin")
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


@in_modes("owner", "plugin")
def test_p04_without_it_requests_and_namespaces_can_be_deleted(stage: Stage) -> None:
    stage.ask("a")
    stage.ask("b")
    stage.settled("a", "b")
    stage.replica.stop()

    stage.api.delete(REQUESTS, stage.namespace, "a")
    stage.eventually(lambda: stage.request("a") == {}, "the request to go")
    stage.eventually(lambda: stage.answer("a") == {}, "the answer to go along")
    stage.api.delete("namespaces", "", stage.namespace)

    stage.eventually(lambda: stage.api.get("namespaces", "", stage.namespace) is None, "the namespace to end")
    stage.eventually(lambda: stage.request("b") == {}, "the other request to go")


@in_modes("plugin")
def test_p04_what_was_asked_in_its_absence_waits_for_it(stage: Stage) -> None:
    stage.replica.stop()
    stage.ask()
    stage.until("Profiling")

    stage.replica.start()

    stage.settled()


@in_modes("auto")
def test_p04_when_the_platform_comes_what_we_made_serves_on_untouched_until_it_goes(stage: Stage) -> None:
    with stage.alone() as replica:
        stage.ask()
        stage.settled()
        with stage.visited():
            stage.until_frozen()
            changed = change(stage)
            replica.restart()
            assert stage.quiet() == []
            assert (stage.graph() or {})["spec"] == changed["spec"]

        stage.settled()


def change(stage: Stage) -> Object:
    """Somebody else changes the graph, which is put back where it is ours."""
    name = (stage.graph() or {})["metadata"]["name"]
    steps = [{"op": "replace", "path": "/spec/components/1/replicas", "value": 7}]
    return stage.api.patch(GRAPHS, stage.namespace, name, steps, STEPS)
