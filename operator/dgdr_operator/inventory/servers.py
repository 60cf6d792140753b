"""One Node object -> what we keep of it: a page of nodes is read, boiled down and forgotten."""

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from dgdr_operator.inventory.amounts import GPU, count, inner
from dgdr_operator.units import MEBIBYTE

PRODUCT = "nvidia.com/gpu.product"
MACHINE = "kubernetes.io/arch"
MEMORY = "nvidia.com/gpu.memory"
ZONE = "topology.kubernetes.io/zone"
RDMA_HINTS = (
    "nvidia.com/rdma.present",
    "feature.node.kubernetes.io/rdma.available",
    "feature.node.kubernetes.io/network-sriov.capable",
)
"""Labels that promise RDMA; only an allocatable resource keeps the promise."""

FABRIC = re.compile(r"rdma/.+|vpc\.amazonaws\.com/efa|networking\.gke\.io\.networks/rdma-\d+(\.IP)?")
"""Names under which device plugins offer RDMA devices."""

_SLICES = "nvidia.com/mig-"
_UNFIT = "node.kubernetes.io/"
"""Prefix of the taints by which Kubernetes marks a node as not usable now."""
_KEEPING_OUT = ("NoSchedule", "NoExecute")

Taint = tuple[str, str, str]
"""Key, value and effect."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Server:
    """A node with GPUs. unfit: why no pod may go there now, "" if pods may; memory: bytes per GPU, None if not said;
    taints: those that keep pods out; machine: the processors' architecture, zone: where it stands, "" if not said.
    """

    name: str
    unfit: str
    product: str
    gpus: int
    memory: float | None
    machine: str
    zone: str
    taints: tuple[Taint, ...]
    devices: Mapping[str, int]
    rdma_hint: bool


def server(node: Mapping[str, Any], selector: Mapping[str, str]) -> Server | None:
    """What *node* offers; None where it has no whole GPUs, and says nothing of slices either.

    selector: labels without which our pods do not go there.
    """
    allocatable, labels = inner(inner(node, "status"), "allocatable"), inner(inner(node, "metadata"), "labels")
    gpus = count(allocatable.get(GPU))
    sliced = any(name.startswith(_SLICES) and count(value) for name, value in allocatable.items())
    if not gpus and not sliced:
        return None
    taints = tuple(sorted(_taints(node)))
    memory = labels.get(MEMORY, "")
    return Server(
        name=str(inner(node, "metadata").get("name", "")),
        unfit=_unfit(node, taints) or ("" if gpus else "cut into MIG slices") or _elsewhere(labels, selector),
        product=labels.get(PRODUCT, ""),
        gpus=gpus,
        memory=float(memory) * MEBIBYTE if memory.isdecimal() else None,
        machine=labels.get(MACHINE, ""),
        zone=labels.get(ZONE, ""),
        taints=taints,
        devices={name: n for name, value in allocatable.items() if FABRIC.fullmatch(name) and (n := count(value))},
        rdma_hint=any(labels.get(hint) == "true" for hint in RDMA_HINTS),
    )


def tolerates(toleration: Mapping[str, Any], taint: Taint) -> bool:
    """Whether a pod with *toleration* may go where *taint* keeps others out (Kubernetes' own rules)."""
    key, value, effect = taint
    if toleration.get("effect") not in {None, "", effect}:
        return False
    if not toleration.get("key"):
        return toleration.get("operator") == "Exists"
    same = toleration.get("operator") == "Exists" or (toleration.get("value") or "") == value
    return bool(toleration["key"] == key and same)


def _unfit(node: Mapping[str, Any], taints: Iterable[Taint]) -> str:
    """Why pods do not go there now; a node that does not say that it is ready counts as ready."""
    conditions = inner(node, "status").get("conditions") or ()
    if not all(condition.get("status") == "True" for condition in conditions if condition.get("type") == "Ready"):
        return "not ready"
    if inner(node, "spec").get("unschedulable"):
        return "cordoned"
    return "marked unfit by a taint" if any(key.startswith(_UNFIT) for key, _, _ in taints) else ""


def _elsewhere(labels: Mapping[str, str], selector: Mapping[str, str]) -> str:
    return "" if selector.items() <= labels.items() else "without the labels that graphs ask for"


def _taints(node: Mapping[str, Any]) -> Iterable[Taint]:
    for taint in inner(node, "spec").get("taints") or ():
        if taint.get("effect") in _KEEPING_OUT:
            yield str(taint.get("key", "")), str(taint.get("value") or ""), str(taint["effect"])
