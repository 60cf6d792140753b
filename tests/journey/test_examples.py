"""Every example does what its first lines say."""

from typing import Any

import pytest

from dgdr_operator import inventory, journey, spec
from dgdr_operator.journey import Plan
from dgdr_operator.manifest import views
from dgdr_operator.settings import Settings
from estimator.errors import NoFeasibleCandidate
from perf_db.catalog import Catalog
from tests.manifests import definitions, structural

FEASIBLE = [
    "01-minimal.yaml",
    "02-aggregated-with-cache.yaml",
    "03-disaggregated-rdma.yaml",
    "04-preview.yaml",
    "05-e2e-latency.yaml",
    "07-pinned-aggregated.yaml",
    "08-pinned-disaggregated.yaml",
    "09-beside-the-platform.yaml",
    "10-confident.yaml",
]


def planned(catalog: Catalog, body: dict[str, Any]) -> Plan:
    """The plan of an example, without nodes to look at."""
    return journey.plan(spec.read(body), None, catalog, Settings())


def test_no_example_is_forgotten(examples: dict[str, Any]) -> None:
    assert sorted(examples) == sorted([*FEASIBLE, "06-infeasible.yaml", "nodes.yaml", "pods.yaml"])


@pytest.mark.parametrize("name", [*FEASIBLE, "06-infeasible.yaml"])
def test_an_example_fits_the_schema_of_its_kind(name: str, examples: dict[str, Any]) -> None:
    for own in (True, False):
        schema = definitions.schemas("dynamographdeploymentrequests", own=own)["v1beta1"]

        assert structural.faults(examples[name], schema) == []


@pytest.mark.parametrize("name", FEASIBLE)
def test_an_example_becomes_a_graph_that_fits_the_schema(name: str, examples: dict[str, Any], catalog: Catalog) -> None:
    graph = planned(catalog, examples[name]).graph

    schemas = definitions.schemas("dynamographdeployments")
    version = graph["apiVersion"].split("/")[1]
    assert version not in schemas or structural.faults(graph, schemas[version]) == []


def test_the_cached_one_is_the_customers_graph(examples: dict[str, Any], catalog: Catalog) -> None:
    graph = planned(catalog, examples["02-aggregated-with-cache.yaml"]).graph

    assert (graph["apiVersion"], graph["metadata"]["name"]) == ("nvidia.com/v1alpha1", "dynamo-agg")
    assert graph["spec"]["pvcs"] == [{"name": "model-cache", "create": False}]


def test_the_disaggregated_one_runs_apart_with_and_without_nodes(examples: dict[str, Any], catalog: Catalog) -> None:
    body = examples["03-disaggregated-rdma.yaml"]
    blind = planned(catalog, body)

    seeing = journey.plan(spec.read(body), inventory.read(examples["nodes.yaml"]), catalog, Settings())

    assert [view.kind for view in views.of(blind.graph)] == ["frontend", "prefill", "decode"]
    assert [view.limits for view in views.of(seeing.graph)] == [view.limits for view in views.of(blind.graph)]


def test_the_preview_is_not_applied(examples: dict[str, Any]) -> None:
    assert spec.read(examples["04-preview.yaml"]).policy.auto_apply is False


def test_the_whole_request_stays_within_its_promise(examples: dict[str, Any], catalog: Catalog) -> None:
    assert planned(catalog, examples["05-e2e-latency.yaml"]).outcome.choice.latency.request <= 10


def test_the_infeasible_one_is_refused(examples: dict[str, Any], catalog: Catalog) -> None:
    with pytest.raises(NoFeasibleCandidate):
        planned(catalog, examples["06-infeasible.yaml"])
