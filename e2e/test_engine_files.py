"""What the pods of a graph mount, on a real API server and under the controller's own rights."""

from __future__ import annotations

import json
from typing import Any

import pytest

from e2e.cluster import Cluster
from e2e.user import User, example, with_spec
from e2e.waiting import eventually


@pytest.mark.usefixtures("operator")
def test_engine_files_belong_to_the_graph_that_mounts_them_and_come_back(cluster: Cluster, user: User) -> None:
    request = with_spec(example("01", "files"), backend="trtllm")
    user.apply(request)
    graph = user.wait_graph("files-dgd")
    eventually(lambda: user.synced("files"), "the graph to be as planned")

    (found,) = _engine_files(cluster, user.namespace)
    assert found["metadata"]["name"] in json.dumps(graph["spec"])
    assert [owner["uid"] for owner in found["metadata"]["ownerReferences"]] == [graph["metadata"]["uid"]]

    cluster.kubectl("-n", user.namespace, "delete", "configmap", found["metadata"]["name"])
    user.patch_graph("files-dgd", [{"op": "add", "path": "/metadata/annotations/touched", "value": "yes"}])

    (again,) = eventually(lambda: _engine_files(cluster, user.namespace), "the engine files to come back")
    assert again["data"] == found["data"]
    eventually(lambda: _owners(cluster, user.namespace) == [graph["metadata"]["uid"]], "the files to be owned again")


def _engine_files(cluster: Cluster, namespace: str) -> list[dict[str, Any]]:
    selector = "nvidia.com/managed-by=dgdr-operator"
    listed = cluster.kubectl("-n", namespace, "get", "configmap", "-l", selector, "-o", "json")
    items: list[dict[str, Any]] = json.loads(listed)["items"]
    return [item for item in items if not item["metadata"]["name"].startswith("dgdr-report-")]


def _owners(cluster: Cluster, namespace: str) -> list[str]:
    return [owner["uid"] for one in _engine_files(cluster, namespace) for owner in one["metadata"]["ownerReferences"]]
