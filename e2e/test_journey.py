"""From `kubectl apply` of a request to its graph, on a real API server, under the controller's own rights."""

from __future__ import annotations

import statistics
import time
from collections.abc import Callable, Iterator

import pytest

from e2e import audit
from e2e.cluster import Cluster
from e2e.dynamo_operator import DynamoOperator
from e2e.operator_process import OperatorProcess
from e2e.processes import family, resident
from e2e.saying import Say
from e2e.user import ROOT, User, example, with_spec
from e2e.waiting import eventually

PATIENCE = 120.0
"""Seconds until many requests must have their graphs, on a machine that does other things as well."""


@pytest.mark.usefixtures("operator")
def test_an_applied_request_becomes_a_graph_that_the_cluster_accepts(user: User, say: Say) -> None:
    seconds = []
    for number in range(20):
        began = time.monotonic()
        user.apply(example("01", f"r{number}"))
        user.wait_graph(f"r{number}-dgd", pause=0.005)
        seconds.append(time.monotonic() - began)

    graph, status = user.graph("r0-dgd"), user.wait("r0", "Deploying")
    assert graph is not None
    assert status["profilingResults"]["selectedConfig"]["spec"] == graph["spec"]
    ranks = statistics.quantiles(seconds, n=10)
    say(
        f"kubectl apply -> graph, 20 requests: min {min(seconds):.2f} s, p50 {statistics.median(seconds):.2f} s, "
        f"p90 {ranks[-1]:.2f} s, max {max(seconds):.2f} s"
    )


def test_a_hundred_requests_at_once_all_get_their_graph(operator: OperatorProcess, user: User, say: Say) -> None:
    began = time.monotonic()

    user.apply(*(with_spec(example("01", f"r{n}"), workload={"isl": 1000 + n, "osl": 500}) for n in range(100)))
    applied = time.monotonic()
    eventually(lambda: len(user.graphs()) == 100, "100 graphs", seconds=PATIENCE, pause=0.2)
    took = time.monotonic() - applied

    eventually(
        lambda: all(user.status(f"r{n}").get("phase") == "Deploying" for n in range(100)),
        "100 phases",
        seconds=PATIENCE,
    )
    assert {graph["metadata"]["name"] for graph in user.graphs()} == {f"r{n}-dgd" for n in range(100)}
    main, *others = (resident(pid) for pid in family(operator.pid))
    say(
        f"100 different requests: kubectl took {applied - began:.1f} s, the last graph stood {took:.1f} s later; "
        f"resident memory {main:.0f} MiB, of its children {sum(others):.0f} MiB"
    )


def test_nothing_is_written_when_nothing_changes(
    cluster: Cluster, operator: OperatorProcess, dynamo_operator: DynamoOperator, user: User, say: Say
) -> None:
    del dynamo_operator  # it is enough that it is there
    user.apply(example("01", "served"), example("06", "refused"), example("04", "shown"))
    for name, phase in (("served", "Deployed"), ("refused", "Failed"), ("shown", "Ready")):
        user.wait(name, phase)
    time.sleep(2)

    since = audit.mark(cluster)
    time.sleep(30)

    assert audit.writes(cluster, since, user=operator.user) == []
    say("30 s at rest: 0 writes")


def test_a_life_cycle_stays_within_its_budget_of_writes(
    cluster: Cluster, operator: OperatorProcess, dynamo_operator: DynamoOperator, user: User, say: Say
) -> None:
    dynamo_operator.slow = 0.3
    since = audit.mark(cluster)

    user.apply(example("01", "served"))
    user.wait("served", "Deployed")
    time.sleep(1)

    made = [write for write in audit.writes(cluster, since, user=operator.user) if write.namespace == user.namespace]
    events = [write for write in made if write.resource == "events"]
    say(f"a life cycle: {len(made) - len(events)} object writes, {len(events)} events")
    assert len(made) - len(events) <= 6
    assert len(events) <= 4


@pytest.mark.usefixtures("operator")
def test_deployed_means_that_the_dynamo_operator_says_so(dynamo_operator: DynamoOperator, user: User) -> None:
    dynamo_operator.slow = 0.5

    user.apply(example("01", "served"))
    under_way = user.wait("served", "Deploying")
    status = user.wait("served", "Deployed")

    graph = user.graph("served-dgd")
    assert under_way["dgdName"] == "served-dgd"
    assert graph is not None
    assert graph["status"]["state"] == "successful"
    assert status["deploymentInfo"]["replicas"] == status["deploymentInfo"]["availableReplicas"] > 0


@pytest.mark.usefixtures("operator")
def test_a_deleted_graph_comes_back(user: User) -> None:
    user.apply(example("01", "kept"))
    before = user.wait_graph("kept-dgd")

    user.delete_graph("kept-dgd")

    after = user.wait_graph("kept-dgd", other_than=before["metadata"]["uid"])

    assert after["spec"] == before["spec"]


@pytest.mark.usefixtures("operator")
def test_an_edited_graph_is_put_back_and_what_others_added_stays(user: User) -> None:
    user.apply(example("01", "kept"))
    before = user.wait_graph("kept-dgd")
    user.wait("kept", "Deploying")

    user.patch_graph(
        "kept-dgd",
        [
            {"op": "replace", "path": "/spec/components/1/replicas", "value": 7},
            {"op": "add", "path": "/metadata/labels/team", "value": "blue"},
        ],
    )

    wanted = before["spec"]["components"][1]["replicas"]
    eventually(lambda: _replicas(user) == wanted, "the replicas to be put back")
    eventually(lambda: "DriftCorrected" in user.events(), "the event")
    after = user.graph("kept-dgd") or {}
    assert after["metadata"]["labels"]["team"] == "blue"
    assert after["metadata"]["generation"] > before["metadata"]["generation"]


def _replicas(user: User) -> int | None:
    graph = user.graph("kept-dgd") or {}
    replicas: int = graph["spec"]["components"][1]["replicas"]
    generation: int = graph["metadata"]["generation"]
    return replicas if generation > 1 else None


@pytest.mark.usefixtures("operator")
def test_an_infeasible_request_fails_with_numbers_and_an_edit_mends_it(user: User, say: Say) -> None:
    user.apply(example("06", "hasty"))
    user.wait("hasty", "Failed")
    message = user.message("hasty")
    say(f"infeasible: {message}")

    user.apply(with_spec(example("06", "hasty"), sla={"ttft": 2000, "itl": 30}))
    user.wait_graph("hasty-dgd")

    assert "infeasible: ttft<=50ms itl<=2ms" in message
    assert "best ttft=" in message


@pytest.fixture
def nodes(cluster: Cluster) -> Iterator[Callable[[], None]]:
    """Call it, and GPU nodes stand in the cluster until the test ends."""
    path = str(ROOT / "examples" / "nodes.yaml")
    if not cluster.disposable:
        pytest.skip("this cluster has nodes of its own")

    def appear() -> None:
        cluster.kubectl("create", "-f", path)
        cluster.kubectl("taint", "nodes", "--all", "node.kubernetes.io/not-ready-")  # a kubelet would see to this

    yield appear
    cluster.kubectl("delete", "-f", path, "--ignore-not-found")


@pytest.mark.usefixtures("operator")
def test_nodes_that_appear_mend_a_request_that_left_its_hardware_out(user: User, nodes: Callable[[], None]) -> None:
    user.apply(with_spec(example("01", "trusting"), hardware={}))
    user.wait("trusting", "Failed")
    message = user.message("trusting")

    nodes()

    user.wait("trusting", "Deploying", seconds=PATIENCE)
    user.wait_graph("trusting-dgd")
    assert "spec.hardware.gpuSku" in message


@pytest.mark.usefixtures("operator")
def test_a_preview_waits_for_the_user(user: User) -> None:
    user.apply(example("04", "shown"))
    status = user.wait("shown", "Ready")
    made = user.graphs()

    user.apply(with_spec(example("04", "shown"), autoApply=True))
    graph = user.wait_graph("shown-dgd")

    assert made == []
    assert graph["spec"] == status["profilingResults"]["selectedConfig"]["spec"]


@pytest.mark.parametrize("delay", [0.0, 0.05, 0.1, 0.2, 0.4, 0.8])
def test_a_controller_killed_in_the_middle_leaves_one_graph_per_request(
    operator: OperatorProcess, user: User, delay: float
) -> None:
    names = [f"r{n}" for n in range(5)]
    user.apply(*(example("01", name) for name in names))

    time.sleep(delay)
    operator.kill()
    operator.restart()

    eventually(lambda: all(user.synced(name) for name in names), "all graphs to stand as planned")
    assert sorted(graph["metadata"]["name"] for graph in user.graphs()) == [f"{name}-dgd" for name in names]


def test_a_stopped_controller_says_goodbye_and_leaves_the_graphs_alone(operator: OperatorProcess, user: User) -> None:
    user.apply(example("01", "kept"))
    before = user.wait_graph("kept-dgd")
    eventually(lambda: user.synced("kept"), "the graph to stand as planned")

    code = operator.stop()
    operator.start()
    user.wait("kept", "Deploying")

    after = user.graph("kept-dgd")
    assert code == 0
    assert after == before
