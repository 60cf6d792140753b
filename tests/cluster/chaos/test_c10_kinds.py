"""C10: the definition of graphs is deleted under the running controller, with all graphs, and comes back."""

from __future__ import annotations

import pytest

from tests.cluster.stage.stage import Stage
from tests.cluster.user import GRAPHS
from tests.fakes.definitions import own_definitions

DEFINITIONS = "customresourcedefinitions"


@pytest.mark.chaos
def test_c10_a_kind_that_goes_is_waited_for(stage: Stage) -> None:
    stage.ask()
    stage.settled()
    definition = next(one for one in own_definitions() if one["spec"]["names"]["plural"] == GRAPHS)
    pid = stage.replica.pid

    stage.api.delete(DEFINITIONS, "", definition["metadata"]["name"])
    try:
        stage.eventually(lambda: stage.replica.probe("readyz") == 503, "the controller to say that it waits")
        alive = stage.replica.running, stage.replica.probe("healthz")
    finally:
        stage.eventually(
            lambda: stage.api.get(DEFINITIONS, "", definition["metadata"]["name"]) is None, "the end of it"
        )
        stage.api.create(DEFINITIONS, definition)

    assert alive == (True, 200)
    stage.replica.wait_ready()
    stage.settled()
    assert stage.replica.pid == pid
