"""Hundreds of graphs, every shape of plan in every version: each fits its schema and keeps the laws."""

import re
from typing import Any

import pytest

from dgdr_operator.manifest import names, views
from tests.manifests import definitions, matrix, plans, structural
from tests.manifests.matrix import Case

CASES = list(matrix.cases())
EACH = pytest.mark.parametrize("case", CASES, ids=[case.name for case in CASES])
MINOR = re.compile(r"-(\d+)\.(\d+)\.\d+-v1")

KNOWN: dict[str, dict[str, tuple[tuple[int, int], tuple[int, int]]]] = {
    "vllm": {
        "--is-prefill-worker": ((0, 8), (1, 3)),
        "--is-decode-worker": ((0, 8), (1, 3)),
        "--disaggregation-mode": ((1, 0), (9, 9)),
        "--kv-transfer-config": ((1, 0), (9, 9)),
    },
    "sglang": {
        "--cuda-graph-max-bs": ((0, 8), (1, 5)),
        "--cuda-graph-max-bs-decode": ((1, 6), (9, 9)),
        "--moe-dense-tp-size": ((1, 0), (9, 9)),
    },
    "trtllm": {
        "--publish-events-and-metrics": ((0, 8), (1, 4)),
        "--publish-kv-events": ((1, 5), (9, 9)),
    },
}
"""Flags that not every release knows, with the first and the last that does (dynamo contract, sections 4.2 to 4.5)."""

ALWAYS = {
    "vllm": {
        "--model", "--served-model-name", "--tensor-parallel-size", "--pipeline-parallel-size", "--data-parallel-size",
        "--enable-expert-parallel", "--kv-cache-dtype", "--max-model-len", "--max-num-seqs", "--max-num-batched-tokens",
        "--gpu-memory-utilization", "--enable-prefix-caching", "--no-enable-prefix-caching", "--kv-events-config",
        "--enable-eplb", "--eplb-config",
    },
    "sglang": {
        "--model-path", "--served-model-name", "--tensor-parallel-size", "--pipeline-parallel-size", "--host",
        "--data-parallel-size", "--enable-dp-attention", "--expert-parallel-size", "--kv-cache-dtype",
        "--context-length",
        "--max-running-requests", "--max-prefill-tokens", "--chunked-prefill-size", "--disable-radix-cache",
        "--kv-events-config", "--disaggregation-mode", "--disaggregation-transfer-backend", "--enable-eplb",
        "--disaggregation-bootstrap-port", "--ep-num-redundant-experts",
    },
    "trtllm": {"--model-path", "--served-model-name", "--extra-engine-args", "--disaggregation-mode"},
}  # fmt: skip
"""Flags that every release of the table knows."""


def test_there_are_hundreds_of_cases_and_no_two_are_one() -> None:
    assert len({case.name for case in CASES}) == len(CASES) >= 150


@EACH
def test_a_graph_of_the_matrix_fits_its_schema(case: Case) -> None:
    schemas = definitions.schemas("dynamographdeployments")

    written = _graph(case)

    assert written["apiVersion"] == f"nvidia.com/{case.api}"
    assert case.api not in schemas or structural.faults(written, schemas[case.api]) == []


@EACH
def test_a_graph_of_the_matrix_keeps_the_laws(case: Case) -> None:
    written = _graph(case)
    parts = views.of(written)
    workers = [part for part in parts if part.is_worker]

    assert sum(worker.gpus for worker in workers) == case.estimate.gpus
    assert all(worker.pod_gpus <= matrix.NODE_GPUS for worker in workers)
    assert all(part.requests == part.limits for part in parts)
    name = written["metadata"]["name"]
    longest = max(len(part.name) if part.nodes == 1 else 2 * len(part.name) + 4 for part in parts)
    assert len(name) + longest <= names.SET_NAME
    assert bool(written["spec"]["backendFramework"] == case.estimate.backend)


@EACH
def test_b23_no_flag_is_written_that_its_release_does_not_know(case: Case) -> None:
    told = MINOR.search(case.name)
    assert told is not None
    minor, backend = (int(told[1]), int(told[2])), case.estimate.backend

    for worker in (view for view in views.of(_graph(case)) if view.is_worker):
        for flag in plans.flags(worker.args):
            first, last = KNOWN[backend].get(flag, ((9, 9), (0, 0)))
            assert flag in ALWAYS[backend] or first <= minor <= last, flag


@pytest.mark.parametrize("backend", matrix.BACKENDS)
def test_every_network_meets_every_engine(backend: str) -> None:
    met = {case.site.fabric.profile for case in CASES if case.estimate.backend == backend}

    assert met == {network.profile for network in matrix.NETWORKS}


def _graph(case: Case) -> dict[str, Any]:
    return case.build().objects[-1]
