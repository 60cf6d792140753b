"""From the previous chart to this one, with requests in every phase: nothing that serves is touched."""

from __future__ import annotations

import json
import time
from pathlib import Path
from typing import Any

import pytest
import yaml

from dgdr_operator.controller import options
from e2e import audit, chart, definitions
from e2e.cluster import HOME, MANAGER, OURS, Cluster
from e2e.conftest import StartOperator
from e2e.saying import Say
from e2e.user import GRAPHS, REQUESTS, VERSION, User, example

PREVIOUS = Path(__file__).parent / "previous"
PLATFORM = "dynamo-operator-manager"
"""Under this name the Dynamo operator would have written the graphs' statuses."""
PHASES = {
    "served": "Deployed",
    "engine": "Deployed",
    "quick": "Deploying",
    "starting": "Deploying",
    "shown": "Ready",
    "refused": "Failed",
}

Object = dict[str, Any]


def released() -> list[Object]:
    """The objects of the previous release, as Helm rendered them."""
    return [body for body in yaml.safe_load_all((PREVIOUS / "chart.yaml").read_text()) if body]


def left(namespace: str) -> list[Object]:
    """What the previous version left in *namespace*."""
    return list(yaml.safe_load_all((PREVIOUS / "objects.yaml").read_text().replace("NAMESPACE", namespace)))


class Restored:
    """The objects of the previous version as they stood: written by the same managers, the statuses apart."""

    def __init__(self, cluster: Cluster, namespace: str) -> None:
        self._cluster = cluster
        self._namespace = namespace
        objects = left(namespace)
        for kind, manager, statuses in (
            ("DynamoGraphDeploymentRequest", MANAGER, "dgdr-operator-status"),
            ("DynamoGraphDeployment", "dgdr-operator", PLATFORM),
        ):
            bodies = [body for body in objects if body["kind"] == kind]
            self._apply(bodies, manager)
            self._apply([_bare(body) for body in bodies if "status" in body], statuses, "--subresource=status")
        for body in (body for body in objects if body["kind"] == "ConfigMap"):
            name = body["metadata"]["name"].partition("-engine-")[0]
            graph = json.loads(self._kubectl("get", "dgd", name, "-o", "json"))
            owner = {key: graph[key] for key in ("apiVersion", "kind")}
            owner |= {key: graph["metadata"][key] for key in ("name", "uid")}
            self._apply([{**body, "metadata": {**body["metadata"], "ownerReferences": [owner]}}], "dgdr-operator")

    def versions(self) -> dict[str, str]:
        """The versions of all graphs, and of all ConfigMaps that they mount."""
        found = json.loads(self._kubectl("get", "dgd,configmaps", "-o", "json"))["items"]
        ours = [body for body in found if body["kind"] != "ConfigMap" or "-engine-" in body["metadata"]["name"]]
        return {f"{b['kind']} {b['metadata']['name']}": b["metadata"]["resourceVersion"] for b in ours}

    def _apply(self, bodies: list[Object], manager: str, *more: str) -> None:
        listed = json.dumps({"apiVersion": "v1", "kind": "List", "items": bodies})
        how = ("--server-side", "--force-conflicts", f"--field-manager={manager}", *more)
        self._cluster.kubectl("--namespace", self._namespace, "apply", *how, "-f", "-", input=listed)

    def _kubectl(self, *arguments: str) -> str:
        return self._cluster.kubectl("--namespace", self._namespace, *arguments)


def _bare(body: Object) -> Object:
    return {key: body[key] for key in ("apiVersion", "kind", "status")} | {
        "metadata": {"name": body["metadata"]["name"]}
    }


def upgraded(cluster: Cluster) -> list[Object]:
    """What `helm upgrade` does: this chart's objects are applied, and those that only the previous one had deleted."""
    before = [body for body in released() if body["kind"] not in {"Deployment", "Service"}]
    cluster.apply(*(_labelled(body) for body in before))
    now = chart.rendered(serviceAccount={"create": False, "name": "operator"}, crds={"check": False})
    after = [body for body in now if body["kind"] not in {"Deployment", "Service"}]
    cluster.apply(*after)
    kept = {(body["kind"], body["metadata"]["name"]) for body in after}
    for body in before:
        if (body["kind"], body["metadata"]["name"]) not in kept:
            cluster.kubectl("-n", HOME, "delete", body["kind"], body["metadata"]["name"])
    return now


def _labelled(body: Object) -> Object:
    metadata = body["metadata"]
    return {**body, "metadata": {**metadata, "labels": {**metadata.get("labels", {}), OURS: "true"}}}


def arguments(objects: list[Object]) -> list[str]:
    """The command line of the controller."""
    (container,) = chart.of_kind(objects, "Deployment")["spec"]["template"]["spec"]["containers"]
    return list(container["args"])


def test_nothing_that_serves_is_touched(
    cluster: Cluster,
    namespace: str,
    crds: definitions.Origin,
    start_operator: StartOperator,
    user: User,
    say: Say,
) -> None:
    if crds.version != VERSION:
        pytest.skip("the previous version wrote its graphs in the other version")
    restored = Restored(cluster, namespace)
    before, since = restored.versions(), audit.mark(cluster)
    flags = [flag for flag in arguments(upgraded(cluster)) if flag.startswith(("--writes", "--log", "--lease"))]

    operator = start_operator("--namespace", namespace, *flags)
    user.apply(example("01", "new"))
    user.wait_graph("new-dgd")
    time.sleep(2)

    phases = {name: user.status(name).get("phase") for name in PHASES}
    writes = [write for write in audit.writes(cluster, since, user=operator.user) if write.namespace == namespace]
    old = [write for write in writes if not str(write.name).startswith("new")]
    per_request = {name: [w for w in old if w.resource == f"{REQUESTS}/status" and w.name == name] for name in PHASES}
    assert phases == PHASES
    assert [write for write in old if write.resource == GRAPHS] == []
    assert {name: version for name, version in restored.versions().items() if name in before} == before
    assert {name: len(made) for name, made in per_request.items() if len(made) > 1} == {}
    statuses = sum(map(len, per_request.values()))
    say(f"{len(PHASES)} requests of the previous version: {statuses} status writes, 0 to graphs")


def test_the_previous_command_line_is_still_understood() -> None:
    chosen = options.read(arguments(released()))

    assert (chosen.namespace, chosen.lease, chosen.metrics_port) == (None, None, None)


def test_the_previous_labels_still_select_the_pods() -> None:
    """A selector cannot be changed in place: `helm upgrade` would fail on it."""
    before, now = (chart.of_kind(objects, "Deployment") for objects in (released(), chart.rendered()))

    assert before["spec"]["selector"] == now["spec"]["selector"]
    assert before["metadata"]["name"] == now["metadata"]["name"]
