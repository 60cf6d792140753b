"""Beside the platform's own controller: it reconciles, we plan, and no pod ever profiles anything."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

import pytest

from e2e import audit, definitions
from e2e.cluster import Cluster, KubectlFailed
from e2e.conftest import StartOperator
from e2e.dynamo_operator import DynamoOperator
from e2e.operator_process import OperatorProcess
from e2e.upstream import WITHOUT_PODS, Upstream, at_work
from e2e.user import Object, User, example, with_spec
from e2e.waiting import eventually
from tests.cluster.stage.ground import administrator

PATIENCE = 90.0


@pytest.fixture
def upstream(cluster: Cluster, namespace: str, crds: definitions.Origin) -> Iterator[Upstream]:
    """The platform's own controller, at work in this test's namespace, and the webhook that it brings along."""
    del crds  # must be there, is not looked at
    with at_work(administrator(cluster), namespace) as stand_in:
        yield stand_in
    assert stand_in.faults == []


@pytest.fixture
def planner(upstream: Upstream, start_operator: StartOperator, namespace: str) -> OperatorProcess:
    """Our controller, started where the platform's is at work already."""
    del upstream
    return start_operator("--namespace", namespace)


def pluggable(number: str, name: str, **spec: Any) -> Object:  # noqa: ANN401 -- JSON
    """An example whose profiler's Job has no pods."""
    body = with_spec(example(number, name), overrides={"profilingJob": WITHOUT_PODS}, autoApply=True, **spec)
    return {**body, "metadata": {**body["metadata"], "annotations": {"dgdr-operator.io/mode": "plugin"}}}


def pods(cluster: Cluster, namespace: str) -> list[str]:
    """The names of the pods in the namespace."""
    return cluster.kubectl("-n", namespace, "get", "pods", "-o", "name").split()


def test_the_platform_makes_the_graph_from_our_plan_and_no_pod_profiles(
    cluster: Cluster, planner: OperatorProcess, dynamo_operator: DynamoOperator, user: User
) -> None:
    del dynamo_operator  # it is enough that it is there
    since = audit.mark(cluster)

    user.apply(pluggable("01", "chat", hardware={}))
    status = user.wait("chat", "Deployed", seconds=PATIENCE)

    graph = user.graph("chat-dgd")
    assert graph is not None
    assert graph["spec"] == status["profilingResults"]["selectedConfig"]["spec"]
    assert graph["metadata"]["labels"]["nvidia.com/managed-by"] == "dynamo-operator"
    assert pods(cluster, user.namespace) == []
    ours = [one for one in audit.writes(cluster, since, user=planner.user) if one.namespace == user.namespace]
    assert sorted((one.resource, one.name) for one in ours) == [
        ("configmaps", "dgdr-output-chat"),
        ("configmaps", "dgdr-report-chat"),
    ]


@pytest.mark.usefixtures("planner")
def test_a_refusal_reaches_the_user_through_the_platform(user: User) -> None:
    user.apply(pluggable("06", "hasty", hardware={}))

    user.wait("hasty", "Failed", seconds=PATIENCE)

    assert user.message("hasty").startswith("profiling failed: infeasible: ttft<=50ms itl<=2ms")
    assert user.graphs() == []


@pytest.mark.usefixtures("planner")
def test_other_requests_are_left_to_the_platform_and_a_misfit_is_told_why(cluster: Cluster, user: User) -> None:
    body = example("01", "theirs")
    wishful = example("01", "wishful")
    wishful["metadata"]["annotations"] = {"dgdr-operator.io/mode": "plugin"}
    user.apply(body, wishful)

    eventually(lambda: "ForeignController" in user.events(), "the Event", seconds=PATIENCE)
    user.wait("theirs", "Profiling", seconds=PATIENCE)

    for name in ("theirs", "wishful"):
        with pytest.raises(KubectlFailed, match="not found"):
            cluster.kubectl("-n", user.namespace, "get", "configmap", f"dgdr-output-{name}")


def test_a_request_that_we_served_is_frozen_when_the_platform_comes(
    start_operator: StartOperator, dynamo_operator: DynamoOperator, cluster: Cluster, user: User
) -> None:
    del dynamo_operator
    operator = start_operator("--namespace", user.namespace)
    user.apply(example("01", "chat"))
    user.wait("chat", "Deployed")
    before = user.graph("chat-dgd") or {}

    patch = json.dumps({"metadata": {"finalizers": ["nvidia.com/finalizer"]}})
    cluster.kubectl("-n", user.namespace, "patch", "dgdr", "chat", "--type=merge", "-p", patch)
    eventually(lambda: _synced(user) == "ForeignController", "the condition", seconds=PATIENCE)
    user.patch_graph("chat-dgd", [{"op": "replace", "path": "/spec/components/1/replicas", "value": 7}])
    operator.restart()

    assert _synced(user) == "ForeignController"
    assert user.status("chat")["phase"] == "Deployed"
    assert (user.graph("chat-dgd") or {})["metadata"]["uid"] == before["metadata"]["uid"]
    cluster.kubectl(
        "-n", user.namespace, "patch", "dgdr", "chat", "--type=merge", "-p", '{"metadata":{"finalizers":[]}}'
    )


def _synced(user: User) -> str:
    conditions = user.status("chat").get("conditions", ())
    return str(next((one["reason"] for one in conditions if one["type"] == "Synced"), ""))
