"""Whole graphs, byte for byte: a change of what is written shows as a change of a file that a person reads."""

import os
from pathlib import Path
from typing import Any

import pytest
import yaml

from dgdr_operator.manifest import graph
from estimator.estimates import Estimate
from tests.manifests import definitions, matrix, plans, structural

HERE = Path(__file__).parent / "golden"
REWRITE = "DGDR_WRITE_GOLDEN"
"""Set it to accept what is written now; then read the difference."""

CASES = [
    ("aggregated", "0.8.0", "v1alpha1"),
    ("aggregated", "1.4.0", "v1beta1"),
    ("disaggregated", "0.8.0", "v1alpha1"),
    ("disaggregated", "1.4.0", "v1beta1"),
]


@pytest.mark.parametrize("backend", ["vllm", "sglang", "trtllm"])
@pytest.mark.parametrize(("mode", "release", "api"), CASES)
def test_a_graph_is_written_as_agreed(
    mode: str,
    release: str,
    api: str,
    backend: str,
    request: pytest.FixtureRequest,
) -> None:
    plan: Estimate = request.getfixturevalue(mode)
    plan = plans.an_estimate(*plan.workers, replicas=plan.replicas, backend=backend)

    written = graph.build(plan, plans.a_site(release, api=api)).objects

    assert _agreed(f"{backend}-{mode}-{api}", written) == _text(written)
    schemas = definitions.schemas("dynamographdeployments")
    assert api not in schemas or structural.faults(written[-1], schemas[api]) == []


@pytest.mark.parametrize(
    "name",
    [
        "sglang-disaggregated-data-parallel-nodes-1.4.2-v1beta1",
        "vllm-disaggregated-data-parallel-nodes-1.5.1-v1beta1",
        "vllm-aggregated-experts-nodes-1.2.1-v1alpha1",
        "trtllm-disaggregated-experts-nodes-1.6.1-v1beta1",
        "trtllm-aggregated-dense-node-1.1.1-v1alpha1",
        "sglang-aggregated-experts-node-0.9.1-v1alpha1",
    ],
)
def test_a_graph_of_the_matrix_is_written_as_agreed(name: str) -> None:
    written = matrix.by_name(name).build().objects

    assert _agreed(name, written) == _text(written)


def _agreed(name: str, written: tuple[dict[str, Any], ...]) -> str:
    """The file of that name, after writing it where that was asked for."""
    path = HERE / f"{name}.yaml"
    if REWRITE in os.environ:
        path.write_text(_text(written), encoding="utf-8")
    return path.read_text(encoding="utf-8")


def _text(written: tuple[dict[str, Any], ...]) -> str:
    return yaml.safe_dump_all(written, sort_keys=False, width=120)
