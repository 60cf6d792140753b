"""May prefill and decode run apart? Only where RDMA carries keys and values, unless the user says otherwise."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

from dgdr_operator.manifest import attachments, fabric
from dgdr_operator.manifest.attachments import Share
from dgdr_operator.manifest.fabric import Fabric
from dgdr_operator.manifest.releases import Release
from dgdr_operator.request import DeploymentRequest, HardwareRequest
from dgdr_operator.settings import FabricSettings, Settings
from estimator.estimates import Estimate

Reason = Literal["RDMA", "NotRequired", "IntraNode", "NoRDMA", "FabricIncomplete"]

TCP_PENALTY = 40
"""How much slower the customer found disaggregation over TCP: time to first token 355 ms became more than 10 s."""


_WHOLE_NODES = frozenset({"sglang", "trtllm"})
"""Engines that, given a part of a node, may be given EFA devices that are not near their GPUs."""


@dataclass(frozen=True, slots=True, kw_only=True)
class FabricVerdict:
    """What the plan does about RDMA; ready and reason are those of the condition FabricReady."""

    ready: bool
    reason: Reason
    message: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Transport:
    """How disaggregated workers may talk: over *fabric* at *bandwidth* bytes per second, or not at all (None).

    why: why there is no RDMA, "" if there is.
    """

    fabric: Fabric
    bandwidth: float | None
    why: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Ground:
    """What a transport is laid on: GPUs of a node, the release, and the operator's settings for the network."""

    node_gpus: int
    release: Release
    settings: FabricSettings


def choose(request: DeploymentRequest, found: Fabric, node_gpus: int, settings: Settings) -> Transport:
    """The transport that the nodes, the request and the operator's policy leave."""
    speeds = settings.fabric.bandwidth
    hardware = request.hardware
    unseen = found.of == 0
    if hardware.rdma is False and request.knobs.fabric is None and (found.is_rdma or unseen):
        found = Fabric(profile="none", why="hardware.rdma is false")
    if found.is_rdma:
        return Transport(fabric=found, bandwidth=speeds[found.profile])
    return without_rdma(request, found.why, node_gpus, settings)


def without_rdma(request: DeploymentRequest, why: str, node_gpus: int, settings: Settings) -> Transport:
    """What the policy allows where there is no RDMA, because of *why*."""
    speeds: Mapping[str, float] = settings.fabric.bandwidth
    policy = request.knobs.without_rdma or settings.fabric.without_rdma
    if policy == "allow":
        return Transport(fabric=Fabric(profile="tcp"), bandwidth=speeds["none"], why=why)
    if policy == "intra-node" and _in_one_node(request.hardware, node_gpus):
        return Transport(fabric=Fabric(profile="intra-node"), bandwidth=speeds["intra-node"], why=why)
    return Transport(fabric=fabric.NOTHING, bandwidth=None, why=why)


def shortage(used: Fabric, estimate: Estimate, ground: Ground) -> str:
    """Why *used* cannot carry *estimate* although the nodes have the device; "" if it can."""
    if estimate.mode == "aggregated" or not used.is_rdma:
        return ""
    return _unfit(used, estimate, ground) or ("" if used.devices is None else _too_few(used, estimate, ground))


def _unfit(used: Fabric, estimate: Estimate, ground: Ground) -> str:
    """EFA needs images with its libraries and, for some engines, whole nodes."""
    if used.profile != "efa":
        return ""
    engine = estimate.backend
    if engine not in ground.release.efa:
        return f"Dynamo {'.'.join(map(str, ground.release.minor))} has no {engine} image with libraries for EFA"
    part = [worker for worker in estimate.workers if worker.parallel.gpus < ground.node_gpus]
    if part and engine in _WHOLE_NODES:
        return f"{engine} needs whole nodes over EFA, and a {part[0].role} worker has {part[0].parallel.gpus} GPUs"
    return ""


def _too_few(used: Fabric, estimate: Estimate, ground: Ground) -> str:
    """Nodes with the device, and devices on a node, against what the pods ask for."""
    needed = _nodes(used, estimate, ground.node_gpus)
    if used.nodes < needed:
        return f"{used.resource} is on {used.nodes} of {used.of} nodes, {needed} are needed"
    for worker in estimate.workers:
        gpus = min(worker.parallel.gpus, ground.node_gpus)
        share = Share(backend=estimate.backend, gpus=gpus, node_gpus=ground.node_gpus)
        pods = 1 if used.profile == "roce-gke" else ground.node_gpus // gpus
        asked = attachments.devices(used, share, ground.settings) * pods
        if asked > (used.devices or 0):
            return f"the {worker.role} pods of one node ask for {asked} {used.resource}, it has {used.devices}"
    return ""


def _nodes(used: Fabric, estimate: Estimate, node_gpus: int) -> int:
    """Nodes that the workers need: filled one after the other, except where the network keeps pods apart."""
    pods = [max(1, worker.parallel.gpus // node_gpus) * worker.count * estimate.replicas for worker in estimate.workers]
    gpus = [worker.parallel.gpus * worker.count * estimate.replicas for worker in estimate.workers]
    if used.profile == "roce-gke":
        return sum(pods)
    if used.profile == "efa":
        return sum(-(-count // node_gpus) for count in gpus)
    return -(-sum(gpus) // node_gpus)


def verdict(transport: Transport, choice: Estimate, refused: Estimate | None, incomplete: str = "") -> FabricVerdict:
    """The condition FabricReady for *choice*; *refused*: the better plan that lacks RDMA, if there was one."""
    used = transport.fabric
    if choice.mode == "aggregated":
        message = _refusal(incomplete or transport.why, choice, refused) if refused else "aggregated plans need no RDMA"
        if incomplete:
            return FabricVerdict(ready=False, reason="FabricIncomplete", message=message)
        return FabricVerdict(ready=True, reason="NotRequired", message=message)
    if used.is_rdma:
        where = f"{used.nodes} of {used.of} nodes" if used.devices is not None else "as named; no node was looked at"
        return FabricVerdict(ready=True, reason="RDMA", message=f"profile {used.profile}, {used.resource}, {where}")
    if used.profile == "intra-node":
        message = f"all workers share one node; keys and values are copied through host memory ({transport.why})"
        return FabricVerdict(ready=True, reason="IntraNode", message=message)
    message = f"{transport.why}: keys and values move over TCP, which can be {TCP_PENALTY} times slower"
    return FabricVerdict(ready=False, reason="NoRDMA", message=message)


def with_rdma(settings: Settings) -> float:
    """Bytes per second that an RDMA network would offer, to say what its absence costs."""
    return settings.fabric.bandwidth["ib"]


def _refusal(why: str, choice: Estimate, refused: Estimate) -> str:
    ratio = refused.tokens_per_second_per_gpu / choice.tokens_per_second_per_gpu
    return f"disaggregated refused: {why}; it was predicted {ratio:.2f}x better"


def _in_one_node(hardware: HardwareRequest, node_gpus: int) -> bool:
    return hardware.interconnect == "nvlink" and (hardware.total_gpus or 0) <= node_gpus
