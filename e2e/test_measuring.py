"""Measuring a graph on a real API server: the right is asked for by name, then the Job runs, and the status says so."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import pytest
from kubernetes import client

from e2e.cluster import Cluster
from e2e.operator_process import OperatorProcess
from e2e.user import User, example
from e2e.waiting import eventually


def condition(user: User, kind: str) -> Mapping[str, Any]:
    """One condition of the request."""
    found: Mapping[str, Any] = next(
        (one for one in user.status("measured").get("conditions") or () if one["type"] == kind), {}
    )
    return found


@pytest.mark.usefixtures("dynamo_operator")
def test_a_graph_is_measured_as_soon_as_jobs_may_be_made(
    operator: OperatorProcess, user: User, cluster: Cluster, namespace: str, api: client.CustomObjectsApi
) -> None:
    body = example("01", "measured")
    body["metadata"].setdefault("annotations", {})["dgdr-operator.io/validate"] = "true"
    user.apply(body)

    user.wait("measured", "Deployed", seconds=90)
    eventually(
        lambda: condition(user, "Validated").get("reason") == "PermissionMissing", "the missing right", seconds=60
    )
    assert "jobs" in condition(user, "Validated")["message"]

    rules = [{"apiGroups": ["batch"], "resources": ["jobs"], "verbs": ["get", "create", "patch"]}]
    role = {"apiVersion": "rbac.authorization.k8s.io/v1", "metadata": {"name": "benchmarks", "namespace": namespace}}
    subject = {"apiGroup": "rbac.authorization.k8s.io", "kind": "User", "name": operator.user}
    reference = {"apiGroup": "rbac.authorization.k8s.io", "kind": "Role", "name": "benchmarks"}
    cluster.apply({**role, "kind": "Role", "rules": rules})
    cluster.apply({**role, "kind": "RoleBinding", "subjects": [subject], "roleRef": reference})

    eventually(lambda: condition(user, "Validated").get("reason") == "Measuring", "the measurement", seconds=90)
    jobs: Any = api.list_namespaced_custom_object("batch", "v1", namespace, "jobs")
    assert [job["metadata"]["ownerReferences"][0]["name"] for job in jobs["items"]] == ["measured"]
    assert condition(user, "Synced")["status"] == "True"
    assert user.status("measured")["phase"] == "Deployed"
