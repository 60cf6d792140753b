"""Constants of a GPU system, as plain facts; perf_db's systems.json is their source."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True, slots=True, kw_only=True)
class Gpu:
    """One GPU: bytes per second, FLOP per second by data type (bf16, fp8, fp4, int8), bytes, capability x 10."""

    memory_bandwidth: float
    flops: Mapping[str, float]
    memory_capacity: float
    sm: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Node:
    """How GPUs are joined: bytes per second and GPU in one direction, seconds; rack_*: those of a rack
    that one fabric joins, 0 without one (then rack_bandwidth is what leaves the rack)."""

    gpus: int
    intra_bandwidth: float
    inter_bandwidth: float
    pcie_bandwidth: float
    p2p_latency: float
    rack_gpus: int = 0
    rack_bandwidth: float = 0.0


@dataclass(frozen=True, slots=True, kw_only=True)
class System:
    """A kind of server.

    memory_op_efficiency: share of the memory bandwidth that elementwise kernels reach;
    memory_op_seconds: their constant; nccl_bytes: buffers by rank count; other_bytes: context, graphs, allocator.
    """

    name: str
    gpu: Gpu
    node: Node
    memory_op_efficiency: float
    memory_op_seconds: float
    nccl_bytes: Mapping[int, float]
    other_bytes: float

    @property
    def joined(self) -> int:
        """GPUs that reach each other at full speed: those of a node, or of a rack joined by one NVLink fabric."""
        return max(self.node.gpus, self.node.rack_gpus)

    def nccl_buffer(self, ranks: int) -> float:
        """Bytes of communication buffers for a group of *ranks*: the entry of the largest measured count below it."""
        return max((size for count, size in self.nccl_bytes.items() if count <= ranks), default=0.0)

    def link_bandwidth(self, ranks: int) -> float:
        """Bytes per second and GPU for a group of *ranks*: inside a node, inside a rack, or beyond."""
        if ranks <= self.node.gpus:
            return self.node.intra_bandwidth
        if ranks <= self.node.rack_gpus or not self.node.rack_bandwidth:
            return self.node.inter_bandwidth
        return self.node.rack_bandwidth


def system(name: str, facts: Mapping[str, Any]) -> System:
    """The system that a block of perf_db's systems.json describes; KeyError names a missing fact."""
    gpu, node, software = facts["gpu"], facts["node"], facts["software"]
    return System(
        name=name,
        gpu=Gpu(
            memory_bandwidth=gpu["memory_bandwidth_bytes_per_second"],
            flops={key: value for key, value in gpu["flops_per_second"].items() if value},
            memory_capacity=gpu["memory_capacity_bytes"],
            sm=gpu["sm"],
        ),
        node=Node(
            gpus=node["gpus"],
            intra_bandwidth=node["intra_bandwidth_bytes_per_second"],
            inter_bandwidth=node["inter_bandwidth_bytes_per_second"],
            pcie_bandwidth=node["pcie_bandwidth_bytes_per_second"],
            p2p_latency=node["p2p_latency_seconds"],
            rack_bandwidth=node.get("inter_rack_bandwidth_bytes_per_second", 0.0),
            rack_gpus=node.get("gpus_per_rack", 0),
        ),
        memory_op_efficiency=software["memory_op_efficiency"],
        memory_op_seconds=software["memory_op_seconds"],
        nccl_bytes={int(ranks): size for ranks, size in software["nccl_memory_bytes"].items()},
        other_bytes=software["other_memory_bytes"],
    )
