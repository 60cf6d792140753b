"""What a worker's pod gets to move keys and values: devices, variables, rights, annotations, host folders."""

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from dgdr_operator.manifest.fabric import GKE_NETWORK, Fabric, ProfileName
from dgdr_operator.manifest.parts import Volume
from dgdr_operator.settings import FabricSettings

_VERBS = {
    "UCX_TLS": "rc_x,rc,dc_x,dc,cuda_copy,cuda_ipc",
    "UCX_RNDV_SCHEME": "get_zcopy",
    "UCX_RNDV_THRESH": "0",
}
"""Reliable and dynamic connections over InfiniBand verbs, zero-copy from the first byte (the customer's settings)."""

_LOCAL = {"UCX_TLS": "cuda_copy,cuda_ipc,tcp"}

_LIBFABRIC = {
    "FI_PROVIDER": "efa",
    "FI_EFA_USE_DEVICE_RDMA": "1",
    "FI_EFA_ENABLE_SHM_TRANSFER": "0",
    "FI_EFA_ENABLE_SHM": "0",
    "FI_EFA_FORK_SAFE": "0",
    "FI_EFA_MR_MAX_CACHED_COUNT": "524288",
    "FI_EFA_MR_MAX_CACHED_SIZE": "0",
    "FI_EFA_USE_HUGE_PAGE": "0",
}
"""GPU-direct reads over EFA without copies through shared memory (dynamo contract, section 5.3)."""

_LIBFABRIC_SWITCH = {
    "sglang": {"SGLANG_DISAGGREGATION_NIXL_BACKEND": "LIBFABRIC"},
    "trtllm": {"TRTLLM_NIXL_KVCACHE_BACKEND": "LIBFABRIC"},
}
"""How engines choose libfabric; vLLM is told in its connector's configuration."""

_GKE_NCCL = {"NCCL_SOCKET_IFNAME": "eth0", "NCCL_CROSS_NIC": "0"}
_GKE_ROOT, _GKE_FOLDERS = "/home/kubernetes/bin", ("gib", "nvidia")
"""Folders with network plug-ins and drivers that GKE puts on its RDMA nodes."""

_GKE_FIRST_RDMA = 2
"""GKE's RDMA networks begin at eth2, behind the node's own two."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Attachment:
    """What one worker's pod gets: devices (limits and requests alike), variables, security context of its container,
    annotations, and folders of the node."""

    resources: Mapping[str, str] = field(default_factory=dict)
    env: Mapping[str, str] = field(default_factory=dict)
    security: Mapping[str, Any] = field(default_factory=dict)
    annotations: Mapping[str, str] = field(default_factory=dict)
    volumes: tuple[Volume, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Share:
    """The part of a node that one pod of an engine takes: its GPUs, of how many."""

    backend: str
    gpus: int
    node_gpus: int


DETACHED = Attachment()


def attach(fabric: Fabric, share: Share, settings: FabricSettings) -> Attachment:
    """What a worker pod that takes *share* of a node needs to move keys and values over *fabric*."""
    writers: Mapping[ProfileName, Callable[[Fabric, Share, FabricSettings], Attachment]] = {
        "ib": _verbs, "shared_ib": _verbs, "roce-gke": _roce_gke, "efa": _efa, "intra-node": _local,
    }  # fmt: skip
    writer = writers.get(fabric.profile)
    return DETACHED if writer is None else writer(fabric, share, settings)


def devices(fabric: Fabric, share: Share, settings: FabricSettings) -> int:
    """How many devices of one name the pod asks for."""
    if fabric.profile == "shared_ib":
        return settings.shared_count
    if fabric.profile == "roce-gke":
        return 1
    whole = share.gpus == share.node_gpus
    if fabric.devices is None:
        return share.gpus
    if fabric.profile == "efa":
        return fabric.devices if whole else max(1, fabric.devices * share.gpus // share.node_gpus)
    return share.gpus if fabric.devices >= share.node_gpus else max(1, fabric.devices * share.gpus // share.node_gpus)


def _local(_fabric: Fabric, _share: Share, _settings: FabricSettings) -> Attachment:
    return Attachment(env=_LOCAL)


def _verbs(fabric: Fabric, share: Share, settings: FabricSettings) -> Attachment:
    return Attachment(
        resources={str(fabric.resource): str(devices(fabric, share, settings))},
        env={**_ucx(settings), **settings.env},
        security=_security(settings.security),
    )


def _efa(fabric: Fabric, share: Share, settings: FabricSettings) -> Attachment:
    return Attachment(
        resources={str(fabric.resource): str(devices(fabric, share, settings))},
        env={**_LIBFABRIC, **_LIBFABRIC_SWITCH.get(share.backend, {}), **settings.env},
        security=_security("privileged" if settings.security == "auto" else settings.security),
    )


def _roce_gke(fabric: Fabric, _share: Share, settings: FabricSettings) -> Attachment:
    """One of each network: the interfaces of a node go to one pod together."""
    names = (str(fabric.resource), *fabric.others)
    return Attachment(
        resources=dict.fromkeys(names, "1"),
        env={**_GKE_NCCL, **_ucx(settings), **settings.env},
        security=_security(settings.security),
        annotations={
            "networking.gke.io/default-interface": "eth0",
            "networking.gke.io/interfaces": json.dumps(_interfaces(names), separators=(",", ":")),
        },
        volumes=tuple(
            Volume(name=f"host-{folder}", path=f"/usr/local/{folder}", source=f"{_GKE_ROOT}/{folder}", kind="host")
            for folder in _GKE_FOLDERS
        ),
    )


def _interfaces(names: tuple[str, ...]) -> list[dict[str, str]]:
    """The pod's network cards in GKE's words: its ordinary one, then one for every RDMA network."""
    networks = [name.removeprefix(GKE_NETWORK) for name in names if not name.endswith(".IP")]
    cards = [
        {"interfaceName": f"eth{index}", "network": network} for index, network in enumerate(networks, _GKE_FIRST_RDMA)
    ]
    return [{"interfaceName": "eth0", "network": "default"}, *cards]


def _ucx(settings: FabricSettings) -> dict[str, str]:
    address = {} if settings.ib_address is None else {"UCX_IB_ADDR_TYPE": settings.ib_address}
    return {**_VERBS, **address}


def _security(level: str) -> dict[str, Any]:
    """Registering memory needs locked pages; a capability added to a user other than root is not effective."""
    if level == "none":
        return {}
    if level == "privileged":
        return {"privileged": True, "capabilities": {"add": ["IPC_LOCK"]}}
    if level == "ipc-lock-only":
        return {"capabilities": {"add": ["IPC_LOCK"]}}
    return {"runAsUser": 0, "capabilities": {"add": ["IPC_LOCK", "SYS_RESOURCE"]}}
