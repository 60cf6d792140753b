"""The operations of one iteration: their sizes, their speed of light, and what they cost to move.

An operation knows its shape and nothing about models, tables or latencies. *x* is tokens in the step, any array shape.
"""

from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from estimator.hardware import System
from estimator.quantization import GEMM, KV_BYTES

Array = NDArray[np.float64]
Mask = NDArray[np.bool_]
Counts = NDArray[np.intp]
Role = Literal["token", "head", "context_attention", "decode_attention", "transfer"]

ACTIVATION_BYTES = 2
"""Activations travel between kernels as 16-bit numbers in every engine."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Gemm:
    """A matrix product (x, k) @ (k, n) with weights of type *dtype*."""

    n: int
    k: int
    dtype: str

    @property
    def weight_bytes(self) -> float:
        """Bytes of the weight matrix."""
        return self.n * self.k * GEMM[self.dtype].weight_bytes


@dataclass(frozen=True, slots=True, kw_only=True)
class ContextAttention:
    """Attention of prompts over their own past, causal; heads are those of one GPU."""

    heads: int
    kv_heads: int
    head_dim: int
    kv_dtype: str
    arithmetic: str


@dataclass(frozen=True, slots=True, kw_only=True)
class DecodeAttention:
    """Attention of one new token per sequence over its cached context; heads are those of one GPU."""

    heads: int
    kv_heads: int
    head_dim: int
    kv_dtype: str


@dataclass(frozen=True, slots=True, kw_only=True)
class AllReduce:
    """A sum over *ranks* GPUs of *width* 16-bit elements per token; captured in a graph or launched eagerly."""

    ranks: int
    width: int
    variant: Literal["graph", "eager"]


@dataclass(frozen=True, slots=True, kw_only=True)
class MemoryOp:
    """An elementwise kernel: nothing but *bytes_per_token* through the memory system."""

    bytes_per_token: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Transfer:
    """Activations handed to the next pipeline stage: *width* 16-bit elements per token."""

    width: int


Op = Gemm | ContextAttention | DecodeAttention | AllReduce | MemoryOp | Transfer


@dataclass(frozen=True, slots=True, kw_only=True)
class Placed:
    """An operation in a step: what it is called, how often it runs, and what its cost depends on."""

    name: str
    op: Op
    count: int
    role: Role


def gemm_light(system: System, dtype: str, n: Array, k: Array, m: Array) -> Array:
    """Roofline of a GEMM, seconds: the slower of 2mnk FLOP and of moving weights, input and output once."""
    kind = GEMM[dtype]
    math = 2 * m * n * k / system.gpu.flops.get(kind.arithmetic, system.gpu.flops["bf16"])
    moved = kind.weight_bytes * n * k + ACTIVATION_BYTES * m * (n + k)
    return np.maximum(math, moved / system.gpu.memory_bandwidth)


def context_light(system: System, op: ContextAttention, batch: Array, isl: Array) -> Array:
    """Roofline of causal attention without past, seconds: half the s x s products; q, k, v read, output written."""
    flops = system.gpu.flops.get(op.arithmetic, system.gpu.flops["bf16"])
    math = 2 * batch * isl**2 * op.heads * op.head_dim / flops
    moved = 2 * ACTIVATION_BYTES * batch * op.heads * isl * op.head_dim
    moved = moved + 2 * KV_BYTES[op.kv_dtype] * batch * op.kv_heads * isl * op.head_dim
    return np.maximum(math, moved / system.gpu.memory_bandwidth)


def decode_light(system: System, op: DecodeAttention, batch: Array, context: Array) -> Array:
    """Roofline of decode attention, seconds: every cached key and value is read once per step."""
    past = np.maximum(context - 1, 0)
    math = 4 * batch * op.heads * op.head_dim * past / system.gpu.flops["bf16"]
    queries = 2 * ACTIVATION_BYTES * op.heads * op.head_dim
    moved = batch * (queries + 2 * op.kv_heads * past * op.head_dim * KV_BYTES[op.kv_dtype])
    return np.maximum(math, moved / system.gpu.memory_bandwidth)


def allreduce_light(system: System, op: AllReduce, x: Array) -> Array:
    """Ring bound of an all-reduce, seconds: each rank sends and receives 2(r - 1)/r of the message."""
    size = ACTIVATION_BYTES * op.width * x
    return size * 2 * (op.ranks - 1) / op.ranks / system.link_bandwidth(op.ranks)


def memory_seconds(system: System, op: MemoryOp, x: Array) -> Array:
    """Seconds of an elementwise kernel: bytes at the share of bandwidth such kernels reach, plus their constant."""
    bandwidth = system.memory_op_efficiency * system.gpu.memory_bandwidth
    return op.bytes_per_token * x / bandwidth + system.memory_op_seconds


def transfer_seconds(system: System, op: Transfer, x: Array) -> Array:
    """Seconds to hand activations to the next stage over the network between nodes."""
    return ACTIVATION_BYTES * op.width * x / system.node.inter_bandwidth + system.node.p2p_latency
