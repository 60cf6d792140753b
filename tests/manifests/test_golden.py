"""Whole graphs, byte for byte: a change of what is written shows as a change of a file that a person reads."""

import os
from pathlib import Path

import pytest
import yaml

from dgdr_operator.manifest import graph
from estimator.estimates import Estimate
from tests.manifests import definitions, plans, structural

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

    path = HERE / f"{backend}-{mode}-{api}.yaml"
    text = yaml.safe_dump_all(written, sort_keys=False, width=120)
    if REWRITE in os.environ:
        path.write_text(text, encoding="utf-8")
    assert path.read_text(encoding="utf-8") == text
    schemas = definitions.schemas("dynamographdeployments")
    assert api not in schemas or structural.faults(written[-1], schemas[api]) == []
