"""What the nodes offer: Node objects in, GPUs by SKU with their fabric out, and a request completed with it."""

import hashlib
import json
import re
from collections import defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass, replace
from typing import Any

from dgdr_operator.errors import InvalidSpec
from dgdr_operator.request import MOST_GPUS, DeploymentRequest, HardwareRequest
from dgdr_operator.units import MEBIBYTE

GPU = "nvidia.com/gpu"
PRODUCT = "nvidia.com/gpu.product"
MACHINE = "kubernetes.io/arch"
MEMORY = "nvidia.com/gpu.memory"
RDMA_HINTS = (
    "nvidia.com/rdma.present",
    "feature.node.kubernetes.io/rdma.available",
    "feature.node.kubernetes.io/network-sriov.capable",
)
"""Labels that promise RDMA; only an allocatable resource keeps the promise."""

FABRIC = re.compile(r"rdma/.+|vpc\.amazonaws\.com/efa|networking\.gke\.io\.networks/rdma-\d+(\.IP)?")
"""Names under which device plugins offer RDMA devices."""

_FAMILIES = (
    ("GB200", "gb200_sxm", None), ("GB10", "gb10", None), ("B200", "b200_sxm", None), ("H200", "h200_sxm", None),
    ("H100", "h100_sxm", "h100_pcie"), ("A100", "a100_sxm", "a100_pcie"), ("A30", "a30", None), ("L40S", "l40s", None),
    ("L40", "l40", None), ("L4", "l4", None), ("V100", "v100_sxm", "v100_pcie"), ("T4", "t4", None),
    ("MI300", "mi300", None), ("MI250", "mi200", None), ("MI200", "mi200", None),
)  # fmt: skip
"""Word in a product label, SKU, and the SKU of its PCIe card where it has one of its own; the first hit counts."""

_SOCKETED = ("SXM", "HGX", "DGX", "HBM3")
_SLICED = re.compile(r"MIG-|-SHARED$")
_UNFIT = "node.kubernetes.io/"
"""Prefix of the taints by which Kubernetes marks a node as not usable now."""


@dataclass(frozen=True, slots=True, kw_only=True)
class NodeGroup:
    """The ready, schedulable nodes with one GPU product and one number of GPUs.

    sku: our name of the GPU, None for a product no SKU stands for; product: its exact node label;
    memory: bytes per GPU, None if no node says; fabric: devices per node by resource name, the least of the nodes
    that have it; fabric_nodes: nodes that offer each resource; taints: GPU taints found on any of them;
    rdma_hint: some label promises RDMA; machine: the processors' architecture, "" if nodes do not say or differ.
    """

    sku: str | None
    product: str
    nodes: int
    gpus_per_node: int
    memory: float | None
    fabric: Mapping[str, int]
    fabric_nodes: Mapping[str, int]
    taints: tuple[Mapping[str, Any], ...] = ()
    rdma_hint: bool = False
    machine: str = ""

    @property
    def gpus(self) -> int:
        """GPUs of all its nodes."""
        return self.nodes * self.gpus_per_node


@dataclass(frozen=True, slots=True, kw_only=True)
class Inventory:
    """Groups of GPU nodes, most GPUs per node first, then most memory; hash: stable digest of all of it."""

    groups: tuple[NodeGroup, ...]
    hash: str

    def group(self, sku: str) -> NodeGroup | None:
        """The group of that SKU with most GPUs per node, or None."""
        return next((group for group in self.groups if group.sku == sku), None)


def read(nodes: Iterable[Mapping[str, Any]] | Mapping[str, Any]) -> Inventory:
    """The inventory of Node objects (API JSON), or of a List of them; nodes without GPUs do not count."""
    listed = nodes.get("items") or () if isinstance(nodes, Mapping) else nodes
    alike: dict[tuple[str, int], list[Mapping[str, Any]]] = defaultdict(list)
    for node in listed:
        if isinstance(node, Mapping) and _usable(node) and (gpus := _count(_allocatable(node).get(GPU))):
            alike[_labels(node).get(PRODUCT, ""), gpus].append(node)
    groups = [_group(product, gpus, members) for (product, gpus), members in alike.items()]
    groups.sort(key=lambda group: (-group.gpus_per_node, -(group.memory or 0), group.product))
    canonical = json.dumps([asdict(group) for group in groups], sort_keys=True)
    return Inventory(groups=tuple(groups), hash=hashlib.sha256(canonical.encode()).hexdigest())


def sku(product: str) -> str | None:
    """The SKU of a product label such as NVIDIA-H100-80GB-HBM3; None for a GPU, or a slice of one, that has none."""
    label = product.upper().replace(" ", "-").replace("_", "-")
    if _SLICED.search(label):
        return None
    for word, socketed, card in _FAMILIES:
        if re.search(rf"(?<![A-Z0-9]){word}(?![0-9])", label):
            return socketed if card is None or any(mark in label for mark in _SOCKETED) else card
    return None


def complete(request: DeploymentRequest, inventory: Inventory | None) -> tuple[DeploymentRequest, tuple[str, ...]]:
    """The request with the hardware it left out, and a sentence for everything that was filled in.

    gpus_per_node and vram stay None when no node tells: the facts of the GPU system do.
    Raises InvalidSpec when something needed is neither given nor found.
    """
    asked = request.hardware
    group = _chosen(asked, inventory)
    if asked.gpu_sku is None and group is None:
        raise InvalidSpec.at("spec.hardware.gpuSku", f"is needed: {_nothing_found(inventory)}")
    if asked.total_gpus is None and group is None:
        raise InvalidSpec.at("spec.hardware.totalGpus", f"is needed: no ready node with {asked.gpu_sku} was found")
    found = _found(asked, group)
    notes = [f"hardware.{name} was not given: {text}" for name, text in _fillings(asked, found)]
    if group is not None and (asked.total_gpus or 0) > group.gpus:
        notes.append(f"hardware.totalGpus is {asked.total_gpus}, but the ready {group.sku} nodes have {group.gpus}")
    return replace(request, hardware=found), tuple(notes)


def _chosen(asked: HardwareRequest, inventory: Inventory | None) -> NodeGroup | None:
    if inventory is None:
        return None
    if asked.gpu_sku is not None:
        return inventory.group(asked.gpu_sku)
    return next((group for group in inventory.groups if group.sku is not None), None)


def _nothing_found(inventory: Inventory | None) -> str:
    if inventory is None:
        return "there are no nodes to look at"
    products = ", ".join(sorted({group.product or "(no product label)" for group in inventory.groups}))
    return f"no SKU stands for what the nodes have: {products}" if products else "no ready GPU node was found"


def _found(asked: HardwareRequest, group: NodeGroup | None) -> HardwareRequest:
    name = asked.gpu_sku or (group.sku if group else None) or ""
    linked = name.endswith("_sxm") or name.startswith(("gb200", "vr_"))
    rdma = None if group is None else any(count > 0 for count in group.fabric.values())
    return HardwareRequest(
        gpu_sku=name,
        vram=asked.vram or (group.memory if group else None),
        total_gpus=asked.total_gpus or (min(group.gpus, MOST_GPUS) if group else None),
        gpus_per_node=asked.gpus_per_node or (group.gpus_per_node if group else None),
        interconnect=asked.interconnect or ("nvlink" if linked else "pcie"),
        rdma=rdma if asked.rdma is None else asked.rdma,
    )


def _fillings(asked: HardwareRequest, found: HardwareRequest) -> Iterable[tuple[str, str]]:
    if asked.gpu_sku is None:
        yield "gpuSku", f"the nodes have {found.gpu_sku}"
    if asked.total_gpus is None:
        capped = f"{MOST_GPUS} is the most one request may plan for, and the ready nodes have more"
        full = f"the ready nodes have {found.total_gpus}"
        yield "totalGpus", capped if found.total_gpus == MOST_GPUS else full
    if asked.gpus_per_node is None and found.gpus_per_node is not None:
        yield "numGpusPerNode", f"the nodes have {found.gpus_per_node}"
    if asked.interconnect is None:
        yield "interconnect", f"{found.gpu_sku} is joined by {found.interconnect}"
    if asked.rdma is None and found.rdma is not None:
        yield "rdma", "the nodes offer RDMA devices" if found.rdma else "the nodes offer no RDMA device"


def _group(product: str, gpus: int, nodes: list[Mapping[str, Any]]) -> NodeGroup:
    memories = [float(label) * MEBIBYTE for node in nodes if (label := _labels(node).get(MEMORY, "")).isdecimal()]
    machines = sorted({_labels(node).get(MACHINE, "") for node in nodes})
    devices: dict[str, list[int]] = defaultdict(list)
    for node in nodes:
        for name, value in _allocatable(node).items():
            if FABRIC.fullmatch(name) and (count := _count(value)):
                devices[name].append(count)
    return NodeGroup(
        sku=sku(product),
        product=product,
        nodes=len(nodes),
        gpus_per_node=gpus,
        memory=min(memories, default=None),
        fabric={name: min(counts) for name, counts in sorted(devices.items())},
        fabric_nodes={name: len(counts) for name, counts in sorted(devices.items())},
        taints=_gpu_taints(nodes),
        machine=machines[0] if len(machines) == 1 else "",
        rdma_hint=any(_labels(node).get(hint) == "true" for node in nodes for hint in RDMA_HINTS),
    )


def _gpu_taints(nodes: Iterable[Mapping[str, Any]]) -> tuple[Mapping[str, Any], ...]:
    kept = {json.dumps(taint, sort_keys=True) for node in nodes for taint in _taints(node) if taint.get("key") == GPU}
    return tuple(json.loads(taint) for taint in sorted(kept))


def _usable(node: Mapping[str, Any]) -> bool:
    """Ready (a node that does not say counts as ready), not cordoned, not marked unfit."""
    conditions = _inner(node, "status").get("conditions") or ()
    ready = [condition.get("status") == "True" for condition in conditions if condition.get("type") == "Ready"]
    unfit = any(str(taint.get("key", "")).startswith(_UNFIT) for taint in _taints(node))
    return all(ready) and not unfit and not _inner(node, "spec").get("unschedulable")


def _taints(node: Mapping[str, Any]) -> Iterable[Mapping[str, Any]]:
    keeping_out = ("NoSchedule", "NoExecute")
    return [taint for taint in _inner(node, "spec").get("taints") or () if taint.get("effect") in keeping_out]


def _inner(node: Mapping[str, Any], part: str) -> Mapping[str, Any]:
    return node.get(part) or {}


def _labels(node: Mapping[str, Any]) -> Mapping[str, str]:
    return _inner(node, "metadata").get("labels") or {}


def _allocatable(node: Mapping[str, Any]) -> Mapping[str, Any]:
    return _inner(node, "status").get("allocatable") or {}


def _count(quantity: object) -> int:
    """The whole number in a quantity of devices: 8, "8", "1k"; 0 for anything else."""
    text = str(quantity)
    thousands = 1000 if text.endswith("k") else 1
    digits = text.removesuffix("k")
    return int(digits) * thousands if digits.isascii() and digits.isdigit() and len(digits) < 10 else 0  # noqa: PLR2004 -- ten digits are no count of devices
