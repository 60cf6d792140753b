"""From the devices that nodes offer to a plan that can use them, or to the reason why it cannot."""

from typing import Any

import pytest

from dgdr_operator import inventory, journey, spec
from dgdr_operator.journey import Plan
from dgdr_operator.manifest import views
from dgdr_operator.settings import Settings
from perf_db.catalog import Catalog
from tests.journey.nodes import node

EFA = {"vpc.amazonaws.com/efa": "32"}
GKE = {f"networking.gke.io.networks/rdma-{number}": "1" for number in range(8)}


def planned(catalog: Catalog, nodes: list[dict[str, Any]], **changes: object) -> Plan:
    """The plan of a request that is better served apart, on *nodes*; fabric: the annotation."""
    own = {"dgdr-operator.io/fabric": changes.pop("fabric", "auto")}
    asked = {
        "model": "Qwen/Qwen3-32B-FP8",
        "backend": "vllm",
        "hardware": {"gpuSku": "h200_sxm", "totalGpus": 16, "numGpusPerNode": 8},
        "workload": {"isl": 4000, "osl": 500},
        "sla": {"ttft": 600, "itl": 16.67},
        **changes,
    }
    body = {"metadata": {"name": "a", "annotations": own}, "spec": asked}
    return journey.plan(spec.read(body), inventory.read(nodes), catalog, Settings())


@pytest.mark.parametrize(
    ("devices", "profile", "count"),
    [
        ({"rdma/ib": "8"}, "ib", None),
        ({"rdma/shared_ib": "1k"}, "shared_ib", "1"),
        ({"rdma/hca_shared_devices_a": "1000"}, "shared_ib", "1"),
        (EFA, "efa", None),
    ],
)
def test_every_network_carries_a_plan_that_runs_apart(
    catalog: Catalog, devices: dict[str, str], profile: str, count: str | None
) -> None:
    plan = planned(catalog, [node(devices=devices)] * 4)

    assert plan.outcome.choice.mode == "disaggregated"
    assert plan.fabric.reason == "RDMA"
    assert f"profile {profile}" in plan.fabric.message
    for view in views.of(plan.graph)[1:]:
        asked = view.limits[next(iter(devices))]
        assert asked == count or (count is None and int(asked) >= view.pod_gpus)


def test_one_node_is_not_enough_for_efa(catalog: Catalog) -> None:
    plan = planned(catalog, [node(devices=EFA)], hardware={"gpuSku": "h200_sxm", "totalGpus": 8})

    assert plan.outcome.choice.mode == "aggregated"
    assert plan.fabric.reason == "FabricIncomplete"
    assert "is on 1 of 1 nodes, 2 are needed" in plan.fabric.message


def test_sglang_takes_whole_nodes_over_efa_or_stays_together(catalog: Catalog) -> None:
    plan = planned(catalog, [node(devices=EFA)] * 4, backend="sglang")

    assert plan.outcome.choice.mode == "aggregated"
    assert "sglang needs whole nodes over EFA" in plan.fabric.message


def test_a_release_without_libraries_for_efa_stays_together(catalog: Catalog) -> None:
    plan = planned(catalog, [node(devices=EFA)] * 4, image="x/dynamo-frontend:0.9.0")

    assert plan.outcome.choice.mode == "aggregated"
    assert "Dynamo 0.9 has no vllm image with libraries for EFA" in plan.fabric.message


def test_on_gke_every_worker_needs_a_node(catalog: Catalog) -> None:
    few = planned(catalog, [node(devices=GKE)] * 2)
    many = planned(catalog, [node(devices=GKE)] * 16)

    pods = sum(view.replicas * view.nodes for view in views.of(many.graph)[1:])
    assert many.fabric.reason == "RDMA"
    assert few.fabric.reason == "FabricIncomplete"
    assert f"is on 2 of 2 nodes, {pods} are needed" in few.fabric.message


def test_the_annotation_chooses_among_devices(catalog: Catalog) -> None:
    both = {"rdma/ib": "8", "rdma/mlx5": "8"}

    plan = planned(catalog, [node(devices=both)] * 2, fabric="ib=rdma/mlx5")

    assert all("rdma/mlx5" in view.limits for view in views.of(plan.graph)[1:])


def test_machines_of_another_kind_are_kept_away_from(catalog: Catalog) -> None:
    arm = node("NVIDIA-L4", 1)
    arm["metadata"]["labels"]["kubernetes.io/arch"] = "arm64"
    ours = node()
    ours["metadata"]["labels"]["kubernetes.io/arch"] = "amd64"

    plan = planned(catalog, [ours, arm])

    selector = plan.graph["spec"]["components"][1]["podTemplate"]["spec"]["nodeSelector"]
    assert selector == {"nvidia.com/gpu.product": "NVIDIA-H200", "kubernetes.io/arch": "amd64"}


def test_where_one_engine_cannot_run_apart_another_does(catalog: Catalog) -> None:
    plan = planned(catalog, [node(devices=EFA)] * 4, backend="auto")

    assert plan.outcome.choice.mode == "disaggregated"
    assert plan.outcome.choice.backend == "vllm"
    assert plan.fabric.reason == "RDMA"
