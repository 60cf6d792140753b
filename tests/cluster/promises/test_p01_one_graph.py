"""P1: one graph per request, never two; its name stands in the status before it exists."""

from __future__ import annotations

from tests.cluster.stage.stage import Stage
from tests.cluster.stage.witness import broken
from tests.cluster.user import GRAPHS


def test_p01_one_graph_per_request_named_before_it_is_made(stage: Stage) -> None:
    names = ["a", "b", "c"]
    for name in names:
        stage.ask(name)
    stage.replica.kill()
    stage.replica.start()
    stage.settled(*names)
    for name in names:
        stage.ask(name, workload={"isl": 2900, "osl": 290})
    stage.eventually(lambda: all(stage.status(name)["observedGeneration"] == 2 for name in names), "the edits")
    stage.settled(*names)

    protocol = stage.cast.witness.protocol(stage.namespace)
    assert broken(protocol) == []
    assert sorted(one.name[1] for one in protocol if (one.plural, one.type) == (GRAPHS, "ADDED")) == [
        f"{name}-dgd" for name in names
    ]
