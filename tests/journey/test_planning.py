"""The whole journey on shipped measurements: which plan, over which wire, written in which version."""

from dataclasses import replace
from typing import Any

import pytest

from dgdr_operator import inventory, journey, spec
from dgdr_operator.errors import InvalidSpec, Unsupported
from dgdr_operator.inventory import Inventory
from dgdr_operator.journey import Plan
from dgdr_operator.manifest import views
from dgdr_operator.settings import Settings
from estimator.errors import NoFeasibleCandidate, UnsupportedModel
from perf_db.catalog import Catalog
from perf_db.errors import UnknownSystem
from tests.journey.nodes import node

ENGINES = ("vllm", "sglang", "trtllm")
RDMA = {"rdma/ib": "8"}
CUSTOMER: dict[str, Any] = {
    "backend": "vllm",
    "hardware": {"gpuSku": "h200_sxm", "totalGpus": 8, "numGpusPerNode": 8},
    "workload": {"isl": 4000, "osl": 500},
    "sla": {"ttft": 600, "itl": 16.67},
}


def body(annotations: dict[str, str] | None = None, **changes: object) -> dict[str, Any]:
    """The customer's request, changed as told; annotations without our prefix."""
    own = {f"dgdr-operator.io/{name}": value for name, value in (annotations or {}).items()}
    return {
        "apiVersion": "nvidia.com/v1beta1",
        "kind": "DynamoGraphDeploymentRequest",
        "metadata": {"name": "qwen32b", "namespace": "inference", "annotations": own},
        "spec": {"model": "Qwen/Qwen3-32B-FP8", **CUSTOMER, **changes},
    }


def plan(
    catalog: Catalog,
    asked: dict[str, Any],
    nodes: list[dict[str, Any]] | None = None,
    settings: Settings | None = None,
) -> Plan:
    """The plan for *asked* on *nodes*."""
    world: Inventory | None = None if nodes is None else inventory.read(nodes)
    return journey.plan(spec.read(asked), world, catalog, settings or Settings())


def test_the_graph_uses_the_gpus_of_the_choice_and_no_more_than_allowed(catalog: Catalog) -> None:
    made = plan(catalog, body())

    used = sum(view.gpus for view in views.of(made.graph))
    assert used == made.outcome.choice.gpus
    assert used <= 8


def test_the_same_question_gets_the_same_plan(catalog: Catalog) -> None:
    assert plan(catalog, body()) == plan(catalog, body())


def test_where_there_is_rdma_prefill_and_decode_run_apart(catalog: Catalog) -> None:
    made = plan(catalog, body(), [node(devices=RDMA)])

    assert made.outcome.choice.mode == "disaggregated"
    assert (made.fabric.ready, made.fabric.reason) == (True, "RDMA")
    assert "rdma/ib" in made.fabric.message


def test_without_rdma_they_stay_together_and_the_price_is_named(catalog: Catalog) -> None:
    made = plan(catalog, body(), [node()])

    assert made.outcome.choice.mode == "aggregated"
    assert (made.fabric.ready, made.fabric.reason) == (True, "NotRequired")
    assert "no RDMA resource on h200_sxm nodes (looked for rdma/*" in made.fabric.message
    ratio = float(made.fabric.message.split("predicted ")[1].split("x better")[0])
    assert ratio > 1


def test_a_request_can_forbid_what_the_nodes_would_allow(catalog: Catalog) -> None:
    forbidden = body(hardware={**CUSTOMER["hardware"], "rdma": False})

    made = plan(catalog, forbidden, [node(devices=RDMA)])

    assert made.outcome.choice.mode == "aggregated"
    assert "hardware.rdma is false" in made.fabric.message


def test_tcp_is_used_when_it_is_allowed_in_words_and_priced_as_slow(catalog: Catalog) -> None:
    apart = plan(catalog, body(), [node(devices=RDMA)]).outcome.choice
    lenient = body({"disagg-without-rdma": "allow"}, sla={"ttft": 60000, "itl": 16.67})

    slow = plan(catalog, lenient, [node()])

    wanted = slow.outcome.disaggregated or (slow.outcome.choice,)
    assert min(estimate.latency.ttft for estimate in wanted) > apart.latency.ttft
    if slow.outcome.choice.mode == "disaggregated":
        assert (slow.fabric.ready, slow.fabric.reason) == (False, "NoRDMA")


def test_one_node_can_do_without_rdma_when_asked_to(catalog: Catalog) -> None:
    made = plan(catalog, body({"disagg-without-rdma": "intra-node"}, sla={"ttft": 2000, "itl": 12}), [node()])

    if made.outcome.choice.mode == "disaggregated":
        assert made.fabric.reason == "IntraNode"
        assert "podAffinity" in str(made.graph)
    assert "rdma/" not in str(made.graph)


def test_too_few_devices_for_the_pods_of_a_node_count_as_none(catalog: Catalog) -> None:
    made = plan(catalog, body(), [node(devices={"rdma/ib": "1"})])

    assert made.outcome.choice.mode == "aggregated"
    assert (made.fabric.ready, made.fabric.reason) == (False, "FabricIncomplete")


def test_when_only_the_missing_wire_stands_in_the_way_it_is_named(catalog: Catalog) -> None:
    quick = {"ttft": 600, "itl": 16.67, "optimizationType": "latency"}
    strict = body(sla=quick, workload={"isl": 4000, "osl": 500, "concurrency": 48})
    apart = plan(catalog, strict, [node(devices=RDMA)])
    assert apart.outcome.choice.mode == "disaggregated"
    itl_ms = 1000 * (apart.outcome.choice.latency.itl or 0.0)
    strict["spec"]["sla"]["itl"] = round(itl_ms + 0.01, 2)

    with pytest.raises(NoFeasibleCandidate) as refused:
        plan(catalog, strict, [node()])

    assert refused.value.report.binding == "fabric"
    assert "disaggregated plan would do" in refused.value.report.notes[-1]


def test_promises_that_cannot_be_kept_pass_through_as_a_report(catalog: Catalog) -> None:
    with pytest.raises(NoFeasibleCandidate) as refused:
        plan(catalog, body(sla={"ttft": 50, "itl": 2}), [node()])

    assert refused.value.report.best_itl is not None


def test_taints_and_products_of_the_nodes_reach_the_pods(catalog: Catalog) -> None:
    taint = {"key": "nvidia.com/gpu", "effect": "NoSchedule"}

    graph = plan(catalog, body(), [node(spec={"taints": [taint]}), node("NVIDIA-L4", 1)]).graph

    frontend, worker = (part["podTemplate"]["spec"] for part in graph["spec"]["components"])
    tolerated = [{"key": "nvidia.com/gpu", "operator": "Exists", "effect": "NoSchedule"}]
    assert frontend["tolerations"] == worker["tolerations"] == tolerated
    assert worker["nodeSelector"] == {"nvidia.com/gpu.product": "NVIDIA-H200"}
    assert "nodeSelector" not in frontend


@pytest.mark.parametrize(
    ("image", "served", "annotation", "version"),
    [
        ("x/dynamo-planner:1.4.0", (), "auto", "v1beta1"),
        ("x/dynamo-planner:0.8.0", (), "auto", "v1alpha1"),
        ("x/dynamo-planner:0.8.0", ("v1beta1", "v1alpha1"), "auto", "v1beta1"),
        ("x/dynamo-planner:1.4.0", ("v1alpha1",), "auto", "v1alpha1"),
        ("x/dynamo-planner:1.4.0", (), "v1alpha1", "v1alpha1"),
    ],
)
def test_the_version_written_is_served_and_as_asked(
    catalog: Catalog, image: str, served: tuple[Any, ...], annotation: str, version: str
) -> None:
    asked = body({"dgd-api": annotation}, image=image)

    assert plan(catalog, asked, settings=Settings(graph_versions=served)).graph["apiVersion"] == f"nvidia.com/{version}"


def test_a_version_that_is_not_served_is_refused(catalog: Catalog) -> None:
    with pytest.raises(InvalidSpec, match="asks for v1beta1, but only v1alpha1 can be written"):
        plan(catalog, body({"dgd-api": "v1beta1"}), settings=Settings(graph_versions=("v1alpha1",)))


def test_the_spec_of_an_override_decides_the_version(catalog: Catalog) -> None:
    change = {
        "apiVersion": "nvidia.com/v1alpha1",
        "kind": "DynamoGraphDeployment",
        "spec": {"services": {"VLLMWorker": {"extraPodSpec": {"mainContainer": {"args": ["--enforce-eager"]}}}}},
    }

    made = plan(catalog, body(overrides={"dgd": change}))

    assert made.graph["apiVersion"] == "nvidia.com/v1alpha1"
    assert "--enforce-eager" in views.of(made.graph)[1].args


def test_auto_takes_the_best_of_the_engines_that_can_be_delivered(catalog: Catalog) -> None:
    alone = {name: plan(catalog, body(backend=name)).outcome.choice for name in ENGINES}

    chosen = plan(catalog, body(backend="auto")).outcome.choice

    assert chosen == max(alone.values(), key=lambda one: one.tokens_per_second_per_gpu)


def test_an_engine_that_cannot_be_delivered_is_refused_and_can_be_switched_on(catalog: Catalog) -> None:
    with pytest.raises(Unsupported, match="backend trtllm: graphs are delivered for vllm and sglang"):
        plan(catalog, body(backend="trtllm"), settings=Settings(engines=("vllm", "sglang")))

    made = plan(catalog, body(backend="trtllm"))
    assert [thing["kind"] for thing in made.objects] == ["ConfigMap", "DynamoGraphDeployment"]
    assert made.objects[0]["metadata"]["name"] in str(made.graph)


@pytest.mark.parametrize(
    ("change", "error", "words"),
    [
        ({"model": "Qwen/Qwen3-32B-FP9"}, UnsupportedModel, "Qwen/Qwen3-32B-FP8"),
        ({"hardware": {"gpuSku": "t4", "totalGpus": 8}}, UnknownSystem, "h200_sxm"),
        ({"image": "x/y:latest"}, InvalidSpec, "runtimeVersionOverride is required"),
        ({"hardware": {}}, InvalidSpec, "spec.hardware.gpuSku is needed"),
    ],
)
def test_what_cannot_be_planned_says_what_is_wrong(
    catalog: Catalog, change: dict[str, Any], error: type[Exception], words: str
) -> None:
    with pytest.raises(error) as refused:
        plan(catalog, body(**change))

    assert words in str(refused.value)


def test_the_hash_follows_every_input_and_nothing_else(catalog: Catalog) -> None:
    request, world, settings = spec.read(body()), inventory.read([node()]), Settings()

    def hashed(**change: Any) -> str:  # noqa: ANN401 -- any input
        given = {"request": request, "inventory": world, "data_version": "1", "settings": settings, **change}
        return journey.input_hash(**given)

    again = replace(request, identity=replace(request.identity, uid="other", generation=7))
    others = [
        hashed(request=spec.read(body({"retry": "1"}))),
        hashed(request=spec.read(body(sla={"ttft": 601}))),
        hashed(request=replace(request, identity=replace(request.identity, name="other"))),
        hashed(inventory=None),
        hashed(inventory=inventory.read([node(), node()])),
        hashed(data_version="2"),
        hashed(settings=Settings(dynamo_version="1.3.0")),
    ]
    assert hashed() == hashed(request=again)
    assert len({hashed(), *others}) == len(others) + 1
    assert plan(catalog, body()).input_hash == journey.input_hash(request, None, catalog.data_version, settings)
