"""A bad request is refused by field, with the value, what is allowed and the nearest choice; whatever it is."""

import pickle
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dgdr_operator import spec
from dgdr_operator.errors import InvalidSpec
from dgdr_operator.request import DeploymentRequest
from tests.refusing.requests import body

REFUSED: list[tuple[dict[str, Any], str, str]] = [
    ({"model": None}, "spec.model", "must be text, not null"),
    ({"model": ""}, "spec.model", "must be one word without blanks and without a leading dash, not ''"),
    ({"model": "--trust-remote-code"}, "spec.model", "must be one word without blanks and without a leading dash"),
    ({"backend": "vlm"}, "spec.backend", "did you mean vllm?"),
    ({"worklod": {}}, "spec.worklod", "did you mean workload?"),
    ({"workload": {"isl": -3}}, "spec.workload.isl", "must be more than 0, not -3"),
    ({"workload": {"isl": 0}}, "spec.workload.isl", "must be more than 0, not 0"),
    ({"workload": {"isl": "4000"}}, "spec.workload.isl", "must be a whole number, not '4000'"),
    ({"workload": {"isl": 1.5}}, "spec.workload.isl", "must be a whole number, not 1.5"),
    ({"workload": {"isl": True}}, "spec.workload.isl", "must be a whole number, not true"),
    ({"workload": {"osl": 2**40}}, "spec.workload.osl", "must be at most 2147483647"),
    ({"workload": {"osl": 10**5000}}, "spec.workload.osl", "a number of more than 60 digits"),
    ({"workload": []}, "spec.workload", "must be an object, not a list"),
    ({"workload": {"concurrency": 1, "requestRate": 1}}, "spec.workload", "has both concurrency and requestRate"),
    ({"sla": {"ttft": float("nan")}}, "spec.sla.ttft", "must be a finite number"),
    ({"sla": {"ttft": 0}}, "spec.sla.ttft", "must be more than 0, not 0"),
    ({"sla": {"ttft": 5e-324}}, "spec.sla.ttft", "must be at least 1e-06, not 5e-324"),
    ({"sla": {"ttft": "600"}}, "spec.sla.ttft", "must be a number, not '600'"),
    ({"sla": {"ttft": 600, "e2eLatency": 9000}}, "spec.sla", "has both e2eLatency and ttft"),
    ({"sla": {"itl": 6, "ttft": 9, "e2eLatency": 9000}}, "spec.sla", "has both e2eLatency and ttft and itl"),
    ({"sla": {"optimizationType": "cost"}}, "spec.sla.optimizationType", "must be latency or throughput, not 'cost'"),
    ({"hardware": {"gpuSku": "h200"}}, "spec.hardware.gpuSku", "did you mean h200_sxm?"),
    ({"hardware": {"totalGpus": 0}}, "spec.hardware.totalGpus", "must be more than 0, not 0"),
    ({"hardware": {"totalGpus": 24039}}, "spec.hardware.totalGpus", "must be at most 1024, not 24039"),
    ({"hardware": {"interconnect": "nvlnk"}}, "spec.hardware.interconnect", "did you mean nvlink?"),
    ({"hardware": {"rdma": "yes"}}, "spec.hardware.rdma", "must be true or false, not 'yes'"),
    ({"searchStrategy": "thorough"}, "spec.searchStrategy", "thorough needs one backend"),
    ({"features": {"planner": {"mode": "both"}}}, "spec.features.planner.mode", "must be agg or disagg or prefill"),
    ({"features": {"planner": True}}, "spec.features.planner", "must be an object"),
    ({"features": {"mocker": {"enabled": "yes"}}}, "spec.features.mocker.enabled", "must be true or false"),
    ({"modelCache": {"pvcModelPath": "qwen"}}, "spec.modelCache.pvcName", "is required with pvcModelPath"),
    ({"modelCache": {"pvcName": "Cache"}}, "spec.modelCache.pvcName", "must be the name of a claim"),
    ({"modelCache": {"pvcName": "a", "pvcMountPath": "models"}}, "spec.modelCache.pvcMountPath", "absolute path"),
    ({"modelCache": {"pvcName": "a", "pvcMountPath": "/root/m"}}, "spec.modelCache.pvcMountPath", "home directories"),
    ({"modelCache": {"pvcName": "a", "pvcModelPath": "../x"}}, "spec.modelCache.pvcModelPath", "must not step out"),
    ({"image": "a b"}, "spec.image", "must be one word"),
    ({"runtimeVersionOverride": "1.4"}, "spec.runtimeVersionOverride", "such as 1.4.0, not '1.4'"),
    ({"autoApply": "false"}, "spec.autoApply", "must be true or false, not 'false'"),
    ({"overrides": {"dgd": {"kind": "Pod"}}}, "spec.overrides.dgd.apiVersion", "not null"),
    ({"overrides": {"profilingJob": {"template": 3}}}, "spec.overrides.profilingJob.template", "must be an object"),
]


@pytest.mark.parametrize(("change", "path", "problem"), REFUSED)
def test_a_bad_spec_names_the_field_and_what_is_wrong(change: dict[str, Any], path: str, problem: str) -> None:
    with pytest.raises(InvalidSpec) as refused:
        spec.read(body(**change))

    assert refused.value.path == path
    assert problem in refused.value.problem


@pytest.mark.parametrize("nothing", [None, 3, "text", [], {}, {"metadata": {}}, {"spec": {}}, float("nan")])
def test_what_is_no_request_at_all_is_refused(nothing: object) -> None:
    with pytest.raises(InvalidSpec):
        spec.read(nothing)


@pytest.mark.parametrize("name", ["Qwen", "-a", "a.b", "a" * 64, "", 3, None])
def test_a_name_that_no_label_can_carry_is_refused(name: Any) -> None:  # noqa: ANN401 -- any wrong name
    with pytest.raises(InvalidSpec) as refused:
        spec.read(body(name=name))

    assert refused.value.path == "metadata.name"


@pytest.mark.parametrize(
    ("annotation", "value", "problem"),
    [
        ("drft", "report", "did you mean drift?"),
        ("drift", "corect", "did you mean correct?"),
        ("drift", True, "must be text in quotes, not true"),
        ("kv-router", "yes", "must be false or true"),
        ("mode", "plugn", "did you mean plugin?"),
        ("pause", "yes", "must be false or true"),
        ("on-infeasible", "best", "must be fail or best-effort, not 'best'; did you mean best-effort?"),
    ],
)
def test_an_annotation_of_ours_is_checked_like_a_field(annotation: str, value: object, problem: str) -> None:
    with pytest.raises(InvalidSpec) as refused:
        spec.read(body(annotations={f"dgdr-operator.io/{annotation}": value}))

    assert problem in refused.value.problem


def test_several_mistakes_are_told_at_once() -> None:
    with pytest.raises(InvalidSpec) as refused:
        spec.read(body(backend="vlm", workload={"isl": -1}, hardware={"totalGpus": 0}))

    paths = [path for path, _ in refused.value.problems]
    assert paths == ["spec.backend", "spec.hardware.totalGpus", "spec.workload.isl"]
    assert all(path in str(refused.value) for path in paths)


def test_an_override_says_where_it_is_null() -> None:
    graph = {"apiVersion": "nvidia.com/v1beta1", "kind": "DynamoGraphDeployment", "spec": {"components": [{"a": None}]}}

    with pytest.raises(InvalidSpec) as refused:
        spec.read(body(overrides={"dgd": graph}))

    assert refused.value.path == "spec.overrides.dgd.spec.components[0].a"


def test_a_v1alpha1_request_is_answered_in_its_own_words() -> None:
    config = {"sla": {"isl": -1, "ttfft": 3}}

    with pytest.raises(InvalidSpec) as unknown:
        spec.read(body(version="v1alpha1", backend="vllm", profilingConfig={"profilerImage": "x", "config": config}))
    del config["sla"]["ttfft"]
    with pytest.raises(InvalidSpec) as negative:
        spec.read(body(version="v1alpha1", backend="vllm", profilingConfig={"profilerImage": "x", "config": config}))

    assert unknown.value.path == "spec.profilingConfig.config.sla.ttfft"
    assert negative.value.path == "spec.profilingConfig.config.sla.isl"


def test_a_refusal_survives_the_way_between_processes() -> None:
    refusal = InvalidSpec((("spec.model", "is required"), ("spec.workload.isl", "must be more than 0, not -1")))

    copy = pickle.loads(pickle.dumps(refusal))

    assert (str(copy), copy.problems) == (str(refusal), refusal.problems)


LEAVES = st.one_of(
    st.none(), st.booleans(), st.integers(), st.just(10**400), st.floats(), st.text(max_size=20),
    st.text(st.characters(categories=["Cs", "Cc"]), max_size=5), st.sampled_from(["vllm", "h200_sxm", "/opt", "1.4.0"]),
)  # fmt: skip
WORDS = st.sampled_from([
    "model", "backend", "workload", "isl", "osl", "concurrency", "sla", "ttft", "e2eLatency", "hardware", "gpuSku",
    "totalGpus", "modelCache", "pvcName", "pvcMountPath", "overrides", "dgd", "profilingJob", "template", "spec",
    "metadata", "name", "annotations", "features", "planner", "profilingConfig", "config", "profilerImage",
    "deploymentOverrides", "apiVersion", "kind", "dgdr-operator.io/drift", "tolerations", "deployment", "labels",
])  # fmt: skip
KEYS = st.one_of(WORDS, st.text(max_size=5), st.integers(), st.none())
TREES = st.recursive(
    LEAVES,
    lambda below: st.one_of(st.lists(below, max_size=3), st.dictionaries(KEYS, below, max_size=5)),
    max_leaves=15,
)


@given(tree=TREES)
def test_no_tree_whatsoever_raises_anything_else(tree: object) -> None:
    assert _read(tree) is not None


@given(tree=st.dictionaries(WORDS, TREES, max_size=6), version=st.sampled_from(["v1beta1", "v1alpha1", "v9"]))
def test_no_spec_whatsoever_raises_anything_else(tree: dict[str, Any], version: str) -> None:
    document = body(version=version)

    assert _read({**document, "spec": {**document["spec"], **tree}}) is not None


@given(field=WORDS, tree=TREES)
def test_no_part_of_a_spec_raises_anything_else(field: str, tree: object) -> None:
    document = body()
    document["spec"][field] = tree

    assert _read(document) is not None


@given(metadata=st.dictionaries(WORDS, TREES, max_size=4))
def test_no_metadata_raises_anything_else(metadata: dict[str, Any]) -> None:
    document = body()
    document["metadata"] |= metadata

    assert _read(document) is not None


def test_a_tree_of_any_depth_is_refused_and_not_followed() -> None:
    tree: Any = {}
    for _ in range(100_000):
        tree = {"a": tree}

    with pytest.raises(InvalidSpec, match="nested deeper than 100 levels"):
        spec.read(body(overrides={"dgd": tree}))


def _read(tree: object) -> DeploymentRequest | str:
    """The request, or a refusal that says where and what."""
    try:
        return spec.read(tree)
    except InvalidSpec as refusal:
        assert all(path and problem for path, problem in refusal.problems)  # noqa: PT017 -- either outcome is right
        str(refusal).encode()
        return str(refusal)
