"""Which device is found on the nodes, and what a container gets of it."""

from collections.abc import Mapping

import pytest

from dgdr_operator.errors import InvalidSpec
from dgdr_operator.inventory import NodeGroup
from dgdr_operator.manifest import fabric
from dgdr_operator.manifest.fabric import Fabric
from dgdr_operator.settings import FabricSettings

SETTINGS = FabricSettings()


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


@pytest.mark.parametrize(
    ("devices", "profile", "resource"),
    [
        ({"rdma/ib": 8}, "ib", "rdma/ib"),
        ({"rdma/hca_shared_devices_a": 8}, "shared_ib", "rdma/hca_shared_devices_a"),
        ({"rdma/ib": 1000}, "shared_ib", "rdma/ib"),
        ({"rdma/a_shared": 8, "rdma/z": 8}, "ib", "rdma/z"),
        ({}, "none", None),
        ({"vpc.amazonaws.com/efa": 32}, "none", None),
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

    assert fabric.attach(found, gpus, 8, SETTINGS).resources == {"rdma/ib": str(asked)}


def test_a_shared_device_is_asked_for_once_per_pod() -> None:
    found = Fabric(profile="shared_ib", resource="rdma/shared_ib", devices=1000, nodes=2, of=2)

    assert fabric.attach(found, 8, 8, SETTINGS).resources == {"rdma/shared_ib": "1"}
    assert fabric.attach(found, 8, 8, FabricSettings(shared_count=4)).resources == {"rdma/shared_ib": "4"}


def test_a_name_can_be_given_where_there_are_no_nodes_to_look_at() -> None:
    found = fabric.find(None, "ib=rdma/mlx5", SETTINGS)

    assert (found.profile, found.resource, found.devices) == ("ib", "rdma/mlx5", None)
    assert fabric.attach(found, 2, 8, SETTINGS).resources == {"rdma/mlx5": "2"}


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

    assert fabric.attach(found, 2, 8, settings).security == security


def test_the_address_type_can_be_left_to_the_library() -> None:
    found = Fabric(profile="ib", resource="rdma/ib", devices=8, nodes=2, of=2)

    assert fabric.attach(found, 2, 8, SETTINGS).env["UCX_IB_ADDR_TYPE"] == "eth"
    assert "UCX_IB_ADDR_TYPE" not in fabric.attach(found, 2, 8, FabricSettings(ib_address=None)).env
