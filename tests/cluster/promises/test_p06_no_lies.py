"""P6: the status never lies: Deployed means that the present spec is served."""

from __future__ import annotations

from tests.cluster.stage.dynamo import report
from tests.cluster.stage.stage import Stage, in_modes
from tests.cluster.stage.witness import broken, trespasses
from tests.cluster.user import GRAPHS, REQUESTS
from tests.fakes.asked import Object


@in_modes("owner")
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


@in_modes("owner")
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


@in_modes("plugin")
def test_p06_where_the_platform_tells_the_status_we_write_none_of_it_whatever_happens(stage: Stage) -> None:
    stage.ask("served")
    stage.ask("refused", sla={"ttft": 1, "itl": 1})
    stage.settled("served")
    stage.until("Failed", "refused")
    graph = stage.graph("served") or {}
    stage.api.replace(GRAPHS, {**graph, "status": report(graph, "failed")}, "status")
    stage.replica.stop()
    stage.replica.start()

    assert stage.quiet() == []
    assert trespasses(stage.cast.witness.protocol(stage.namespace)) == []


@in_modes("plugin")
def test_p06_our_answer_is_about_the_hardware_that_the_platform_found(stage: Stage) -> None:
    stage.ask(hardware={"gpuSku": "h200_sxm", "totalGpus": 1, "numGpusPerNode": 1})

    stage.settled()

    components = (stage.graph() or {})["spec"]["components"]
    assert (
        sum(one["replicas"] * gpus(one) for one in components) == stage.request()["spec"]["hardware"]["totalGpus"] == 8
    )


@in_modes("plugin")
def test_p06_a_namesake_gets_an_answer_of_its_own(stage: Stage) -> None:
    stage.ask()
    stage.settled()
    former = stage.answer()
    stage.api.delete(REQUESTS, stage.namespace, "chat")
    stage.api.delete(GRAPHS, stage.namespace, "chat-dgd")
    left = (GRAPHS, "chat-dgd"), (REQUESTS, "chat"), ("jobs", "profile-chat"), ("configmaps", "dgdr-output-chat")
    stage.eventually(lambda: not any(stage.api.get(one, stage.namespace, name) for one, name in left), "all to go")

    stage.ask(workload={"isl": 3300, "osl": 330}, sla={"ttft": 900, "itl": 20})

    stage.settled()
    assert stage.answer()["final_config.yaml"] != former["final_config.yaml"]


def gpus(component: Object) -> int:
    """The GPUs of one replica."""
    (container,) = component["podTemplate"]["spec"]["containers"]
    return int(container.get("resources", {}).get("limits", {}).get("nvidia.com/gpu", 0))
