"""The customer's two graphs come out field by field; whatever is added is named here."""

import os
import subprocess
import sys
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import pytest
import yaml

from dgdr_operator.manifest import graph
from estimator.estimates import Estimate
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


PINNED = {"aggregated": "07-pinned-aggregated.yaml", "disaggregated": "08-pinned-disaggregated.yaml"}
"""The examples that ask for what the customer runs."""


@pytest.mark.parametrize("mode", PINNED)
def test_a_request_reproduces_what_the_customer_runs(mode: str, root: Path) -> None:
    theirs = yaml.safe_load((HERE / f"{mode}.yaml").read_text(encoding="utf-8"))
    ours = yaml.safe_load(_planned(root, root / "examples" / PINNED[mode]))

    wanted, written = (dict(_fields(graph)) for graph in (theirs, ours))

    assert {path: written.get(path) for path in wanted} == wanted
    assert {path for path in written if path not in wanted and not _is_expected(path)} == set()
    assert {key: value for key, value in ours["spec"].items() if key != "services"} == {
        key: value for key, value in theirs["spec"].items() if key != "services"
    }


def _planned(root: Path, request: Path) -> str:
    """What `dgdr plan` prints for *request*."""
    done = subprocess.run(
        [sys.executable, "-m", "dgdr_operator.cli.main", "plan", "-f", str(request)],
        env={**os.environ, "PYTHONPATH": os.pathsep.join([str(root / "operator"), str(root)])},
        capture_output=True,
        text=True,
        check=True,
    )
    return done.stdout


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
