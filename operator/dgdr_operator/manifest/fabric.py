"""RDMA between the pods of one plan: which device the nodes offer, and what a container needs to use it."""

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

from dgdr_operator.errors import InvalidSpec, nearest
from dgdr_operator.inventory import NodeGroup
from dgdr_operator.settings import FabricSettings

ProfileName = Literal["ib", "shared_ib", "intra-node", "tcp", "none"]

LOOKED_FOR = "rdma/*, vpc.amazonaws.com/efa, networking.gke.io.networks/rdma-*"
"""The names under which device plugins offer RDMA, in the words of a message."""

SHARED_DEVICES = 64
"""A node that offers more devices of one name than this shares few real ones (device plugins offer 1000 and such)."""

_RESOURCE = re.compile(r"([a-z0-9]([-a-z0-9.]*[a-z0-9])?)/[A-Za-z0-9]([-A-Za-z0-9_.]*[A-Za-z0-9])?")
_CHOICES = ("auto", "none", "ib", "shared_ib", "efa", "roce-gke")

_VERBS = {
    "UCX_TLS": "rc_x,rc,dc_x,dc,cuda_copy,cuda_ipc",
    "UCX_RNDV_SCHEME": "get_zcopy",
    "UCX_RNDV_THRESH": "0",
}
"""Reliable and dynamic connections over InfiniBand verbs, zero-copy from the first byte (the customer's settings)."""

_LOCAL = {"UCX_TLS": "cuda_copy,cuda_ipc,tcp"}


@dataclass(frozen=True, slots=True, kw_only=True)
class Fabric:
    """How workers of one plan reach each other.

    resource: the device pods ask for; devices: how many one node has, None where no node was seen (the name was
    given); nodes: how many nodes have it, of *of* nodes; why: for people, when there is none.
    """

    profile: ProfileName
    resource: str | None = None
    devices: int | None = None
    nodes: int = 0
    of: int = 0
    why: str = ""

    @property
    def is_rdma(self) -> bool:
        """Whether pods get an RDMA device."""
        return self.resource is not None


@dataclass(frozen=True, slots=True, kw_only=True)
class Attachment:
    """What one worker's container gets: devices (limits and requests alike), variables, security context."""

    resources: Mapping[str, str] = field(default_factory=dict)
    env: Mapping[str, str] = field(default_factory=dict)
    security: Mapping[str, Any] = field(default_factory=dict)


NOTHING = Fabric(profile="none")
DETACHED = Attachment()


def find(group: NodeGroup | None, choice: str, settings: FabricSettings) -> Fabric:
    """The RDMA device that pods on *group* can use.

    *choice*: "auto", "none", a profile, or profile=resource, which also names a device that no node shows.
    Raises InvalidSpec for a choice that is none of these.
    """
    profile, _, resource = choice.partition("=")
    if profile not in _CHOICES or (resource and not _RESOURCE.fullmatch(resource)):
        problem = f"must be {' or '.join(_CHOICES)}, or profile=resource, not {choice!r}{nearest(profile, _CHOICES)}"
        raise InvalidSpec.at("metadata.annotations[dgdr-operator.io/fabric]", problem)
    if profile == "none":
        return Fabric(profile="none", why="RDMA is switched off")
    resource = resource or settings.resource or ""
    if group is None:
        return _named(profile, resource)
    return _offered(group, profile, resource)


def attach(fabric: Fabric, gpus: int, node_gpus: int, settings: FabricSettings) -> Attachment:
    """What a worker pod with *gpus* of a node's *node_gpus* needs to move keys and values over *fabric*."""
    if fabric.profile in {"none", "tcp"}:
        return DETACHED
    if fabric.profile == "intra-node":
        return Attachment(env=_LOCAL)
    env = dict(_VERBS)
    if settings.ib_address is not None:
        env["UCX_IB_ADDR_TYPE"] = settings.ib_address
    return Attachment(
        resources={str(fabric.resource): str(_devices(fabric, gpus, node_gpus, settings))},
        env={**env, **settings.env},
        security=_security(settings.security),
    )


def _named(profile: str, resource: str) -> Fabric:
    """A fabric that was named without a node to look at."""
    if not resource:
        return Fabric(profile="none", why="there are no nodes to look at, and no resource was named")
    return _supported(profile if profile != "auto" else _kind(resource, 0), resource, devices=None, nodes=0, of=0)


def _offered(group: NodeGroup, profile: str, resource: str) -> Fabric:
    """The first fitting device that the nodes offer: exclusive before shared."""
    kinds = {name: _kind(name, count) for name, count in group.fabric.items() if not name.endswith(".IP")}
    fitting = [name for name in kinds if (not resource or name == resource) and profile in {"auto", kinds[name]}]
    if resource and profile != "auto" and resource in kinds:
        kinds[resource], fitting = profile, [resource]
    fitting.sort(key=lambda name: (_CHOICES.index(kinds[name]), name))
    if not fitting:
        return Fabric(profile="none", of=group.nodes, why=_absence(group, resource or LOOKED_FOR))
    name = fitting[0]
    return _supported(kinds[name], name, group.fabric[name], group.fabric_nodes[name], group.nodes)


def _supported(kind: str, resource: str, devices: int | None, nodes: int, of: int) -> Fabric:
    if kind == "ib":
        return Fabric(profile="ib", resource=resource, devices=devices, nodes=nodes, of=of)
    if kind == "shared_ib":
        return Fabric(profile="shared_ib", resource=resource, devices=devices, nodes=nodes, of=of)
    return Fabric(profile="none", of=of, why=f"{resource} needs the profile {kind}, which this release does not write")


def _kind(resource: str, devices: int) -> str:
    if resource == "vpc.amazonaws.com/efa":
        return "efa"
    if resource.startswith("networking.gke.io.networks/"):
        return "roce-gke"
    return "shared_ib" if "shared" in resource or devices > SHARED_DEVICES else "ib"


def _absence(group: NodeGroup, wanted: str) -> str:
    hint = "; labels promise RDMA, but no node has such a resource: is the device plugin missing?"
    return (
        f"no RDMA resource on {group.sku or group.product} nodes (looked for {wanted}){hint if group.rdma_hint else ''}"
    )


def _devices(fabric: Fabric, gpus: int, node_gpus: int, settings: FabricSettings) -> int:
    if fabric.profile == "shared_ib":
        return settings.shared_count
    if fabric.devices is None or fabric.devices >= node_gpus:
        return gpus
    return max(1, fabric.devices * gpus // node_gpus)


def _security(level: str) -> dict[str, Any]:
    """Registering memory needs locked pages; a capability added to a user other than root is not effective."""
    if level == "none":
        return {}
    if level == "privileged":
        return {"privileged": True, "capabilities": {"add": ["IPC_LOCK"]}}
    if level == "ipc-lock-only":
        return {"capabilities": {"add": ["IPC_LOCK"]}}
    return {"runAsUser": 0, "capabilities": {"add": ["IPC_LOCK", "SYS_RESOURCE"]}}
