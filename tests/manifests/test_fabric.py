"""Which device is found on the nodes, and what a container gets of it."""

import json
from collections.abc import Mapping

import pytest

from dgdr_operator.errors import InvalidSpec
from dgdr_operator.inventory import NodeGroup
from dgdr_operator.manifest import attachments, fabric
from dgdr_operator.manifest.attachments import Attachment, Share
from dgdr_operator.manifest.fabric import Fabric
from dgdr_operator.settings import FabricSettings

SETTINGS = FabricSettings()
GKE = "networking.gke.io.networks/rdma-%d"


def nodes(devices: Mapping[str, int], *, hint: bool = False) -> NodeGroup:
    """Two servers with eight H200 that offer these devices."""
    return NodeGroup(
        sku="h200_sxm",
        product="NVIDIA-H200",
        nodes=2,
        gpus_per_node=8,
        memory=141e9,
        fabric=devices,
        fabric_nodes=dict.fromkeys(devices, 2),
        rdma_hint=hint,
    )


def attached(found: Fabric, gpus: int, settings: FabricSettings = SETTINGS, backend: str = "vllm") -> Attachment:
    """What a pod with *gpus* of eight gets."""
    return attachments.attach(found, Share(backend=backend, gpus=gpus, node_gpus=8), settings)


@pytest.mark.parametrize(
    ("devices", "profile", "resource"),
    [
        ({"rdma/ib": 8}, "ib", "rdma/ib"),
        ({"rdma/hca_shared_devices_a": 8}, "shared_ib", "rdma/hca_shared_devices_a"),
        ({"rdma/ib": 1000}, "shared_ib", "rdma/ib"),
        ({"rdma/a_shared": 8, "rdma/z": 8}, "ib", "rdma/z"),
        ({}, "none", None),
        ({"vpc.amazonaws.com/efa": 32}, "efa", "vpc.amazonaws.com/efa"),
        ({"networking.gke.io.networks/rdma-0.IP": 8, GKE % 1: 1, GKE % 0: 1}, "roce-gke", GKE % 0),
    ],
)
def test_the_profile_follows_from_the_device(devices: Mapping[str, int], profile: str, resource: str | None) -> None:
    found = fabric.find(nodes(devices), "auto", SETTINGS)

    assert (found.profile, found.resource) == (profile, resource)


@pytest.mark.parametrize(
    ("have", "gpus", "asked"),
    [(8, 2, 2), (8, 8, 8), (4, 8, 4), (4, 2, 1), (1, 1, 1), (16, 4, 4)],
)
def test_exclusive_devices_are_shared_out_by_gpus(have: int, gpus: int, asked: int) -> None:
    found = Fabric(profile="ib", resource="rdma/ib", devices=have, nodes=2, of=2)

    assert attached(found, gpus, SETTINGS).resources == {"rdma/ib": str(asked)}


def test_a_shared_device_is_asked_for_once_per_pod() -> None:
    found = Fabric(profile="shared_ib", resource="rdma/shared_ib", devices=1000, nodes=2, of=2)

    assert attached(found, 8, SETTINGS).resources == {"rdma/shared_ib": "1"}
    assert attached(found, 8, FabricSettings(shared_count=4)).resources == {"rdma/shared_ib": "4"}


def test_a_name_can_be_given_where_there_are_no_nodes_to_look_at() -> None:
    found = fabric.find(None, "ib=rdma/mlx5", SETTINGS)

    assert (found.profile, found.resource, found.devices) == ("ib", "rdma/mlx5", None)
    assert attached(found, 2, SETTINGS).resources == {"rdma/mlx5": "2"}


def test_a_named_device_that_no_node_offers_is_not_used() -> None:
    found = fabric.find(nodes({"rdma/ib": 8}), "ib=rdma/other", SETTINGS)

    assert not found.is_rdma
    assert "looked for rdma/other" in found.why


def test_labels_that_promise_what_no_node_offers_are_pointed_out() -> None:
    assert "is the device plugin missing?" in fabric.find(nodes({}, hint=True), "auto", SETTINGS).why
    assert "is the device plugin missing?" not in fabric.find(nodes({}), "auto", SETTINGS).why


@pytest.mark.parametrize("choice", ["infiniband", "ib=no slash", "ib=", "=rdma/ib", "ib=a/b/c"])
def test_a_fabric_that_is_none_is_refused_with_the_choices(choice: str) -> None:
    if choice == "ib=":
        assert not fabric.find(None, choice, SETTINGS).is_rdma
        return
    with pytest.raises(InvalidSpec, match="must be auto or none or ib"):
        fabric.find(None, choice, SETTINGS)


@pytest.mark.parametrize(
    ("level", "security"),
    [
        ("capabilities", {"runAsUser": 0, "capabilities": {"add": ["IPC_LOCK", "SYS_RESOURCE"]}}),
        ("ipc-lock-only", {"capabilities": {"add": ["IPC_LOCK"]}}),
        ("privileged", {"privileged": True, "capabilities": {"add": ["IPC_LOCK"]}}),
        ("none", {}),
    ],
)
def test_the_operator_says_how_memory_gets_locked(level: str, security: Mapping[str, object]) -> None:
    found = Fabric(profile="ib", resource="rdma/ib", devices=8, nodes=2, of=2)

    settings = FabricSettings(security=level)  # type: ignore[arg-type]  # each word of the setting, from a list

    assert attached(found, 2, settings).security == security


def test_the_address_type_can_be_left_to_the_library() -> None:
    found = Fabric(profile="ib", resource="rdma/ib", devices=8, nodes=2, of=2)

    assert attached(found, 2, SETTINGS).env["UCX_IB_ADDR_TYPE"] == "eth"
    assert "UCX_IB_ADDR_TYPE" not in attached(found, 2, FabricSettings(ib_address=None)).env


@pytest.mark.parametrize(("have", "gpus", "asked"), [(32, 8, 32), (32, 2, 8), (4, 1, 1), (16, 4, 8)])
def test_efa_devices_go_to_the_gpus_that_they_stand_beside(have: int, gpus: int, asked: int) -> None:
    found = fabric.find(nodes({"vpc.amazonaws.com/efa": have}), "auto", SETTINGS)

    assert attached(found, gpus).resources == {"vpc.amazonaws.com/efa": str(asked)}


def test_efa_is_spoken_through_libfabric_and_not_through_ucx() -> None:
    found = fabric.find(nodes({"vpc.amazonaws.com/efa": 32}), "auto", SETTINGS)

    env = {backend: attached(found, 8, backend=backend).env for backend in ("vllm", "sglang", "trtllm")}

    assert all(one["FI_PROVIDER"] == "efa" for one in env.values())
    assert not [name for one in env.values() for name in one if name.startswith("UCX")]
    assert env["sglang"]["SGLANG_DISAGGREGATION_NIXL_BACKEND"] == "LIBFABRIC"
    assert env["trtllm"]["TRTLLM_NIXL_KVCACHE_BACKEND"] == "LIBFABRIC"


def test_efa_pods_are_privileged_unless_the_operator_says_otherwise() -> None:
    found = Fabric(profile="efa", resource=fabric.EFA, devices=32, nodes=2, of=2)

    assert attached(found, 8).security["privileged"] is True
    assert "privileged" not in attached(found, 8, FabricSettings(security="capabilities")).security


def test_a_pod_on_gke_takes_every_network_of_its_node() -> None:
    devices = {GKE % number: 1 for number in (10, 0, 9)} | {f"{GKE % 0}.IP": 8}

    found = fabric.find(nodes(devices), "auto", SETTINGS)
    given = attached(found, 8)

    assert given.resources == dict.fromkeys([GKE % 0, f"{GKE % 0}.IP", GKE % 9, GKE % 10], "1")
    cards = json.loads(given.annotations["networking.gke.io/interfaces"])
    assert [card["network"] for card in cards] == ["default", "rdma-0", "rdma-9", "rdma-10"]
    assert [volume.path for volume in given.volumes] == ["/usr/local/gib", "/usr/local/nvidia"]
    assert given.env["NCCL_CROSS_NIC"] == "0"


def test_networks_on_gke_cannot_be_named_blindly() -> None:
    assert "needs nodes to look at" in fabric.find(None, f"roce-gke={GKE % 0}", SETTINGS).why


@pytest.mark.parametrize(("choice", "profile"), [("efa", "efa"), ("shared_ib=rdma/hca", "shared_ib"), ("none", "none")])
def test_a_profile_can_be_chosen_by_name(choice: str, profile: str) -> None:
    assert fabric.find(None, choice, SETTINGS).profile == profile


def test_a_named_profile_outranks_the_looks_of_a_device() -> None:
    found = fabric.find(nodes({"rdma/ib": 8}), "shared_ib=rdma/ib", SETTINGS)

    assert (found.profile, attached(found, 8).resources) == ("shared_ib", {"rdma/ib": "1"})
