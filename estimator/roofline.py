"""The speed of light of every operation: the slower of computing it and of moving its bytes.

Formulas count arithmetic at the peak rate of the data type and every operand's bytes once at the memory bandwidth, so
they are floors (Williams, Waterman, Patterson, "Roofline", CACM 2009). All functions take and return arrays that
broadcast; seconds everywhere. Sizes of latent attention are those of DeepSeek-V3 (arXiv 2412.19437), whose kernels were
measured.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache

import numpy as np

from estimator.hardware import System
from estimator.ops import (
    ACTIVATION_BYTES,
    Array,
    Collective,
    ContextAttention,
    ContextLatent,
    DecodeAttention,
    DecodeLatent,
    ExpertExchange,
    ExpertProducts,
    LatentProduct,
    MemoryOp,
    SparseLatent,
    StateScan,
    Transfer,
)
from estimator.quantization import EXPERTS, GEMM, KV_BYTES

LATENT_RANK, LATENT_ROPE, LATENT_NOPE, LATENT_VALUE = 512, 64, 128, 128
_CACHED = LATENT_RANK + LATENT_ROPE
_STATE_BYTES = 2
"""A recurrent state is kept in 32 bits by default and in 16 by choice; the floor counts the latter."""


def peak(system: System, arithmetic: str) -> float:
    """FLOP per second; a GPU without units for a type computes it in 16 bits."""
    return system.gpu.flops.get(arithmetic, system.gpu.flops["bf16"])


def slower(system: System, arithmetic: str, flops: Array, moved: Array) -> Array:
    """Seconds of *flops* in *arithmetic* while *moved* bytes pass the memory."""
    return np.maximum(flops / peak(system, arithmetic), moved / system.gpu.memory_bandwidth)


def gemm(system: System, dtype: str, n: Array, k: Array, m: Array) -> Array:
    """2mnk FLOP; weights read, input read and output written once."""
    kind = GEMM[dtype]
    return slower(system, kind.arithmetic, 2.0 * m * n * k, kind.weight_bytes * n * k + ACTIVATION_BYTES * m * (n + k))


def latent_product(system: System, op: LatentProduct, heads: Array, x: Array) -> Array:
    """Per head a (x, 128) @ (128, 512) product or its transpose."""
    kind, size = GEMM[op.dtype], LATENT_NOPE * LATENT_RANK
    moved = heads * (kind.weight_bytes * size + ACTIVATION_BYTES * x * (LATENT_NOPE + LATENT_RANK))
    return slower(system, kind.arithmetic, 2.0 * x * heads * size, moved)


def seen_pairs(tokens: Array, window: float | None) -> Array:
    """(query, key) pairs of a causal prompt whose queries see at most *window* keys; half a square without one."""
    reach = tokens if window is None else np.minimum(tokens, window)
    return reach * (tokens - reach / 2)


def context_attention(
    system: System, op: ContextAttention, heads: tuple[Array, Array], batch: Array, isl: Array
) -> Array:
    """Two products over the pairs a causal mask leaves; q, k, v read, output written; *heads*: (query, key-value)."""
    query, key_value = heads
    moved = 2 * batch * isl * op.head_dim * (ACTIVATION_BYTES * query + KV_BYTES[op.kv_dtype] * key_value)
    return slower(system, op.arithmetic, 4.0 * batch * seen_pairs(isl, op.window) * query * op.head_dim, moved)


def decode_attention(
    system: System, op: DecodeAttention, heads: tuple[Array, Array], batch: Array, context: Array
) -> Array:
    """Every cached key and value in reach is read once per step; *context* includes the new token."""
    query, key_value = heads
    past = np.maximum(context - 1.0, 0.0)
    past = past if op.window is None else np.minimum(past, op.window)
    moved = 2 * batch * op.head_dim * (ACTIVATION_BYTES * query + key_value * past * KV_BYTES[op.kv_dtype])
    return slower(system, "bf16", 4.0 * batch * query * op.head_dim * past, moved)


def context_latent(system: System, op: ContextLatent, heads: Array, batch: Array, isl: Array) -> Array:
    """Keys of 192 and values of 128 elements per head, expanded from the compressed cache beforehand."""
    size = LATENT_NOPE + LATENT_ROPE + LATENT_VALUE
    moved = batch * heads * size * isl * (KV_BYTES[op.kv_dtype] + ACTIVATION_BYTES)
    return slower(system, _latent_arithmetic(op.kv_dtype), 2.0 * batch * heads * size * seen_pairs(isl, None), moved)


def decode_latent(system: System, op: DecodeLatent, heads: Array, batch: Array, context: Array) -> Array:
    """Queries of 576 and results of 512 elements per head meet the compressed cache, which all heads share."""
    size = _CACHED + LATENT_RANK
    past = np.maximum(context - 1.0, 0.0)
    moved = batch * (ACTIVATION_BYTES * heads * size + _CACHED * past * KV_BYTES[op.kv_dtype])
    return slower(system, _latent_arithmetic(op.kv_dtype), 2.0 * batch * heads * size * past, moved)


def _latent_arithmetic(kv_dtype: str) -> str:
    return "fp8" if kv_dtype == "fp8" else "bf16"


@dataclass(frozen=True, slots=True, kw_only=True)
class SparseSizes:
    """Sizes of a latent attention block with a sparse index, by their names in config.json."""

    hidden: int
    q_rank: int
    nope: int
    value: int
    index_heads: int
    index_dim: int = 128
    top: int = 2048


SPARSE: Mapping[str, SparseSizes] = {
    "DeepseekV32ForCausalLM": SparseSizes(hidden=7168, q_rank=1536, nope=128, value=128, index_heads=64),
    "GlmMoeDsaForCausalLM": SparseSizes(hidden=6144, q_rank=2048, nope=192, value=256, index_heads=32),
}
"""config.json of deepseek-ai/DeepSeek-V3.2 and zai-org/GLM-5."""


def sparse_latent(system: System, op: SparseLatent, heads: Array, batch: Array, tokens: Array) -> Array:
    """Projections, the index over all tokens in sight, and attention over those it keeps.

    *tokens*: prompt length in context, cached tokens in decode.
    """
    sizes, kind = SPARSE.get(op.architecture, SPARSE["DeepseekV32ForCausalLM"]), GEMM[op.dtype]
    # Where everything in sight is kept anyway there is nothing to choose, and no index to ask.
    chooses: Array = np.where(tokens > sizes.top, 1.0, 0.0)
    weights = _sparse_weights(sizes, heads) + chooses * sizes.q_rank * sizes.index_heads * sizes.index_dim
    if op.phase == "context":
        rows, pairs, kept = batch * tokens, batch * seen_pairs(tokens, None), batch * seen_pairs(tokens, sizes.top)
        cached, per_pair = np.zeros(()), sizes.nope + LATENT_ROPE + sizes.value
    else:
        rows, pairs, kept = batch, batch * tokens, batch * np.minimum(tokens, sizes.top)
        cached, per_pair = kept * _CACHED * KV_BYTES[op.kv_dtype], _CACHED + LATENT_RANK
    math = 2.0 * rows * weights / peak(system, kind.arithmetic)
    math = math + 2.0 * chooses * pairs * sizes.index_heads * sizes.index_dim / peak(system, "fp8")
    math = math + 2.0 * kept * heads * per_pair / peak(system, "bf16")
    moved = kind.weight_bytes * weights + 2 * ACTIVATION_BYTES * rows * sizes.hidden + cached
    return np.maximum(math, moved / system.gpu.memory_bandwidth)


def _sparse_weights(sizes: SparseSizes, heads: Array) -> Array:
    """Elements of the projections that every token passes."""
    down = sizes.hidden * (sizes.q_rank + _CACHED + sizes.index_dim + sizes.index_heads)
    per_head = sizes.q_rank * (sizes.nope + LATENT_ROPE) + LATENT_RANK * (sizes.nope + sizes.value)
    return down + heads * (per_head + sizes.value * sizes.hidden)


def experts(system: System, op: ExpertProducts, x: Array) -> Array:
    """Every token visits *top* experts; the weights of the experts that are hit are read once. *x*: whole group."""
    kind = EXPERTS[op.dtype]
    visits, matrix = x * op.top / op.moe_ep, op.hidden * op.width / op.moe_tp
    hit = distinct_experts(op.count, op.top, skew_exponent(op.skew), x) / op.moe_ep
    moved = kind.weight_bytes * op.matrices * matrix * hit + 2 * ACTIVATION_BYTES * x / op.moe_ep * op.hidden
    return slower(system, kind.arithmetic, 2.0 * visits * op.matrices * matrix, moved)


def skew_exponent(skew: str) -> float:
    """How uneven a named distribution is: power_law_1.2 -> 1.2; balanced, uniform and replicated (eplb) -> 0."""
    words = skew.split("_")
    return 0.0 if words[-1] == "eplb" or words[0] != "power" else float(words[-1])


def distinct_experts(count: int, top: int, exponent: float, x: Array) -> Array:
    """Expected number of experts that *x* tokens visit at least once.

    Balanced routing hits E(1 - (1 - k/E)^x) of E experts (each token draws k without regard to the others). A skewed
    draw gives expert i the share of the i-th quantile of a density w^-exponent on [1, 0.8 x], the rule by which the
    measured loads were drawn; it meets fewer experts. Between tabulated x the line is a lower bound (hits are concave).
    """
    tokens, hits = _hits(count, top, exponent)
    return np.interp(x, tokens, hits)


@cache
def _hits(count: int, top: int, exponent: float) -> tuple[Array, Array]:
    tokens = np.concatenate([[0.0], 2.0 ** np.arange(0, 18, 0.5)])
    share = np.minimum(_shares(count, exponent, tokens[:, np.newaxis]) * top, 1.0 - 1e-9)
    missed = np.exp(np.maximum(tokens[:, np.newaxis] * np.log1p(-share), -50.0))
    # Longer draws spread wider, so one more token may meet fewer experts on paper; those already met stay met.
    return tokens, np.maximum.accumulate(np.sum(1.0 - missed, axis=1))


def _shares(count: int, exponent: float, tokens: Array) -> Array:
    """Share of visits per expert, shape (len(tokens), count)."""
    if exponent == 0:
        return np.full((len(tokens), count), 1.0 / count)
    power, quantile = 1.0 - exponent, (np.arange(count) + 0.5) / count
    longest = np.maximum(0.8 * tokens, 1.0 + 1e-6)
    weights = ((longest**power - 1.0) * quantile + 1.0) ** (1.0 / power)
    shares: Array = weights / weights.sum(axis=1, keepdims=True)
    return shares


def ring(system: System, op: Collective, x: Array) -> Array:
    """Ring bound: each rank passes (r - 1)/r of the buffer on, twice for an all-reduce. Zero for one rank."""
    rounds = 2 if op.kind == "all_reduce" else 1
    size = ACTIVATION_BYTES * op.width * np.asarray(x, np.float64)
    return size * rounds * (op.ranks - 1) / op.ranks / system.link_bandwidth(op.ranks)


def exchange(system: System, op: ExpertExchange, x: Array) -> Array:
    """Every token visits its experts' GPUs in the experts' own width and comes back in 16 bits."""
    away = op.top * (op.ranks - 1) / op.ranks
    there = GEMM[op.dtype].weight_bytes if op.dtype in {"fp8", "fp8_block", "nvfp4"} else ACTIVATION_BYTES
    return x * op.hidden * away * (there + ACTIVATION_BYTES) / system.link_bandwidth(op.ranks)


def state(system: System, op: StateScan, x: Array) -> Array:
    """Inputs read, outputs written; decode also reads and writes each sequence's state."""
    keys, values = op.key_heads * op.key_dim, op.value_heads * op.value_dim
    if op.kernel == "conv":
        channels = 2 * keys + values
        held = 2 * _STATE_BYTES * (op.conv - 1) * channels
        moved = 2 * ACTIVATION_BYTES * channels
    else:
        held = 2 * _STATE_BYTES * op.value_heads * op.value_dim * op.key_dim
        moved = 2 * ACTIVATION_BYTES * (keys + values)
    return x * (moved + (held if op.phase == "decode" else 0)) / system.gpu.memory_bandwidth


def memory(system: System, op: MemoryOp, x: Array) -> Array:
    """Seconds of an elementwise kernel: bytes at the share of bandwidth such kernels reach, plus their constant."""
    bandwidth = system.memory_op_efficiency * system.gpu.memory_bandwidth
    launch = system.memory_op_seconds if op.launch is None else op.launch
    return op.bytes_per_token * x / bandwidth + launch


def transfer(system: System, op: Transfer, x: Array) -> Array:
    """Seconds to hand activations to the next stage over the network between nodes."""
    return ACTIVATION_BYTES * op.width * x / system.node.inter_bandwidth + system.node.p2p_latency
