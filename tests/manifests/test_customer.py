"""The customer's two graphs come out field by field; whatever is added is named here."""

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import pytest
import yaml

from dgdr_operator import journey, spec
from dgdr_operator.manifest import graph
from dgdr_operator.settings import Settings
from estimator.estimates import Estimate
from perf_db.catalog import Catalog
from tests.manifests import plans

HERE = Path(__file__).parent / "customer"

ADDED_ARGS = {
    "--served-model-name",
    "--max-num-batched-tokens",
    "--pipeline-parallel-size",
    "--data-parallel-size",
    "--max-model-len",
    "--no-enable-prefix-caching",
}
ADDED_ENV = {"UCX_IB_ADDR_TYPE"}
ADDED_CAPABILITIES = {"SYS_RESOURCE"}


@pytest.fixture(params=["aggregated", "disaggregated"])
def pair(request: pytest.FixtureRequest) -> tuple[dict[str, Any], dict[str, Any]]:
    """The customer's graph and ours for the same plan."""
    theirs = yaml.safe_load((HERE / f"{request.param}.yaml").read_text(encoding="utf-8"))
    estimate: Estimate = request.getfixturevalue(request.param)
    return theirs, graph.build(estimate, plans.a_site("0.8.0", api="v1alpha1")).objects[-1]


def test_every_component_of_theirs_is_ours(pair: tuple[dict[str, Any], dict[str, Any]]) -> None:
    theirs, ours = pair

    assert list(theirs["spec"]["services"]) == list(ours["spec"]["services"])
    assert {key: ours["spec"][key] for key in ("backendFramework", "pvcs")} == {
        key: theirs["spec"][key] for key in ("backendFramework", "pvcs")
    }


def test_every_field_of_theirs_has_the_same_value_in_ours(pair: tuple[dict[str, Any], dict[str, Any]]) -> None:
    theirs, ours = (dict(_fields(graph)) for graph in pair)

    assert {path: ours.get(path) for path in theirs} == theirs


def test_ours_adds_only_what_is_named(pair: tuple[dict[str, Any], dict[str, Any]]) -> None:
    theirs, ours = (dict(_fields(graph)) for graph in pair)

    added = {path for path in ours if path not in theirs}

    assert {path for path in added if not _is_expected(path)} == set()


SIZES = {"--tensor-parallel-size", "--pipeline-parallel-size", "--max-num-batched-tokens", "--max-num-seqs"}
"""What a plan decides; the customer's sizes are another planner's."""


@pytest.mark.parametrize("mode", ["aggregated", "disaggregated"])
def test_a_plan_of_the_customers_request_differs_in_sizes_only(mode: str) -> None:
    theirs = yaml.safe_load((HERE / f"{mode}.yaml").read_text(encoding="utf-8"))
    ours = journey.plan(spec.read(_asked(mode)), None, Catalog(), Settings()).graph

    wanted, planned = (dict(_fields(graph)) for graph in (theirs, ours))
    different = {path for path, value in wanted.items() if planned.get(path) != value}
    added = {path for path in planned if path not in wanted and not _is_expected(path)}

    assert wanted.keys() <= planned.keys()
    assert {path for path in different if not _is_size(path)} == set()
    assert added == set()


def _asked(mode: str) -> dict[str, Any]:
    """What the customer asked for, as a request."""
    name = {"aggregated": "dynamo-agg", "disaggregated": "dynamo-disagg"}[mode]
    graph_named = {"apiVersion": "nvidia.com/v1alpha1", "kind": "DynamoGraphDeployment", "metadata": {"name": name}}
    own = {"dgd-api": "v1alpha1", "fabric": "ib=rdma/ib" if mode == "disaggregated" else "none"}
    return {
        "metadata": {"name": "qwen32b", "annotations": {f"dgdr-operator.io/{key}": own[key] for key in own}},
        "spec": {
            "model": plans.MODEL,
            "backend": "vllm",
            "image": f"{plans.IMAGES}/dynamo-frontend:0.8.0",
            "hardware": {"gpuSku": "h200_sxm", "totalGpus": 8, "numGpusPerNode": 8},
            "workload": {"isl": 4000, "osl": 500},
            "sla": {"ttft": 600, "itl": 16.67},
            "modelCache": {"pvcName": "model-cache", "pvcMountPath": "/opt/models"},
            "overrides": {"dgd": graph_named},
        },
    }


def _is_size(path: tuple[str, ...]) -> bool:
    return path[1:] == ("replicas",) or path[1] == "resources" or (path[1] == "args" and path[2] in SIZES)


def _is_expected(path: tuple[str, ...]) -> bool:
    match path[1:]:
        case ("resources", "requests", _) | ("envFromSecret",):
            return True
        case ("args", flag):
            return flag in ADDED_ARGS
        case ("env", name):
            return name in ADDED_ENV
        case ("capability", name):
            return name in ADDED_CAPABILITIES
    return path[1:] == ("extraPodSpec", "mainContainer", "securityContext", "runAsUser")


def _fields(graph: Mapping[str, Any]) -> Iterator[tuple[tuple[str, ...], Any]]:
    """Every leaf by its path; resources, flags, variables and capabilities by name, wherever they stand."""
    for name, service in graph["spec"]["services"].items():
        main = service["extraPodSpec"]["mainContainer"]
        for flag, value in plans.flags(main.get("args", [])).items():
            yield (name, "args", flag), value
        for variable in service["envs"]:
            yield (name, "env", variable["name"]), variable["value"]
        for capability in main.get("securityContext", {}).get("capabilities", {}).get("add", ()):
            yield (name, "capability", capability), True
        for kind in ("limits", "requests"):
            for resource, count in _resources(service, main, kind).items():
                yield (name, "resources", kind, resource), count
        yield from _leaves(service, (name,))


def _resources(service: Mapping[str, Any], main: Mapping[str, Any], kind: str) -> dict[str, str]:
    given = dict(service.get("resources", {}).get(kind, {}))
    return {**given.pop("custom", {}), **given, **main.get("resources", {}).get(kind, {})}


def _leaves(tree: object, path: tuple[str, ...]) -> Iterator[tuple[tuple[str, ...], Any]]:
    if path[-1] in {"args", "envs", "resources", "capabilities"}:
        return
    if isinstance(tree, dict):
        for key, below in tree.items():
            yield from _leaves(below, (*path, key))
    else:
        yield path, tree
