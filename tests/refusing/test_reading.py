"""A good request becomes nouns in SI units, complete, in either version."""

from typing import Any

import pytest

from dgdr_operator import spec
from dgdr_operator.request import HardwareRequest, Knobs, ModelCache, Runtime
from estimator.workload import Targets, Workload
from tests.refusing.requests import body


def test_a_model_is_all_one_has_to_say() -> None:
    request = spec.read(body())

    assert request.model == "Qwen/Qwen3-32B-FP8"
    assert request.runtime == Runtime(backend="auto")
    assert request.workload == Workload(isl=4000, osl=1000)
    assert request.targets == Targets(ttft=2.0, itl=0.03)
    assert request.hardware == HardwareRequest()
    assert request.model_cache is None
    assert request.policy.auto_apply is True
    assert request.knobs == Knobs()


def test_milliseconds_and_mebibytes_become_seconds_and_bytes() -> None:
    request = spec.read(body(sla={"ttft": 600, "itl": 16.67}, hardware={"vramMb": 143771}))

    assert (request.targets.ttft, request.targets.itl) == pytest.approx((0.6, 0.01667))
    assert request.hardware.vram == 143771 * 2**20


def test_a_promise_given_alone_keeps_the_others_default() -> None:
    assert spec.read(body(sla={"ttft": 500})).targets == Targets(ttft=0.5, itl=0.03)
    assert spec.read(body(sla={"itl": 10})).targets == Targets(ttft=2.0, itl=0.01)


def test_a_promise_about_the_whole_request_stands_alone() -> None:
    assert spec.read(body(sla={"e2eLatency": 10000})).targets == Targets(e2e=10.0)


def test_null_is_as_good_as_silence() -> None:
    quiet: dict[str, Any] = {
        "workload": None,
        "sla": None,
        "hardware": {"rdma": None},
        "modelCache": None,
        "overrides": None,
    }

    assert spec.read(body(**quiet)) == spec.read(body())


def test_the_claim_is_mounted_where_the_schema_says_unless_told_otherwise() -> None:
    named = spec.read(body(modelCache={"pvcName": "weights"})).model_cache
    told = spec.read(body(modelCache={"pvcName": "weights", "pvcMountPath": "/opt/models/"})).model_cache

    assert named == ModelCache(claim="weights", mount="/opt/model-cache")
    assert told == ModelCache(claim="weights", mount="/opt/models")


def test_annotations_become_knobs() -> None:
    knobs = spec.read(
        body(annotations={
            "dgdr-operator.io/drift": "report",
            "dgdr-operator.io/prefix-caching": "true",
            "dgdr-operator.io/hf-secret": "",
            "kubectl.kubernetes.io/last-applied-configuration": "{}",
        })
    ).knobs  # fmt: skip

    assert knobs == Knobs(drift="report", prefix_caching=True, hf_secret="")


def test_tolerations_of_the_profiling_job_are_kept() -> None:
    toleration = {"key": "nvidia.com/gpu", "operator": "Exists"}
    pod = {"containers": [], "tolerations": [toleration]}

    request = spec.read(body(overrides={"profilingJob": {"template": {"spec": pod}}}))

    assert request.overrides.tolerations == (toleration,)


def test_a_v1alpha1_request_says_the_same_in_other_places() -> None:
    config = {
        "sla": {"isl": 3000, "osl": 150, "ttft": 200, "itl": 20},
        "deployment": {"modelCache": {"pvcName": "weights", "modelPathInPvc": "qwen", "pvcMountPath": "/opt/models"}},
        "sweep": {"anything": 1},
    }
    old = body(
        version="v1alpha1",
        backend="vllm",
        profilingConfig={"profilerImage": "nvcr.io/nvidia/ai-dynamo/dynamo-frontend:0.8.0", "config": config},
        deploymentOverrides={"name": "mine", "labels": {"team": "a"}},
    )
    cache = {"pvcName": "weights", "pvcModelPath": "qwen", "pvcMountPath": "/opt/models"}
    new = body(
        backend="vllm",
        image="nvcr.io/nvidia/ai-dynamo/dynamo-frontend:0.8.0",
        workload={"isl": 3000, "osl": 150},
        sla={"ttft": 200, "itl": 20},
        modelCache=cache,
        autoApply=False,
    )

    read, expected = spec.read(old), spec.read(new)

    assert read.overrides.graph is not None
    assert read.overrides.graph["metadata"] == {"name": "mine", "labels": {"team": "a"}}
    for noun in ("model", "runtime", "hardware", "workload", "targets", "model_cache", "policy", "knobs"):
        assert getattr(read, noun) == getattr(expected, noun)


def test_the_older_version_waits_to_be_applied_and_the_newer_does_not() -> None:
    old = body(version="v1alpha1", backend="vllm", profilingConfig={"profilerImage": "x:1.0.0"})

    assert spec.read(old).policy.auto_apply is False
    assert spec.read(body()).policy.auto_apply is True


def test_an_object_out_of_a_list_has_no_kind_and_is_read_as_v1beta1() -> None:
    listed = {key: value for key, value in body().items() if key not in {"apiVersion", "kind"}}

    assert spec.read(listed) == spec.read(body())
