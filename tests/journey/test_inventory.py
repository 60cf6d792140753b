"""What nodes are counted as, and what a request is completed with."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dgdr_operator import inventory
from dgdr_operator.errors import InvalidSpec
from dgdr_operator.request import DeploymentRequest, HardwareRequest, Identity, Runtime
from estimator.workload import Targets, Workload
from tests.journey.nodes import node


def asking(**hardware: Any) -> DeploymentRequest:  # noqa: ANN401 -- any field of the hardware
    """A request with that hardware."""
    return DeploymentRequest(
        identity=Identity(name="q"),
        model="Qwen/Qwen3-32B-FP8",
        runtime=Runtime(),
        hardware=HardwareRequest(**hardware),
        workload=Workload(isl=1, osl=1),
        targets=Targets(),
    )


@pytest.mark.parametrize(
    ("product", "sku"),
    [
        ("NVIDIA-H200", "h200_sxm"),
        ("NVIDIA-H100-80GB-HBM3", "h100_sxm"),
        ("NVIDIA H100 PCIe", "h100_pcie"),
        ("NVIDIA-A100-SXM4-80GB", "a100_sxm"),
        ("NVIDIA-A100-PCIE-40GB", "a100_pcie"),
        ("Tesla-V100-SXM2-16GB", "v100_sxm"),
        ("Tesla-T4", "t4"),
        ("NVIDIA-L40S", "l40s"),
        ("NVIDIA-L40", "l40"),
        ("NVIDIA-L4", "l4"),
        ("NVIDIA-B200", "b200_sxm"),
        ("NVIDIA-GB200", "gb200_sxm"),
        ("AMD_Instinct_MI300X_OAM", "mi300"),
        ("NVIDIA-H20", None),
        ("NVIDIA-B300", None),
        ("NVIDIA-GH200-480GB", None),
        ("NVIDIA-RTX-A1000", None),
        ("Quadro-T400", None),
        ("NVIDIA-RTX-PRO-6000-Blackwell", None),
        ("NVIDIA-A100-SXM4-80GB-MIG-1g.10gb", None),
        ("NVIDIA-H200-SHARED", None),
        ("", None),
    ],
)
def test_b22_a_product_is_called_by_its_sku_or_by_none(product: str, sku: str | None) -> None:
    assert inventory.sku(product) == sku


def test_nodes_that_cannot_run_a_pod_do_not_count() -> None:
    out_of_order = [
        node(ready=False),
        node(spec={"unschedulable": True}),
        node(spec={"taints": [{"key": "node.kubernetes.io/disk-pressure", "effect": "NoSchedule"}]}),
        node(gpus=0),
        {"metadata": {}, "status": {}},
    ]

    assert inventory.read(out_of_order).groups == ()


def test_nodes_alike_are_one_group() -> None:
    taint = {"key": "nvidia.com/gpu", "effect": "NoSchedule"}
    nodes = [node(devices={"rdma/ib": "8"}, spec={"taints": [taint]}), node(devices={"rdma/ib": "4"}), node(gpus=4)]

    large, small = inventory.read(nodes).groups

    assert (large.sku, large.nodes, large.gpus_per_node, large.gpus) == ("h200_sxm", 2, 8, 16)
    assert (large.fabric, large.fabric_nodes) == ({"rdma/ib": 4}, {"rdma/ib": 2})
    assert large.taints == (taint,)
    assert large.memory == 143771 * 2**20
    assert (small.nodes, small.gpus_per_node) == (1, 4)


@pytest.mark.parametrize(("quantity", "count"), [("8", 8), (8, 8), ("1k", 1000), ("0", 0), ("many", 0), ("9" * 30, 0)])
def test_quantities_of_devices_are_whole_numbers(quantity: object, count: int) -> None:
    found = inventory.read([node(devices={"rdma/shared": quantity})]).groups[0].fabric

    assert found.get("rdma/shared", 0) == count


@given(order=st.permutations([node(), node(gpus=4), node("NVIDIA-L4", 1), node(devices={"rdma/ib": "8"})]))
def test_the_order_of_nodes_does_not_matter(order: list[dict[str, Any]]) -> None:
    listed = inventory.read({"kind": "List", "items": order})

    assert listed == inventory.read(order)
    assert listed.hash == inventory.read(order[::-1]).hash


def test_any_change_of_what_is_offered_changes_the_hash() -> None:
    worlds = [[], [node()], [node(), node()], [node(gpus=4)], [node(devices={"rdma/ib": "8"})], [node("NVIDIA-L4")]]

    assert len({inventory.read(world).hash for world in worlds}) == len(worlds)


def test_what_a_request_leaves_out_is_taken_from_the_nodes_and_said() -> None:
    found = inventory.read([node(devices={"rdma/ib": "8"}), node(devices={"rdma/ib": "8"}), node("NVIDIA-L4", 1)])

    completed, notes = inventory.complete(asking(), found)

    assert completed.hardware == HardwareRequest(
        gpu_sku="h200_sxm",
        vram=143771 * 2**20,
        total_gpus=16,
        gpus_per_node=8,
        interconnect="nvlink",
        rdma=True,
    )
    assert len(notes) == 5


def test_what_a_request_says_is_left_as_it_is() -> None:
    asked = asking(gpu_sku="l4", vram=1.0, total_gpus=3, gpus_per_node=1, interconnect="pcie", rdma=False)

    assert inventory.complete(asked, inventory.read([node()])) == (asked, ())


def test_completing_twice_is_completing_once() -> None:
    found = inventory.read([node()])
    once, _ = inventory.complete(asking(), found)

    assert inventory.complete(once, found) == (once, ())


@pytest.mark.parametrize(
    ("nodes", "hardware", "path", "problem"),
    [
        (None, {}, "spec.hardware.gpuSku", "there are no nodes to look at"),
        ([], {}, "spec.hardware.gpuSku", "no ready GPU node was found"),
        ([node("NVIDIA-H20")], {}, "spec.hardware.gpuSku", "no SKU stands for what the nodes have: NVIDIA-H20"),
        (None, {"gpu_sku": "h200_sxm"}, "spec.hardware.totalGpus", "no ready node with h200_sxm was found"),
    ],
)
def test_what_cannot_be_found_out_is_asked_for(
    nodes: list[dict[str, Any]] | None, hardware: dict[str, Any], path: str, problem: str
) -> None:
    with pytest.raises(InvalidSpec) as refused:
        inventory.complete(asking(**hardware), None if nodes is None else inventory.read(nodes))

    assert (refused.value.path, problem in refused.value.problem) == (path, True)


def test_a_budget_beyond_the_nodes_is_pointed_out() -> None:
    asked = asking(gpu_sku="h200_sxm", total_gpus=32)

    assert "the ready h200_sxm nodes have 8" in inventory.complete(asked, inventory.read([node()]))[1][-1]


def test_a_cluster_larger_than_one_request_can_plan_for_is_not_planned_whole() -> None:
    completed, notes = inventory.complete(asking(), inventory.read([node() for _ in range(200)]))

    assert completed.hardware.total_gpus == 1024
    assert any("1024 is the most one request may plan for" in note for note in notes)
