"""Every graph of the matrix, put to a real API server: schema, strict fields and CEL, without being stored."""

from __future__ import annotations

from typing import Any

import pytest
from kubernetes import client

from e2e.cluster import Cluster
from e2e.definitions import Origin, upstream_folder
from tests.manifests import matrix

VERSIONS = [Origin(whose="upstream", version=version) for version in ("v1alpha1", "v1beta1")]


@pytest.mark.skipif(upstream_folder() is None, reason="our own definition has a part of the fields only")
@pytest.mark.parametrize("crds", VERSIONS, indirect=True, scope="session", ids=str)
def test_an_api_server_accepts_every_graph_of_the_matrix(
    cluster: Cluster, crds: Origin, api: client.CustomObjectsApi, capsys: pytest.CaptureFixture[str]
) -> None:
    wanted = [case for case in matrix.cases() if case.api == crds.version]
    cluster.apply({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": "team-a"}})

    refused = {case.name: said for case in wanted if (said := _refusal(api, case.build().objects[-1]))}

    with capsys.disabled():
        print(f"\n    {len(wanted)} graphs of {crds.version} put to the API server", end="")  # noqa: T201 - a figure
    assert refused == {}


@pytest.mark.usefixtures("crds")
def test_an_api_server_says_no_to_a_graph_that_breaks_a_rule(api: client.CustomObjectsApi) -> None:
    graph = next(case for case in matrix.cases() if case.api == "v1beta1").build().objects[-1]
    graph["metadata"]["namespace"] = "default"
    assert _refusal(api, graph) == ""

    graph["spec"]["components"].append(dict(graph["spec"]["components"][0], name="FRONTEND"))

    assert "name" in _refusal(api, graph)


def _refusal(api: client.CustomObjectsApi, graph: dict[str, Any]) -> str:
    """What the API server has against *graph*, "" if it would store it."""
    group, _, version = graph["apiVersion"].partition("/")
    namespace = graph["metadata"]["namespace"]
    try:
        api.create_namespaced_custom_object(
            group, version, namespace, "dynamographdeployments", graph, dry_run="All", field_validation="Strict"
        )
    except client.ApiException as error:
        return str(error.body)
    return ""
