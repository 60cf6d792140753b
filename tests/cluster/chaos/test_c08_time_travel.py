"""C08: events arrive twice, in the wrong order, and again long after."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable

import pytest

from tests.cluster.stage.stage import Stage
from tests.fakes.asked import Asked


@pytest.mark.chaos
def test_c08_old_news_moves_nobody(stage: Stage) -> None:
    past: dict[str, list[bytes]] = defaultdict(list)

    def replay(asked: Asked, line: bytes) -> Iterable[bytes]:
        """Each event twice, with everything that came before it once more in between."""
        before = past[asked.resource][-20:]
        past[asked.resource].append(line)
        return (line, *reversed(before), line, *before)

    stage.proxy.edit = replay
    stage.ask()
    stage.settled()
    served = stage.graph() or {}
    stage.ask(autoApply=True, workload={"isl": 3500, "osl": 350})
    stage.eventually(lambda: stage.status()["observedGeneration"] == 2, "the edit to be seen")
    stage.settled()

    graph = stage.graph() or {}
    assert graph["metadata"]["uid"] == served["metadata"]["uid"]
    assert stage.quiet() == []
    assert stage.reasons().count("DeploymentDeleted") == 0
