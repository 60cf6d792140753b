"""Every graph of the matrix, put to a real API server: schema, strict fields and CEL, without being stored."""

from __future__ import annotations

from typing import Any

import pytest
from kubernetes import client

from e2e.cluster import Cluster
from e2e.definitions import Origin, installed, upstream_folder
from tests.manifests import matrix

VERSIONS = ["v1alpha1", "v1beta1"]


@pytest.mark.skipif(upstream_folder() is None, reason="upstream's definitions are not here")
@pytest.mark.parametrize("version", VERSIONS)
def test_an_api_server_accepts_every_graph_of_the_matrix(
    version: str, cluster: Cluster, api: client.CustomObjectsApi, capsys: pytest.CaptureFixture[str]
) -> None:
    wanted = [case for case in matrix.cases() if case.api == version]
    cluster.apply(*({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": "team-a"}},))
    with installed(cluster, Origin(whose="upstream", version=version)):
        refused = {case.name: said for case in wanted if (said := _refusal(api, case.build().objects[-1]))}

    with capsys.disabled():
        print(f"\n    {len(wanted)} graphs of {version} put to the API server", end="")  # noqa: T201 - a figure
    assert refused == {}


def test_an_api_server_says_no_to_a_graph_that_breaks_a_rule(cluster: Cluster, api: client.CustomObjectsApi) -> None:
    case = next(case for case in matrix.cases() if case.api == "v1beta1")
    graph = case.build().objects[-1]
    graph["spec"]["components"].append(dict(graph["spec"]["components"][0], name="FRONTEND"))
    with installed(cluster, Origin(whose="upstream" if upstream_folder() else "own", version="v1beta1")):
        said = _refusal(api, graph)

    assert said


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
