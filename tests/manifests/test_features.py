"""What a request switches on beyond serving: routing by prefix, mocked workers, EFA, claims that are made."""

from dataclasses import replace

import pytest

from dgdr_operator.errors import InvalidSpec, ManifestError
from dgdr_operator.manifest import graph, views
from dgdr_operator.manifest.fabric import Fabric
from dgdr_operator.manifest.sites import Place, Site
from dgdr_operator.manifest.views import View
from dgdr_operator.request import Knobs, ModelCache, NewClaim
from dgdr_operator.settings import PodSettings, Settings
from estimator.estimates import Estimate
from tests.manifests import definitions, plans, structural

EFA = Fabric(profile="efa", resource="vpc.amazonaws.com/efa", devices=32, nodes=4, of=4)
GKE = Fabric(
    profile="roce-gke",
    resource="networking.gke.io.networks/rdma-0",
    others=("networking.gke.io.networks/rdma-1",),
    devices=1,
    nodes=4,
    of=4,
)


def parts(estimate: Estimate, site: Site) -> dict[str, View]:
    """The components by kind, of a graph that fits its schema."""
    written = graph.build(estimate, site).objects[-1]
    schemas = definitions.schemas("dynamographdeployments")
    assert site.api not in schemas or structural.faults(written, schemas[site.api]) == []
    return {view.kind: view for view in views.of(written)}


def notes(estimate: Estimate, site: Site) -> str:
    """All sentences about the graph."""
    return "; ".join(graph.build(estimate, site).notes)


@pytest.fixture(params=["v1alpha1", "v1beta1"])
def api(request: pytest.FixtureRequest) -> str:
    """Either version."""
    return str(request.param)


@pytest.mark.parametrize(
    ("backend", "release", "told"),
    [
        ("vllm", "1.4.0", "--kv-events-config"),
        ("sglang", "1.4.0", "--kv-events-config"),
        ("trtllm", "1.4.0", "--publish-events-and-metrics"),
        ("trtllm", "1.5.0", "--publish-kv-events"),
    ],
)
def test_routing_by_prefix_takes_a_router_and_workers_that_tell(
    aggregated: Estimate, backend: str, release: str, told: str
) -> None:
    plan = replace(aggregated, backend=backend)
    site = plans.a_site(release, knobs=Knobs(kv_router=True))

    found = parts(plan, site)

    assert found["frontend"].env["DYN_ROUTER_MODE"] == "kv"
    assert told in found["worker"].args
    assert not {"--no-enable-prefix-caching", "--disable-radix-cache"} & set(found["worker"].args)
    if backend == "trtllm":
        assert "enable_block_reuse: true" in graph.build(plan, site).objects[0]["data"]["aggregated.yaml"]


def test_without_routing_no_worker_tells(aggregated: Estimate) -> None:
    found = parts(aggregated, plans.a_site())

    assert "DYN_ROUTER_MODE" not in found["frontend"].env
    assert "--kv-events-config" not in found["worker"].args


@pytest.mark.parametrize("backend", ["vllm", "sglang", "trtllm"])
def test_mocked_workers_use_no_gpu_and_no_network(disaggregated: Estimate, backend: str, api: str) -> None:
    site = plans.a_site(api=api, knobs=Knobs(mocker=True))
    plan = replace(disaggregated, backend=backend)

    found = parts(plan, site)

    assert list(found) == ["frontend", "prefill", "decode"]
    assert all(not part.limits and "UCX_TLS" not in part.env for part in found.values())
    assert {part.main["image"].rsplit("/", 1)[1] for part in found.values()} == {"dynamo-planner:1.4.0"}
    for role in ("prefill", "decode"):
        assert found[role].main["command"] == ["python3", "-m", "dynamo.mocker"]
        assert found[role].value("--disaggregation-mode") == role
        assert found[role].value("--model-name") == plans.MODEL
    assert "use no GPU" in notes(plan, site)


def test_mocked_workers_of_an_aggregated_plan_still_come_in_a_pair(aggregated: Estimate) -> None:
    assert set(parts(aggregated, plans.a_site(knobs=Knobs(mocker=True)))) == {"frontend", "prefill", "decode"}


def test_mocked_workers_of_old_releases_are_refused(aggregated: Estimate) -> None:
    with pytest.raises(InvalidSpec, match=r"needs Dynamo 1\.0 or newer") as refused:
        graph.build(aggregated, plans.a_site("0.9.0", knobs=Knobs(mocker=True)))

    assert refused.value.path == "spec.features.mocker.enabled"


@pytest.mark.parametrize(
    ("release", "backend", "suffix"),
    [("1.4.0", "sglang", "-efa"), ("1.2.1", "vllm", "-efa-amd64"), ("1.0.0", "trtllm", "-efa-amd64")],
)
def test_over_efa_images_have_its_libraries(disaggregated: Estimate, release: str, backend: str, suffix: str) -> None:
    found = parts(replace(disaggregated, backend=backend), plans.a_site(release, fabric=EFA))

    assert {part.main["image"].rpartition(":")[2] for part in found.values()} == {f"{release}{suffix}"}


def test_over_efa_vllm_is_told_to_use_libfabric(disaggregated: Estimate, api: str) -> None:
    found = parts(disaggregated, plans.a_site(api=api, fabric=EFA))

    assert "LIBFABRIC" in str(found["prefill"].value("--kv-transfer-config"))
    assert found["prefill"].value("--kv-transfer-config") == found["decode"].value("--kv-transfer-config")
    assert (found["prefill"].limits[EFA.resource], found["decode"].limits[EFA.resource]) == ("8", "16")  # type: ignore[index]  # a name is given


def test_over_efa_decode_stays_away_from_prefill(disaggregated: Estimate) -> None:
    written = str(graph.build(disaggregated, plans.a_site(fabric=EFA)).objects[-1]["spec"]["components"])

    prefill, decode = written.split("'name': 'decode'")
    assert "podAntiAffinity" not in prefill
    assert "'key': 'nvidia.com/dynamo-component', 'operator': 'In', 'values': ['prefill']" in decode


def test_an_aggregated_plan_knows_nothing_of_efa(aggregated: Estimate) -> None:
    worker = parts(aggregated, plans.a_site(fabric=EFA))["worker"]

    assert worker.main["image"].endswith(":1.4.0")
    assert set(worker.limits) == {"nvidia.com/gpu"}


def test_an_efa_image_that_was_named_is_not_named_twice(disaggregated: Estimate) -> None:
    found = parts(disaggregated, plans.a_site("1.4.0-efa", fabric=EFA))

    assert {part.main["image"].rpartition(":")[2] for part in found.values()} == {"1.4.0-efa"}


def test_on_gke_workers_take_networks_folders_and_a_node_each(disaggregated: Estimate, api: str) -> None:
    written = graph.build(disaggregated, plans.a_site(api=api, fabric=GKE)).objects[-1]
    found = parts(disaggregated, plans.a_site(api=api, fabric=GKE))

    assert {name for name in found["decode"].limits if "gke" in name} == {str(GKE.resource), *GKE.others}
    assert str(written).count("'networking.gke.io/default-interface': 'eth0'") == 2
    assert str(written).count("podAntiAffinity") == 2
    assert str(written).count("'hostPath': {'path': '/home/kubernetes/bin/gib'}") == 2
    assert found["decode"].mounts == ("/opt/models",)


def test_pods_get_what_the_operator_gives_to_all(disaggregated: Estimate, api: str) -> None:
    toleration = {"key": "pool", "operator": "Exists"}
    always = PodSettings(pull_secrets=("registry",), node_selector={"pool": "gpu"}, tolerations=(toleration,))
    place = Place(node_gpus=8, gpu_capacity=141e9, node_selector={"nvidia.com/gpu.product": "NVIDIA-H200"})

    written = graph.build(disaggregated, plans.a_site(api=api, settings=Settings(pods=always), place=place)).objects[-1]

    assert str(written).count("'imagePullSecrets': [{'name': 'registry'}]") == 3
    assert str(written).count("'pool': 'gpu'") == 3
    assert str(written).count("'nvidia.com/gpu.product': 'NVIDIA-H200'") == 2
    assert str(written).count(str(toleration)) == 3


def test_a_claim_is_made_where_the_version_can_and_asked_for_where_not(aggregated: Estimate) -> None:
    new = NewClaim(size="500Gi", storage_class="fast")
    cache = ModelCache(claim="weights", mount="/opt/models", creation=new)
    older, newer = (plans.a_site(api=api, model_cache=cache) for api in ("v1alpha1", "v1beta1"))

    parts(aggregated, older)
    (claim,) = graph.build(aggregated, older).objects[-1]["spec"]["pvcs"]

    assert claim == {
        "name": "weights",
        "create": True,
        "size": "500Gi",
        "storageClass": "fast",
        "volumeAccessMode": "ReadWriteMany",
    }
    assert "make weights before the pods can start" in notes(aggregated, newer)


def test_a_rank_of_vllm_that_would_cross_nodes_is_not_written() -> None:
    plan = plans.an_estimate(plans.a_worker("aggregated", tp=16, dp=2, moe_ep=32))

    with pytest.raises(ManifestError, match="do not cross nodes"):
        graph.build(plan, plans.a_site())


@pytest.mark.parametrize(("sku", "node_gpus", "kernels"), [("h200_sxm", 8, "CUTLASS"), ("b200_sxm", 8, "WIDEEP")])
def test_experts_spread_over_nodes_use_kernels_that_the_gpu_can_run(sku: str, node_gpus: int, kernels: str) -> None:
    plan = plans.an_estimate(plans.a_worker("aggregated", tp=1, dp=16, moe_ep=16), backend="trtllm")
    hardware = replace(plans.a_request().hardware, gpu_sku=sku, gpus_per_node=node_gpus)

    engine_file = graph.build(plan, plans.a_site(hardware=hardware)).objects[0]["data"]["aggregated.yaml"]

    assert f"backend: {kernels}" in engine_file


@pytest.mark.parametrize(
    ("gated", "folder", "optional"), [(False, None, True), (True, None, False), (True, "llama", True)]
)
def test_a_token_is_optional_unless_the_model_is_only_given_for_one(
    aggregated: Estimate, folder: str | None, *, gated: bool, optional: bool
) -> None:
    cache = ModelCache(claim="model-cache", mount="/opt/models", model_path=folder)
    site = replace(plans.a_site(model_cache=cache), gated=gated)

    for view in parts(aggregated, site).values():
        assert view.main["envFrom"] == [{"secretRef": {"name": "hf-token-secret", "optional": optional}}]
