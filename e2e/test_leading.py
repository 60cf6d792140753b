"""Several replicas: one writes, the others are warm; when it falls or leaves, the next one goes on within seconds."""

from __future__ import annotations

import json
import os
import signal
import time

import pytest

from e2e import audit, chart
from e2e.cluster import HOME, Cluster
from e2e.conftest import StartOperator
from e2e.operator_process import OperatorProcess
from e2e.saying import Say
from e2e.user import User, example
from e2e.waiting import eventually

LEASE = chart.LEASE.partition("/")[2]


@pytest.fixture
def replicas(cluster: Cluster, start_operator: StartOperator, namespace: str) -> tuple[OperatorProcess, ...]:
    """Two replicas that share a Lease: the first one leads."""
    cluster.kubectl("-n", HOME, "delete", "lease", LEASE, "--ignore-not-found")
    first = start_operator("--namespace", namespace, f"--lease={chart.LEASE}")
    eventually(lambda: holder(cluster), "somebody to lead")
    return first, start_operator("--namespace", namespace, f"--lease={chart.LEASE}")


def holder(cluster: Cluster) -> str:
    """Who holds the Lease."""
    found = cluster.kubectl("-n", HOME, "get", "lease", LEASE, "--ignore-not-found", "-o", "json")
    return str(json.loads(found or "{}").get("spec", {}).get("holderIdentity", ""))


def test_a_replica_that_follows_is_ready_and_writes_nothing(
    cluster: Cluster, replicas: tuple[OperatorProcess, ...], user: User
) -> None:
    first, second = replicas
    before, since = holder(cluster), audit.mark(cluster)

    user.apply(example("01", "served"))
    user.wait_graph("served-dgd")
    eventually(lambda: user.synced("served"), "the graph to stand as planned")

    writes = [write for write in audit.writes(cluster, since, user=first.user) if write.resource != "leases"]
    assert len([write for write in writes if write.resource == "dynamographdeployments"]) == 1
    assert first.ready()
    assert second.ready()
    assert holder(cluster) == before
    assert "following" in second.words()


@pytest.mark.parametrize(("how", "limit"), [("killed", 20.0), ("stopped", 3.0)])
def test_when_the_leader_goes_the_next_one_goes_on(
    how: str, limit: float, cluster: Cluster, replicas: tuple[OperatorProcess, ...], user: User, say: Say
) -> None:
    first, second = replicas
    user.apply(example("01", "before"))
    user.wait_graph("before-dgd")
    before = holder(cluster)

    began = time.monotonic()
    os.kill(first.pid, signal.SIGKILL if how == "killed" else signal.SIGTERM)
    user.apply(example("01", "after"))
    user.wait_graph("after-dgd")
    took = time.monotonic() - began

    eventually(lambda: user.synced("before") and user.synced("after"), "both graphs to stand as planned")
    assert sorted(graph["metadata"]["name"] for graph in user.graphs()) == ["after-dgd", "before-dgd"]
    assert holder(cluster) not in {"", before}
    assert second.running
    say(f"leader {how} -> the next graph {took:.1f} s later (promised: {limit:g} s)")


def test_a_leader_that_is_frozen_ends_when_it_wakes_up(
    cluster: Cluster, replicas: tuple[OperatorProcess, ...], user: User
) -> None:
    first, second = replicas
    before = holder(cluster)
    os.kill(first.pid, signal.SIGSTOP)
    eventually(lambda: holder(cluster) != before, "the other one to lead")
    user.apply(example("01", "served"))
    user.wait_graph("served-dgd")

    os.kill(first.pid, signal.SIGCONT)

    eventually(lambda: not first.running, "the former leader to end")
    assert "nobody writes beside the new leader" in first.words()
    assert second.running
    assert [graph["metadata"]["name"] for graph in user.graphs()] == ["served-dgd"]
