"""The image in a real pod, installed by helm: what a platform team does to it, and what must not happen to graphs."""

from __future__ import annotations

import json
import time
from datetime import datetime
from typing import Any

import pytest

from e2e import audit
from e2e.node.node import Node
from e2e.node.release import Release
from e2e.saying import Say
from e2e.user import example
from e2e.waiting import eventually

pytestmark = pytest.mark.node

REQUESTS, GRAPHS = "dynamographdeploymentrequests", "dynamographdeployments"

Object = dict[str, Any]


def ask(machine: Node, namespace: str, name: str) -> Object:
    """Applies the first example with kubectl, as a user does, and waits for its graph."""
    body = example("01", name)
    machine.cluster.kubectl("--namespace", namespace, "apply", "-f", "-", input=json.dumps(body))
    return wait_graph(machine, namespace, name)


def wait_graph(machine: Node, namespace: str, name: str) -> Object:
    """The graph of the request *name*, once it is there."""

    def look() -> Object:
        listed = machine.cluster.kubectl("--namespace", namespace, "get", "dgd", "-o", "json")
        found = [body for body in json.loads(listed)["items"] if body["metadata"]["name"] == f"{name}-dgd"]
        return dict(found[0]) if found else {}

    return eventually(look, f"the graph of {name}", seconds=60, pause=0.2)


def version(graph: Object) -> str:
    """What changes with every write."""
    return str(graph["metadata"]["resourceVersion"])


def test_the_pod_comes_up_where_restricted_is_enforced(release: Release, machine: Node, say: Say) -> None:
    pod = release.wait_ready()

    say(f"image: {machine.image_size} unpacked")
    say(f"helm upgrade --install until Ready: {release.seconds[0]:.1f} s")
    assert pod["spec"]["containers"][0]["securityContext"]["readOnlyRootFilesystem"] is True
    assert all(status["restartCount"] == 0 for status in pod["status"]["containerStatuses"])
    assert "Traceback" not in release.words()


def test_helm_test_is_content(release: Release) -> None:
    assert "Phase:          Succeeded" in release.test()


def test_a_request_applied_with_kubectl_ends_in_a_graph(
    release: Release, machine: Node, namespace: str, say: Say
) -> None:
    release.wait_ready()
    since = audit.mark(machine.cluster)
    for number in range(5):
        ask(machine, namespace, f"r{number}")

    seconds = sorted(latencies(machine, since, namespace))
    assert len(seconds) == 5
    say(f"request -> graph at the API server, from inside the pod: p50 {seconds[2]:.2f} s, max {seconds[-1]:.2f} s")
    assert "missing right" not in release.words()
    assert "forbidden" not in release.words()


def latencies(machine: Node, since: int, namespace: str) -> list[float]:
    """Seconds between the API server's answer to each new request and to the write of its graph."""
    written = [write for write in audit.writes(machine.cluster, since) if write.namespace == namespace]
    asked = {write.name: moment(write.at) for write in reversed(written) if write.resource == REQUESTS}
    made = {
        write.name: moment(write.at) for write in reversed(written) if write.resource == GRAPHS and write.code < 300
    }
    return [made[f"{name}-dgd"] - began for name, began in asked.items() if f"{name}-dgd" in made]


def moment(stamp: str) -> float:
    """Seconds since the epoch of a time stamp in the audit log."""
    return datetime.fromisoformat(stamp).timestamp()


def test_a_killed_pod_comes_back_and_writes_nothing_to_graphs(release: Release, machine: Node, namespace: str) -> None:
    pod = release.wait_ready()
    before = ask(machine, namespace, "steady")

    release.kill()
    release.wait_ready(other_than=pod["metadata"]["uid"])
    ask(machine, namespace, "after")

    assert version(wait_graph(machine, namespace, "steady")) == version(before)


def test_an_upgrade_rolls_the_pod_and_no_graph(release: Release, machine: Node, namespace: str) -> None:
    pod = release.wait_ready()
    before = ask(machine, namespace, "steady")

    release.install("dev", "--set=pod.annotations.rollout=again", "--set=controller.logLevel=debug")

    assert release.wait_ready()["metadata"]["uid"] != pod["metadata"]["uid"]
    ask(machine, namespace, "after")
    assert version(wait_graph(machine, namespace, "steady")) == version(before)


def test_a_follower_takes_over_from_a_leader_that_is_killed(
    release: Release, machine: Node, namespace: str, say: Say
) -> None:
    release.wait_ready()
    before = ask(machine, namespace, "steady")
    release.install("dev", "--set=replicas=2")
    eventually(lambda: len(release.pods()) == 2 and release.leader(), "a leader and a follower", seconds=120, pause=0.5)

    release.kill(release.leader())
    began = time.monotonic()
    ask(machine, namespace, "after")

    say(f"leader killed -> the follower's first graph: {time.monotonic() - began:.1f} s")
    assert version(wait_graph(machine, namespace, "steady")) == version(before)
    release.install("dev")
    eventually(lambda: len(release.pods()) == 1, "one pod again", seconds=120, pause=0.5)


def test_a_drained_node_gives_the_pod_back_afterwards(release: Release, machine: Node, namespace: str) -> None:
    pod = release.wait_ready()
    before = ask(machine, namespace, "steady")

    machine.cluster.kubectl(
        "drain", machine.name, "--force", "--ignore-daemonsets", "--delete-emptydir-data", "--timeout=60s"
    )
    assert release.pod() == {}
    machine.cluster.kubectl("uncordon", machine.name)

    assert release.wait_ready()["metadata"]["uid"] != pod["metadata"]["uid"]
    assert version(wait_graph(machine, namespace, "steady")) == version(before)


def test_graphs_and_requests_outlive_the_release(release: Release, machine: Node, namespace: str) -> None:
    release.wait_ready()
    before = ask(machine, namespace, "steady")

    release.uninstall()
    try:
        assert version(wait_graph(machine, namespace, "steady")) == version(before)
        assert machine.cluster.kubectl("--namespace", namespace, "get", "dgdr", "-o", "name")
        machine.cluster.kubectl("--namespace", namespace, "delete", "dgdr", "steady", "--timeout=20s")
    finally:
        release.install()


def test_the_admission_policies_agree_with_the_kinds(machine: Node, release: Release) -> None:
    release.wait_ready()
    release.install("dev", "--set=admission.requests=true,admission.selfRestraint=true,admission.site.maxGpus=8")

    def checked() -> list[Object]:
        listed = machine.cluster.kubectl("get", "validatingadmissionpolicies", "-o", "json")
        found = [policy for policy in json.loads(listed)["items"] if "dgdr" in policy["metadata"]["name"]]
        return found if len(found) == 3 and all("typeChecking" in policy["status"] for policy in found) else []

    for policy in eventually(checked, "the policies to be checked against the kinds"):
        assert policy["status"]["typeChecking"].get("expressionWarnings", []) == [], policy["metadata"]["name"]
