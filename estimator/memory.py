"""Bytes per GPU: does a worker start, how much cache is left, and how many requests does it admit.

The multipliers are the activation and reserve rules of the engines, recorded per engine in `backends`.
"""

from dataclasses import dataclass

import numpy as np

from estimator.backends.engine import Engine
from estimator.estimates import Memory
from estimator.hardware import System
from estimator.layers import operations
from estimator.model import Model
from estimator.ops import ACTIVATION_BYTES, Array, Gemm
from estimator.parallelism import Parallel
from estimator.quantization import KV_BYTES, Dtypes
from estimator.workload import Workload


@dataclass(frozen=True, slots=True, kw_only=True)
class Footprint:
    """What one worker of a shape needs on each GPU, bytes; kv_per_token: bytes per cached token."""

    weights: float
    fixed: float
    kv_per_token: float
    capacity: float


def footprint(model: Model, parallel: Parallel, dtypes: Dtypes, system: System, engine: Engine) -> Footprint:
    """Everything that does not depend on the load.

    Weights are those of the fullest pipeline stage: its layers, plus the vocabulary table at either end.
    """
    share = -(-model.layers // parallel.pp) / model.layers
    kv_heads = -(-model.attention.kv_heads // parallel.tp)
    per_layer = 2 * kv_heads * model.attention.head_dim * KV_BYTES[dtypes.kv]
    return Footprint(
        weights=layer_weights(model, parallel, dtypes) * share + _vocabulary(model, parallel),
        fixed=system.nccl_buffer(parallel.tp) + system.other_bytes * engine.reserve_scale,
        kv_per_token=per_layer * -(-model.layers // parallel.pp),
        capacity=system.gpu.memory_capacity,
    )


def layer_weights(model: Model, parallel: Parallel, dtypes: Dtypes) -> float:
    """Bytes of all layers' matrices on one rank, without the vocabulary."""
    placed = operations(model, parallel, dtypes, "decode")
    return sum(p.op.weight_bytes * p.count for p in placed if isinstance(p.op, Gemm) and p.role == "token")


def _vocabulary(model: Model, parallel: Parallel) -> float:
    """Embedding and head of one rank; a tied table is stored once, and with stages the two ends live apart."""
    table = model.vocab * model.hidden * ACTIVATION_BYTES / parallel.tp
    return table if model.tied or parallel.pp > 1 else 2 * table


def activations(model: Model, parallel: Parallel, engine: Engine, tokens: Array) -> Array:
    """Bytes of activations for a step of *tokens*, any shape."""
    width = model.attention.heads * model.attention.head_dim
    scale = engine.activation_scale[min(parallel.tp, max(engine.activation_scale))]
    return np.maximum(ACTIVATION_BYTES * tokens * width * scale, engine.activation_floor) * (
        1 + engine.activation_margin
    )


def cache_budget(print_: Footprint, activation_bytes: Array, engine: Engine, chunk: int, parallel: Parallel) -> Array:
    """Bytes left for keys and values, any shape; may be negative."""
    taken = print_.weights + print_.fixed + activation_bytes
    fraction = engine.memory_fraction(print_.capacity, chunk, parallel)
    if engine.fraction_of_free:
        return (print_.capacity - taken) * fraction * (1 - engine.cache_margin)
    return print_.capacity * fraction * (1 - engine.cache_margin) - taken


def cached_tokens(budget: Array, print_: Footprint, engine: Engine) -> Array:
    """Whole blocks of tokens that fit, any shape."""
    tokens = np.maximum(budget, 0) / print_.kv_per_token
    return np.floor(tokens / engine.cache_block) * engine.cache_block


def admitted(tokens: Array, workload: Workload, engine: Engine) -> Array:
    """Requests per rank that the scheduler keeps in flight with that much cache; a shared prefix counts once."""
    own = workload.new_tokens + engine.admission_share * workload.osl
    return np.floor(np.maximum(tokens - workload.prefix, 0) / own)


def needed_capacity(model: Model, parallel: Parallel, print_: Footprint, engine: Engine, workload: Workload) -> float:
    """Bytes that each GPU must have for one copy to start and serve one request, the engine's reserve included."""
    budget = engine.token_budget(workload.isl, 1)
    taken = print_.weights + print_.fixed + float(activations(model, parallel, engine, np.asarray(float(budget))))
    cache = print_.kv_per_token * (workload.isl + workload.osl)
    usable = engine.memory_fraction(print_.capacity, budget, parallel) * (1 - engine.cache_margin)
    return taken + cache / usable if engine.fraction_of_free else (taken + cache) / usable


def record(print_: Footprint, activation_bytes: float, budget: float, batch: int, workload: Workload) -> Memory:
    """The record that goes into an estimate."""
    needed = print_.kv_per_token * (batch * (workload.new_tokens + workload.osl) + workload.prefix)
    return Memory(
        weights=print_.weights,
        activations=activation_bytes,
        kv_cache=budget,
        kv_needed=needed,
        fixed=print_.fixed,
        capacity=print_.capacity,
    )
