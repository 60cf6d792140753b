"""Malformed requests: each ends with a sentence that names the trouble, and the controller lives on."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from e2e import definitions
from e2e.cluster import Cluster, KubectlFailed
from e2e.definitions import Origin
from e2e.operator_process import OperatorProcess
from e2e.user import User, example, with_spec

MALFORMED: dict[str, tuple[dict[str, Any], str]] = {
    "a negative isl": ({"workload": {"isl": -4000}}, r"isl"),
    "an isl in words": ({"workload": {"isl": "many"}}, r"isl"),
    "an unknown model": ({"model": "Qwen/Qwen3-33B"}, r"Qwen3-33B.*Qwen/Qwen3-32B"),
    "no model": ({"model": ""}, r"model"),
    "two latencies": ({"sla": {"ttft": 600, "e2eLatency": 9000}}, r"e2eLatency"),
    "two loads": ({"workload": {"concurrency": 10, "requestRate": 2}}, r"requestRate|concurrency"),
    "no GPUs": ({"hardware": {"gpuSku": "h200_sxm", "totalGpus": 0, "numGpusPerNode": 8}}, r"totalGpus"),
    "a misspelt GPU": ({"hardware": {"gpuSku": "h200_smx", "totalGpus": 8}}, r"gpuSku.*h200_sxm"),
    "a misspelt engine": ({"backend": "vlm"}, r"backend.*vllm"),
    "a time before now": ({"sla": {"ttft": -1}}, r"ttft"),
    "a thorough search of everything": ({"backend": "auto", "searchStrategy": "thorough"}, r"searchStrategy|thorough"),
    "a planner of no mode": ({"features": {"planner": {"mode": "both"}}}, r"planner"),
}
UNTYPED: dict[str, tuple[Any, str]] = {
    "a spec that is a sentence": ("please serve a model", r"spec"),
    "a spec that is a list": ([1, 2, 3], r"spec"),
    "no spec at all": (None, r"spec"),
    "a model that is a number": ({"model": 3}, r"model"),
    "a workload that is a list": ({"model": "Qwen/Qwen3-32B-FP8", "workload": []}, r"workload"),
    "an isl beyond all numbers": ({"model": "Qwen/Qwen3-32B-FP8", "workload": {"isl": 10**18}}, r"isl"),
    "an unknown field": ({"model": "Qwen/Qwen3-32B-FP8", "wrokload": {"isl": 1}}, r"wrokload.*workload"),
    "autoApply in words": ({"model": "Qwen/Qwen3-32B-FP8", "autoApply": "yes"}, r"autoApply"),
    "hardware that is text": ({"model": "Qwen/Qwen3-32B-FP8", "hardware": "8 x H200"}, r"hardware"),
    "GPUs in fractions": ({"model": "Qwen/Qwen3-32B-FP8", "hardware": {"totalGpus": 2.5}}, r"totalGpus"),
}


@pytest.fixture
def permissive(cluster: Cluster, crds: Origin) -> Iterator[None]:
    """Requests of any shape are let through to the controller while this lasts."""
    if not cluster.disposable:
        pytest.skip("this cluster's definitions belong to somebody else")
    strict, *_ = definitions.read(crds)
    versions = [{**version, "schema": {"openAPIV3Schema": OPEN}} for version in strict["spec"]["versions"]]
    cluster.apply({**strict, "spec": {**strict["spec"], "versions": versions}})
    yield
    cluster.kubectl("delete", "dgdr", "--all", "--all-namespaces")
    cluster.apply(strict)


OPEN = {"type": "object", "x-kubernetes-preserve-unknown-fields": True}


def _outcome(user: User, apply: Callable[[], None]) -> str:
    """What the user is told: by the API server at once, or by the request's status."""
    try:
        apply()
    except KubectlFailed as refusal:
        return refusal.words
    user.wait("odd", "Failed")
    return user.message("odd")


@pytest.mark.parametrize("case", MALFORMED)
def test_a_malformed_request_gets_a_sentence(
    operator: OperatorProcess, user: User, case: str, capsys: pytest.CaptureFixture[str]
) -> None:
    fields, expected = MALFORMED[case]

    said = _outcome(user, lambda: user.apply(with_spec(example("01", "odd"), **fields)))

    _say(capsys, case, said)
    assert_names(said, expected)
    assert user.graphs() == []
    _still_at_work(operator, user)


@pytest.mark.usefixtures("permissive")
@pytest.mark.parametrize("case", UNTYPED)
def test_a_request_of_any_shape_gets_a_sentence(
    operator: OperatorProcess, user: User, case: str, capsys: pytest.CaptureFixture[str]
) -> None:
    spec, expected = UNTYPED[case]
    body = {**example("01", "odd"), "spec": spec}

    said = _outcome(user, lambda: user.apply(body))

    _say(capsys, case, said)
    assert_names(said, expected)
    _still_at_work(operator, user)


def assert_names(said: str, expected: str) -> None:
    """The sentence is about the right thing, and is a sentence."""
    assert re.search(expected, said, re.DOTALL), said
    assert "Traceback" not in said


def _still_at_work(operator: OperatorProcess, user: User) -> None:
    assert operator.running
    assert '"traceback"' not in operator.words()
    user.apply(example("01", "sound"))
    user.wait("sound", "Deploying")


def _say(capsys: pytest.CaptureFixture[str], case: str, said: str) -> None:
    with capsys.disabled():
        print(f"\n    {case}: {' '.join(said.split())[:200]}", end="")  # noqa: T201 - the sentences are the result
