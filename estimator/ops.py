"""The operations of one iteration: their sizes, their speed of light, and what they cost to move.

An operation knows its shape and nothing about models, tables or latencies. *x* is tokens in the step, any array shape.
"""

from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from estimator.quantization import EXPERTS, GEMM

Array = NDArray[np.float64]
Mask = NDArray[np.bool_]
Counts = NDArray[np.intp]
Role = Literal["token", "head", "context", "decode", "prompt_token", "sequence"]
"""What the cost depends on: all tokens of the step, finished sequences, whole prompts with their past, decoding
sequences with their context, the tokens of prompts alone, or decoding sequences alone."""

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
    """Attention of prompts over their own past, causal, within *window* if there is one; heads of one GPU."""

    heads: int
    kv_heads: int
    head_dim: int
    kv_dtype: str
    arithmetic: str
    window: int | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class DecodeAttention:
    """Attention of one new token per sequence over its cached context, within *window*; heads of one GPU."""

    heads: int
    kv_heads: int
    head_dim: int
    kv_dtype: str
    window: int | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class ContextLatent:
    """Latent attention of prompts, without its projections; *heads* of one GPU out of *total*."""

    heads: int
    total: int
    kv_dtype: str


@dataclass(frozen=True, slots=True, kw_only=True)
class DecodeLatent:
    """Latent attention of one new token per sequence in the compressed space, without its projections."""

    heads: int
    total: int
    kv_dtype: str


@dataclass(frozen=True, slots=True, kw_only=True)
class LatentProduct:
    """The batched products that move decode queries into the compressed space (pre) and results out of it (post)."""

    heads: int
    side: Literal["pre", "post"]
    dtype: str


@dataclass(frozen=True, slots=True, kw_only=True)
class SparseLatent:
    """A whole latent attention block with a sparse index, projections included, in one phase; *heads* of one GPU.

    architecture: whose module it is (DeepseekV32ForCausalLM, GlmMoeDsaForCausalLM); dtype: its projections'.
    """

    phase: Literal["context", "decode"]
    heads: int
    architecture: str
    kv_dtype: str
    dtype: str


@dataclass(frozen=True, slots=True, kw_only=True)
class ExpertProducts:
    """The expert matrices of one GPU; its cost depends on the tokens of the whole group of moe_tp x moe_ep GPUs.

    matrices: 3 when gated, else 2; skew: name of the token distribution over experts that was measured;
    wide: the phase, if tokens come through an exchange, whose layouts have kernels of their own.
    """

    hidden: int
    width: int
    top: int
    count: int
    moe_tp: int
    moe_ep: int
    dtype: str
    skew: str
    matrices: int = 3
    wide: Literal["context", "decode"] | None = None

    @property
    def weight_bytes(self) -> float:
        """Bytes of the expert matrices on one GPU."""
        per_expert = self.matrices * self.hidden * self.width * EXPERTS[self.dtype].weight_bytes
        return per_expert * self.count / (self.moe_ep * self.moe_tp)


@dataclass(frozen=True, slots=True, kw_only=True)
class Collective:
    """A collective over *ranks* GPUs; *width* 16-bit elements per token of the largest buffer involved.

    variant: captured in a graph or launched eagerly (all-reduce only).
    """

    kind: Literal["all_reduce", "all_gather", "reduce_scatter", "alltoall"]
    ranks: int
    width: float
    variant: Literal["graph", "eager"] = "graph"


@dataclass(frozen=True, slots=True, kw_only=True)
class ExpertExchange:
    """Tokens sent to the GPUs of their experts and back (DeepEP or an NVLink kernel); cost per token of one GPU."""

    phase: Literal["context", "decode"]
    ranks: int
    hidden: int
    top: int
    count: int
    dtype: str


@dataclass(frozen=True, slots=True, kw_only=True)
class StateScan:
    """A linear-attention or state-space kernel: *kernel* names it (conv, recurrence, scan); heads of one GPU.

    Context: cost along the tokens of the step; decode: along the sequences. The table's own key columns are in *key*.
    """

    family: Literal["gdn", "mamba2"]
    phase: Literal["context", "decode"]
    kernel: str
    hidden: int
    key_heads: int
    key_dim: int
    value_heads: int
    value_dim: int
    conv: int


@dataclass(frozen=True, slots=True, kw_only=True)
class MemoryOp:
    """An elementwise kernel: nothing but *bytes_per_token* through the memory system.

    launch: its constant, seconds; None for the system's, of a kernel launched on its own.
    """

    bytes_per_token: float
    launch: float | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Transfer:
    """Activations handed to the next pipeline stage: *width* 16-bit elements per token."""

    width: int


ContextOp = ContextAttention | ContextLatent | SparseLatent
DecodeOp = DecodeAttention | DecodeLatent | SparseLatent
TokenOp = (
    Gemm | LatentProduct | ExpertProducts | Collective | ExpertExchange | StateScan | MemoryOp | Transfer
)  # fmt: skip
Op = TokenOp | ContextOp | DecodeOp


@dataclass(frozen=True, slots=True, kw_only=True)
class Placed:
    """An operation in a step: what it is called, how often it runs, and what its cost depends on.

    scale: tokens that it sees per token of one attention rank (experts see those of all ranks);
    beside: name of a group whose members run at the same time, so that the slowest counts ("" for none).
    """

    name: str
    op: Op
    count: int
    role: Role
    scale: float = 1.0
    beside: str = ""
