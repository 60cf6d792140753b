"""Living with a plan on a real API server: shown, approved, gone back to, taken over from, and collected at the end."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from e2e.cluster import Cluster, KubectlFailed
from e2e.dynamo_operator import DynamoOperator
from e2e.user import Object, User, example, with_spec
from e2e.waiting import eventually

ROOT = Path(__file__).resolve().parents[1]
PATIENCE = 60.0
COLLECTED = 150.0
"""Seconds for the garbage collector, which learns of new kinds every half minute."""

Dgdr = Callable[..., str]


@pytest.fixture
def dgdr(cluster: Cluster, namespace: str) -> Dgdr:
    """`kubectl dgdr`, as the administrator; it has to end well."""
    path = os.pathsep.join((str(Path(cluster.program).parent), os.environ.get("PATH", "")))
    packages = os.pathsep.join((str(ROOT / "operator"), str(ROOT)))
    env = {**os.environ, "KUBECONFIG": str(cluster.kubeconfig), "PATH": path, "PYTHONPATH": packages}

    def run(*words: str) -> str:
        command = [sys.executable, "-m", "dgdr_operator.cli.main", *words, "-n", namespace]
        done = subprocess.run(command, env=env, capture_output=True, text=True, check=False)
        assert done.returncode == 0, done.stderr
        return done.stdout

    return run


def annotated(body: Object, **annotations: str) -> Object:
    """*body* with annotations of ours; underscores stand for dashes."""
    named = {f"dgdr-operator.io/{name.replace('_', '-')}": value for name, value in annotations.items()}
    metadata = {**body["metadata"], "annotations": {**body["metadata"].get("annotations", {}), **named}}
    return {**body, "metadata": metadata}


def report(cluster: Cluster, user: User, name: str) -> dict[str, str] | None:
    """The files of the report, or None."""
    try:
        found = cluster.kubectl("-n", user.namespace, "get", "configmap", f"dgdr-report-{name}", "-o", "json")
    except KubectlFailed:
        return None
    data: dict[str, str] = json.loads(found)["data"]
    return data


def workers(user: User, name: str) -> Any:  # noqa: ANN401 -- JSON
    """The second component of the graph."""
    graph = user.graph(name)
    return graph["spec"]["components"][1] if graph else None


@pytest.mark.usefixtures("operator", "dynamo_operator")
def test_a_plan_is_looked_at_approved_and_gone_back_to(cluster: Cluster, user: User, dgdr: Dgdr) -> None:
    preview = example("04", "chat")
    user.apply(preview)
    user.wait("chat", "Ready")
    files = report(cluster, user, "chat") or {}
    first = files["plan-hash"]
    shown = dgdr("diff", "chat")

    assert f"plan {first} is approved" in dgdr("approve", "chat")
    user.wait("chat", "Deployed")
    before = workers(user, "chat-dgd")
    changed = with_spec(preview, workload={"isl": 1000, "osl": 2000}, sla={"ttft": 500, "itl": 15})
    user.apply(changed)
    eventually(lambda: (report(cluster, user, "chat") or {})["plan-hash"] != first, "another plan", seconds=PATIENCE)
    user.wait("chat", "Ready")
    waiting = dgdr("diff", "chat")
    assert workers(user, "chat-dgd") == before

    dgdr("approve", "chat")
    eventually(lambda: workers(user, "chat-dgd") != before, "the new plan to be applied", seconds=PATIENCE)
    dgdr("rollback", "chat", "--to", first)
    eventually(lambda: workers(user, "chat-dgd") == before, "the way back", seconds=PATIENCE)

    assert shown.strip() != "nothing would change"
    assert waiting.strip() != "nothing would change"
    assert first in dgdr("history", "chat")
    assert {"frontier.csv", "report.html", "diff.txt", "history.json", "plan.yaml"} <= files.keys()
    assert sum(map(len, files.values())) < 1_000_000


@pytest.mark.usefixtures("operator")
def test_another_engine_takes_over_and_the_old_graph_goes_when_the_new_one_serves(
    dynamo_operator: DynamoOperator, user: User
) -> None:
    body = annotated(example("01", "chat"), replan_strategy="blue-green")
    user.apply(body)
    user.wait("chat", "Deployed")
    dynamo_operator.slow = 0.7

    user.apply(with_spec(body, backend="sglang"))
    eventually(lambda: len(user.graphs()) == 2, "both graphs", seconds=PATIENCE)
    during = {graph["metadata"]["name"] for graph in user.graphs()}
    named = user.status("chat")["dgdName"]
    eventually(lambda: len(user.graphs()) == 1, "the old graph to go", seconds=PATIENCE)
    user.wait("chat", "Deployed", seconds=PATIENCE)

    assert during == {"chat-dgd", named}
    assert [graph["metadata"]["name"] for graph in user.graphs()] == [named]


@pytest.mark.usefixtures("operator")
def test_the_report_goes_with_its_request_and_the_graph_does_where_the_user_said_so(
    cluster: Cluster, user: User
) -> None:
    user.apply(example("01", "kept"), annotated(example("01", "passing"), deletion_policy="delete"))
    user.wait_graph("passing-dgd")
    user.wait_graph("kept-dgd")
    eventually(lambda: report(cluster, user, "kept"), "the report")

    cluster.kubectl("-n", user.namespace, "delete", "dgdr", "--all", "--wait=true")
    eventually(lambda: user.graph("passing-dgd") is None, "the graph to go along", seconds=COLLECTED)
    eventually(lambda: report(cluster, user, "kept") is None, "the report to go", seconds=COLLECTED)

    assert user.graph("kept-dgd") is not None


@pytest.mark.usefixtures("operator", "dynamo_operator")
def test_a_paused_request_is_left_alone_until_it_is_resumed(user: User, dgdr: Dgdr) -> None:
    user.apply(example("01", "chat"))
    user.wait("chat", "Deployed")
    dgdr("pause", "chat")
    eventually(lambda: "Paused" in user.events(), "the pause", seconds=PATIENCE)

    user.patch_graph("chat-dgd", [{"op": "replace", "path": "/spec/components/1/replicas", "value": 7}])
    status = dgdr("status", "chat")
    dgdr("resume", "chat")

    eventually(lambda: workers(user, "chat-dgd")["replicas"] != 7, "the correction", seconds=PATIENCE)
    assert "Paused" in status
