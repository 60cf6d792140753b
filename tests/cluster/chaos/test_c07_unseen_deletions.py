"""C07: a graph is deleted while nobody hears it, and the history of it is gone as well."""

from __future__ import annotations

from collections.abc import Iterable

import pytest

from tests.cluster.stage.stage import Stage
from tests.cluster.user import GRAPHS
from tests.fakes.asked import Asked, Fault


def deaf(asked: Asked, line: bytes) -> Iterable[bytes]:
    """Nothing of graphs comes through."""
    return () if asked.resource == GRAPHS else (line,)


@pytest.mark.chaos
def test_c07_a_graph_deleted_unheard_is_found_missing_within_a_sweep(stage: Stage) -> None:
    stage.ask()
    stage.settled()
    before = stage.graph() or {}
    gone = [Fault(status=410, event=True)]
    stage.proxy.edit = deaf
    stage.proxy.fault = lambda asked: gone.pop() if gone and asked.verb == "watch" else None
    stage.cast.dynamo.idle = True

    stage.api.delete(GRAPHS, stage.namespace, before["metadata"]["name"])
    stage.proxy.cut()

    stage.eventually(lambda: stage.phase() != "Deployed", "Deployed to be taken back")
    stage.cast.dynamo.idle = False
    stage.proxy.calm()
    stage.eventually(lambda: (stage.graph() or before)["metadata"]["uid"] != before["metadata"]["uid"], "a new graph")
    stage.cast.dynamo.touch(stage.graph() or {})
    stage.settled()
    assert "DeploymentDeleted" in stage.reasons()
