"""RDMA between the pods of one plan: which device the nodes offer, and what kind of network it belongs to."""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

from dgdr_operator.errors import InvalidSpec, nearest
from dgdr_operator.inventory import NodeGroup
from dgdr_operator.settings import FabricSettings

ProfileName = Literal["ib", "shared_ib", "roce-gke", "efa", "intra-node", "tcp", "none"]

EFA = "vpc.amazonaws.com/efa"
GKE_NETWORK = "networking.gke.io.networks/"

LOOKED_FOR = "rdma/*, vpc.amazonaws.com/efa, networking.gke.io.networks/rdma-*"
"""The names under which device plugins offer RDMA, in the words of a message."""

SHARED_DEVICES = 64
"""A node that offers more devices of one name than this shares few real ones (device plugins offer 1000 and such)."""

_RESOURCE = re.compile(r"([a-z0-9]([-a-z0-9.]*[a-z0-9])?)/[A-Za-z0-9]([-A-Za-z0-9_.]*[A-Za-z0-9])?")
_ADDRESS = ".IP"
_PROFILES: Mapping[str, ProfileName] = {"ib": "ib", "shared_ib": "shared_ib", "efa": "efa", "roce-gke": "roce-gke"}
_CHOICES = ("auto", "none", "ib", "shared_ib", "efa", "roce-gke")


@dataclass(frozen=True, slots=True, kw_only=True)
class Fabric:
    """How workers of one plan reach each other.

    resource: the device pods ask for; devices: how many one node has, None where no node was seen (the name was
    given); nodes: how many nodes have it, of *of* nodes; why: for people, when there is none; others: devices that
    are asked for together with it.
    """

    profile: ProfileName
    resource: str | None = None
    devices: int | None = None
    nodes: int = 0
    of: int = 0
    why: str = ""
    others: tuple[str, ...] = ()

    @property
    def is_rdma(self) -> bool:
        """Whether pods get an RDMA device."""
        return self.resource is not None


NOTHING = Fabric(profile="none")


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


def _named(profile: str, resource: str) -> Fabric:
    """A fabric that was named without a node to look at."""
    kind = profile if profile != "auto" else _kind(resource, 0)
    resource = resource or (EFA if kind == "efa" else "")
    if not resource:
        return Fabric(profile="none", why="there are no nodes to look at, and no resource was named")
    if kind == "roce-gke":
        return Fabric(profile="none", why="roce-gke needs nodes to look at: all of their networks are asked for")
    return Fabric(profile=_PROFILES[kind], resource=resource)


def _offered(group: NodeGroup, profile: str, resource: str) -> Fabric:
    """The first fitting device that the nodes offer: exclusive before shared."""
    kinds = {name: _kind(name, count) for name, count in group.fabric.items() if not name.endswith(_ADDRESS)}
    fitting = [name for name in kinds if (not resource or name == resource) and profile in {"auto", kinds[name]}]
    if resource and profile != "auto" and resource in kinds:
        kinds[resource], fitting = profile, [resource]
    fitting.sort(key=lambda name: (_CHOICES.index(kinds[name]), _natural(name)))
    if not fitting:
        return Fabric(profile="none", of=group.nodes, why=_absence(group, resource or LOOKED_FOR))
    name, kind = fitting[0], kinds[fitting[0]]
    others = _together(group, name) if kind == "roce-gke" else ()
    return Fabric(
        profile=_PROFILES[kind],
        resource=name,
        devices=group.fabric[name],
        nodes=min(group.fabric_nodes[one] for one in (name, *others)),
        of=group.nodes,
        others=others,
    )


def _together(group: NodeGroup, first: str) -> tuple[str, ...]:
    """The other networks of a node that has *first*, and the addresses on all of them where they are counted."""
    networks = [name for name in group.fabric if name.startswith(GKE_NETWORK) and name != first]
    return tuple(sorted(networks, key=_natural))


def _natural(name: str) -> tuple[str | int, ...]:
    """Order in which rdma-10 follows rdma-9."""
    return tuple(int(part) if part.isdecimal() else part for part in re.split(r"(\d+)", name))


def _kind(resource: str, devices: int) -> str:
    if resource == EFA:
        return "efa"
    if resource.startswith(GKE_NETWORK):
        return "roce-gke"
    return "shared_ib" if "shared" in resource or devices > SHARED_DEVICES else "ib"


def _absence(group: NodeGroup, wanted: str) -> str:
    hint = "; labels promise RDMA, but no node has such a resource: is the device plugin missing?"
    return (
        f"no RDMA resource on {group.sku or group.product} nodes (looked for {wanted}){hint if group.rdma_hint else ''}"
    )
