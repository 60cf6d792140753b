"""Defects that generated graphs are known for elsewhere; each has a number, and none may come back."""

from collections.abc import Mapping
from typing import Any

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

from dgdr_operator import inventory
from dgdr_operator.errors import InvalidSpec
from dgdr_operator.manifest import checks, graph, releases, storage, views
from dgdr_operator.manifest.fabric import Fabric
from dgdr_operator.manifest.sites import Place, Site
from dgdr_operator.manifest.views import View
from dgdr_operator.request import HardwareRequest, Identity, ModelCache, Overrides, Runtime
from estimator.estimates import Estimate
from tests.manifests import plans

RELEASES = [f"{major}.{minor}.0" for major, minor in (release.minor for release in releases.RELEASES)]
BACKENDS = ["vllm", "sglang", "trtllm"]


def _views(estimate: Estimate, site: Site) -> list[View]:
    return views.of(graph.build(estimate, site).objects[-1])


def _workers(estimate: Estimate, site: Site) -> list[View]:
    return [view for view in _views(estimate, site) if view.is_worker]


@pytest.fixture(params=BACKENDS)
def backend(request: pytest.FixtureRequest) -> str:
    """Every engine in turn."""
    return str(request.param)


@pytest.fixture
def apart(backend: str, disaggregated: Estimate) -> Estimate:
    """A disaggregated plan of that engine."""
    return plans.an_estimate(*disaggregated.workers, backend=backend)


@pytest.fixture
def together(backend: str, aggregated: Estimate) -> Estimate:
    """An aggregated plan of that engine."""
    return plans.an_estimate(*aggregated.workers, replicas=aggregated.replicas, backend=backend)


@pytest.mark.parametrize("release", RELEASES)
def test_b01_every_disaggregated_worker_is_told_its_role_in_words_its_version_knows(
    apart: Estimate, release: str
) -> None:
    legacy = apart.backend == "vllm" and release.startswith("0.")

    for worker in _workers(apart, plans.a_site(release)):
        told = f"--is-{worker.kind}-worker" in worker.args

        assert told == legacy
        assert worker.value("--disaggregation-mode") == (None if legacy else worker.kind)


@pytest.mark.parametrize("release", [release for release in RELEASES if release >= "1.0"])
def test_b02_vllm_workers_that_run_apart_name_their_connector(disaggregated: Estimate, release: str) -> None:
    connectors = {worker.value("--kv-transfer-config") for worker in _workers(disaggregated, plans.a_site(release))}

    assert connectors == {'{"kv_connector":"NixlConnector","kv_role":"kv_both"}'}


def test_b03_sglang_workers_that_run_apart_can_be_reached(disaggregated: Estimate) -> None:
    for worker in _workers(plans.an_estimate(*disaggregated.workers, backend="sglang"), plans.a_site()):
        assert worker.value("--host") == "0.0.0.0"  # noqa: S104 -- what the flag has to say
        assert worker.value("--disaggregation-bootstrap-port") == "12345"
        assert worker.value("--disaggregation-transfer-backend") == "nixl"


@pytest.mark.parametrize("release", RELEASES)
def test_b04_aggregated_workers_have_no_role(together: Estimate, release: str) -> None:
    (worker,) = _workers(together, plans.a_site(release))

    assert not [argument for argument in worker.args if "disaggregation" in argument or argument.startswith("--is-")]


@given(node_gpus=st.sampled_from([1, 2, 4, 8]), gpus=st.sampled_from([8, 16, 32]))
def test_b05_a_pod_never_asks_for_more_gpus_than_a_node_has(node_gpus: int, gpus: int) -> None:
    plan = plans.an_estimate(plans.a_worker("aggregated", tp=gpus), backend="sglang")

    (worker,) = _workers(plan, plans.a_site(place=Place(node_gpus=node_gpus, gpu_capacity=141e9)))

    assert worker.pod_gpus <= node_gpus
    assert worker.nodes * worker.pod_gpus == gpus


def test_b06_components_together_use_the_gpus_of_the_plan(apart: Estimate) -> None:
    assert sum(worker.gpus for worker in _workers(apart, plans.a_site())) == apart.gpus == 8


def test_b07_no_rack_wide_claims_are_made(apart: Estimate) -> None:
    written = str(graph.build(apart, plans.a_site()).objects)

    assert "resourceClaims" not in written
    assert "ComputeDomain" not in written


def test_b08_expert_and_attention_parallel_sizes_reach_the_command_line() -> None:
    worker = plans.a_worker("aggregated", tp=1, dp=8, moe_ep=8, batch=16)

    (vllm,) = _workers(plans.an_estimate(worker), plans.a_site())
    (sglang,) = _workers(plans.an_estimate(worker, backend="sglang"), plans.a_site())

    assert "--enable-expert-parallel" in vllm.args
    assert vllm.value("--data-parallel-size") == "8"
    assert (sglang.value("--tensor-parallel-size"), sglang.value("--data-parallel-size")) == ("8", "8")
    assert sglang.value("--expert-parallel-size") == "8"
    assert "--enable-dp-attention" in sglang.args


def _engine_file(estimate: Estimate, site: Site, role: str) -> Mapping[str, Any]:
    config = graph.build(estimate, site).objects[0]
    content: Mapping[str, Any] = yaml.safe_load(config["data"][f"{role}.yaml"])
    return content


@given(batch=st.integers(1, 2048))
def test_b09_captured_batches_are_sorted_unique_and_end_with_the_largest(batch: int) -> None:
    plan = plans.an_estimate(plans.a_worker("aggregated", tp=2, batch=batch), backend="trtllm")

    content = _engine_file(plan, plans.a_site(), "aggregated")
    sizes = content["cuda_graph_config"]["batch_sizes"]

    assert sizes == sorted(set(sizes))
    assert sizes[-1] == content["max_batch_size"] == batch


def test_b10_the_engine_file_says_how_much_memory_the_cache_may_take(disaggregated: Estimate) -> None:
    plan = plans.an_estimate(*disaggregated.workers, backend="trtllm")

    for role in ("prefill", "decode"):
        cache = _engine_file(plan, plans.a_site(), role)["kv_cache_config"]

        assert 0 < cache["free_gpu_memory_fraction"] < 1


def test_b11_lengths_of_the_request_reach_every_limit(aggregated: Estimate) -> None:
    (worker,) = _workers(aggregated, plans.a_site())

    assert worker.value("--max-model-len") == str(4000 + 500 + 1500)
    assert worker.value("--max-num-batched-tokens") == str(aggregated.workers[0].max_num_tokens)


@pytest.mark.parametrize(
    ("inside", "opened"),
    [
        ("qwen", "/opt/models/qwen"),
        ("/qwen/", "/opt/models/qwen"),
        ("/opt/models/qwen", "/opt/models/qwen"),
        ("/opt/models", "/opt/models"),
        ("/opt/models-old/qwen", "/opt/models/opt/models-old/qwen"),
        ("/", "/opt/models"),
    ],
)
def test_b12_a_model_path_is_joined_to_the_mount_once(inside: str, opened: str) -> None:
    cache = ModelCache(claim="model-cache", mount="/opt/models", model_path=inside)

    assert storage.model_argument("Qwen/Qwen3-32B-FP8", cache) == opened


@pytest.mark.parametrize("api", ["v1alpha1", "v1beta1"])
def test_b13_b14_every_component_mounts_the_claim_and_caches_there(apart: Estimate, api: str) -> None:
    parts = _views(apart, plans.a_site(api=api))

    assert {part.mounts for part in parts} == {("/opt/models",)}
    assert {part.env["HF_HOME"] for part in parts} == {"/opt/models"}


@pytest.mark.parametrize("api", ["v1alpha1", "v1beta1"])
def test_b15_tolerations_reach_workers_and_frontend(apart: Estimate, api: str) -> None:
    toleration = {"key": "dedicated", "operator": "Exists", "effect": "NoSchedule"}
    site = plans.a_site(api=api, overrides=Overrides(tolerations=(toleration, toleration)))

    spec = graph.build(apart, site).objects[-1]["spec"]

    pods = [part["extraPodSpec"] for part in spec.get("services", {}).values()]
    pods += [part["podTemplate"]["spec"] for part in spec.get("components", ())]
    assert len(pods) == 3
    assert [pod["tolerations"] for pod in pods] == [[toleration]] * 3


@pytest.mark.parametrize("release", RELEASES)
def test_b16_every_image_carries_the_target_release(apart: Estimate, release: str) -> None:
    images = {part.main["image"] for part in _views(apart, plans.a_site(release))}

    assert images == {f"nvcr.io/nvidia/ai-dynamo/{releases.RUNTIMES[apart.backend]}:{release}"}


def test_b17_rdma_is_asked_for_exactly_where_keys_and_values_move(apart: Estimate, together: Estimate) -> None:
    asked = {part.name: part.limits.get("rdma/ib") for part in _views(apart, plans.a_site())}

    assert asked == {"Frontend": None, "prefill": "2", "decode": "4"}
    assert all("rdma/ib" not in part.limits for part in _views(together, plans.a_site()))
    for worker in _workers(apart, plans.a_site()):
        assert "cuda_copy" in worker.env["UCX_TLS"].split(",")


def test_b18_every_worker_sets_its_shared_memory(apart: Estimate) -> None:
    sizes = {worker.shared_memory for worker in _workers(apart, plans.a_site())}

    assert sizes == {"80Gi" if apart.backend == "trtllm" else "16Gi"}


@pytest.mark.parametrize("length", [1, 37, 38, 39, 63])
def test_b19_names_fit_the_longest_component_whatever_the_request_is_called(apart: Estimate, length: int) -> None:
    for api in ("v1alpha1", "v1beta1"):
        site = plans.a_site(api=api, identity=Identity(name="n" * length, namespace="inference"))

        written = graph.build(apart, site).objects[-1]

        longest = max(len(part.name) for part in views.of(written))
        assert len(written["metadata"]["name"]) + longest <= 45


def test_b20_two_requests_that_ask_the_same_get_two_graphs(aggregated: Estimate) -> None:
    sites = [plans.a_site(identity=Identity(name=name, namespace="inference")) for name in ("a", "b")]

    names = {graph.build(aggregated, site).objects[-1]["metadata"]["name"] for site in sites}

    assert names == {"a-dgd", "b-dgd"}


@pytest.mark.parametrize("api", ["v1alpha1", "v1beta1"])
def test_b21_a_frontend_has_a_command_with_arguments_or_neither(together: Estimate, api: str) -> None:
    frontend = _views(together, plans.a_site(api=api))[0]

    assert ("command" in frontend.main) == ("args" in frontend.main)


@pytest.mark.parametrize("product", ["NVIDIA-H20", "NVIDIA-RTX-PRO-6000", "NVIDIA-H100-MIG-1g.10gb", "", "???"])
def test_b22_a_product_without_a_sku_is_named_and_not_guessed(product: str) -> None:
    node = {
        "metadata": {"labels": {"nvidia.com/gpu.product": product}},
        "status": {"allocatable": {"nvidia.com/gpu": "8"}},
    }
    asked = plans.a_request(hardware=HardwareRequest())

    with pytest.raises(InvalidSpec) as refused:
        inventory.complete(asked, inventory.read([node]))

    assert refused.value.path == "spec.hardware.gpuSku"
    assert (product or "no product label") in refused.value.problem


def test_b24_sglang_names_the_float_format_of_its_cache(aggregated: Estimate) -> None:
    plan = plans.an_estimate(*aggregated.workers, replicas=4, backend="sglang")

    assert _workers(plan, plans.a_site())[0].value("--kv-cache-dtype") == "fp8_e4m3"
    assert _workers(plan, plans.a_site(kv_dtype="auto"))[0].value("--kv-cache-dtype") == "auto"


def test_b25_the_model_is_served_under_the_name_that_was_asked_for(apart: Estimate) -> None:
    cache = ModelCache(claim="model-cache", mount="/opt/models", model_path="snapshots/1")

    for worker in _workers(apart, plans.a_site(model_cache=cache)):
        assert worker.value("--served-model-name") == "Qwen/Qwen3-32B-FP8"


def test_a_pair_of_roles_agrees_on_cache_format_and_context(apart: Estimate) -> None:
    if apart.backend == "trtllm":
        files = [_engine_file(apart, plans.a_site(), role) for role in ("prefill", "decode")]
        told = {(content["kv_cache_config"]["dtype"], content["max_seq_len"]) for content in files}
    else:
        length = "--max-model-len" if apart.backend == "vllm" else "--context-length"
        workers = _workers(apart, plans.a_site())
        told = {(worker.value("--kv-cache-dtype"), worker.value(length)) for worker in workers}

    assert len(told) == 1


def test_every_emitted_graph_passes_the_checks_it_was_built_with(apart: Estimate) -> None:
    built = graph.build(apart, plans.a_site()).objects[-1]

    checks.accepted(built)
    checks.generated(built, gpus=8, node_gpus=8, model="Qwen/Qwen3-32B-FP8")


def test_without_rdma_nothing_of_it_is_written(apart: Estimate) -> None:
    for worker in _workers(apart, plans.a_site(fabric=Fabric(profile="tcp"))):
        assert "UCX_TLS" not in worker.env
        assert set(worker.limits) == {"nvidia.com/gpu"}


def test_an_image_whose_tag_is_no_version_is_told_apart(aggregated: Estimate) -> None:
    target = releases.target(Runtime(image="registry.local:5000/dynamo/x:nightly", version="1.3.0"), "1.4.0", "none")

    part = graph.build(aggregated, plans.a_site(target=target)).objects[-1]["spec"]["components"][1]

    assert part["runtimeVersionOverride"] == "1.3.0"
    assert part["podTemplate"]["spec"]["containers"][0]["image"] == "registry.local:5000/dynamo/vllm-runtime:nightly"
