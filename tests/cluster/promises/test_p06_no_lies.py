"""P6: the status never lies: Deployed means that the present spec is served."""

from __future__ import annotations

from tests.cluster.stage.dynamo import report
from tests.cluster.stage.stage import Stage
from tests.cluster.stage.witness import broken
from tests.cluster.user import GRAPHS


def test_p06_deployed_is_said_after_success_and_taken_back_with_it(stage: Stage) -> None:
    stage.cast.dynamo.idle = True
    stage.ask()
    stage.until("Deploying")
    early = stage.quiet(), stage.phase()
    for state in ("pending", "successful"):
        graph = stage.graph() or {}
        stage.api.replace(GRAPHS, {**graph, "status": report(graph, state)}, "status")
    stage.until("Deployed")

    graph = stage.graph() or {}
    stage.api.replace(GRAPHS, {**graph, "status": report(graph, "failed")}, "status")
    stage.until("Deploying")

    assert early == ([], "Deploying")
    assert stage.condition("chat", "DeploymentReady")["reason"] == "DeploymentDegraded"
    assert broken(stage.cast.witness.protocol(stage.namespace)) == []


def test_p06_a_report_about_the_former_spec_does_not_count(stage: Stage) -> None:
    stage.ask()
    stage.settled()
    stage.cast.dynamo.idle = True

    stage.ask(workload={"isl": 3400, "osl": 340}, sla={"ttft": 900, "itl": 20})
    stage.eventually(lambda: stage.status()["observedGeneration"] == 2, "the edit to be seen")
    stage.quiet()
    graph, phase = stage.graph() or {}, stage.phase()

    current = graph["status"]["observedGeneration"] == graph["metadata"]["generation"]
    assert (phase == "Deployed") == current
    stage.cast.dynamo.idle = False
    stage.cast.dynamo.touch(graph)
    stage.settled()
