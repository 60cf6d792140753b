"""Bytes per GPU: does a worker start, how much cache is left, and how many requests does it admit.

The multipliers are the activation and reserve rules of the engines, recorded per engine in `backends`.
"""

from dataclasses import dataclass

import numpy as np

from estimator.estimates import Memory
from estimator.layers.model import layer_bytes
from estimator.model import Attention, DeltaNet, Latent, Mixer, StateSpace
from estimator.ops import ACTIVATION_BYTES, Array, Mask
from estimator.quantization import GEMM, KV_BYTES
from estimator.shape import Shape
from estimator.workload import Workload

_STATE_BYTES = 4
"""Recurrent states are kept as 32-bit numbers by default (mamba_ssm_dtype)."""
_EXPERTS_PER_SLICE, _ROUTING_BYTES = 128, 4
"""Latent families keep routing buffers of 4 bytes per token, width and 128 expert slots (engine memory reports)."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Footprint:
    """What one worker of a shape needs on each GPU whatever its load, bytes."""

    weights: float
    fixed: float
    capacity: float


def footprint(shape: Shape) -> Footprint:
    """Weights of the fullest pipeline stage (its layers, and the vocabulary table at either end) and buffers."""
    model, parallel, system = shape.model, shape.parallel, shape.system
    share = -(-model.layers // parallel.pp) / model.layers
    return Footprint(
        weights=layer_bytes(shape) * share + _vocabulary(shape),
        fixed=system.nccl_buffer(max(parallel.tp, shape.group)) + system.other_bytes * shape.engine.reserve_scale,
        capacity=system.gpu.memory_capacity,
    )


def _vocabulary(shape: Shape) -> float:
    """Embedding and head of one rank; a tied table is stored once, and with stages the two ends live apart."""
    model = shape.model
    rows = model.vocab * model.hidden / shape.parallel.tp
    head = rows * GEMM[shape.dtypes.head].weight_bytes
    if model.tied:
        return head
    return max(rows * ACTIVATION_BYTES, head) if shape.parallel.pp > 1 else rows * ACTIVATION_BYTES + head


def cache_bytes(shape: Shape, length: Array) -> Array:
    """Bytes per GPU that sequences of *length* tokens keep, any shape: keys and values, latents, windows, states."""
    length = np.asarray(length, float)
    stages = shape.parallel.pp
    kept = sum((block.count * _kept(shape, block.mixer, length) for block in shape.model.blocks), np.zeros_like(length))
    return kept * (-(-shape.model.layers // stages) / shape.model.layers)


def _kept(shape: Shape, mixer: Mixer | None, length: Array) -> Array:
    """Bytes of one layer."""
    tp, element = shape.parallel.tp, KV_BYTES[shape.dtypes.kv]
    match mixer:
        case Attention():
            seen = length if mixer.window is None else np.minimum(length, mixer.window)
            return 2 * -(-mixer.kv_heads // tp) * mixer.head_dim * element * seen
        case Latent():
            index = mixer.index_dim if mixer.index_top is not None else 0
            return ((mixer.kv_rank + mixer.rope_dim) * element + index) * length
        case DeltaNet():
            state = mixer.value_heads / tp * mixer.key_dim * mixer.value_dim * _STATE_BYTES
            keys = 2 * mixer.key_heads * mixer.key_dim + mixer.value_heads * mixer.value_dim
            return np.full_like(length, state + keys / tp * (mixer.conv - 1) * ACTIVATION_BYTES)
        case StateSpace():
            inner = mixer.heads * mixer.head_dim
            state = inner / tp * mixer.state * _STATE_BYTES
            width = inner / tp + 2 * max(mixer.groups // tp, 1) * mixer.state
            return np.full_like(length, state + width * (mixer.conv - 1) * ACTIVATION_BYTES)
        case None:
            return np.zeros_like(length)


def activations(shape: Shape, tokens: Array) -> Array:
    """Bytes of activations for a step of *tokens* per rank, any shape."""
    model, parallel, engine = shape.model, shape.parallel, shape.engine
    heads = [mixer.heads * mixer.head_dim for mixer in model.mixers if isinstance(mixer, Attention)]
    width = model.hidden if shape.is_latent or not heads else max(heads)
    scale = engine.activation_scale[min(parallel.tp, max(engine.activation_scale))]
    experts = shape.experts
    needed = ACTIVATION_BYTES * tokens * width * scale * (1 if experts is None else engine.experts_scale)
    if experts is not None and shape.is_latent:
        slots = experts.count * experts.top / parallel.moe_ep / _EXPERTS_PER_SLICE
        needed = needed + tokens * width * parallel.dp * slots * _ROUTING_BYTES
    return np.maximum(needed, engine.activation_floor) * (1 + engine.activation_margin)


def cache_budget(shape: Shape, need: Footprint, used: Array, chunk: int) -> Array:
    """Bytes left for the cache beside *used* activations, any shape; may be negative."""
    taken, engine = need.weights + need.fixed + used, shape.engine
    fraction = engine.memory_fraction(need.capacity, chunk, shape.parallel)
    if engine.fraction_of_free:
        return (need.capacity - taken) * fraction * (1 - engine.cache_margin)
    return need.capacity * fraction * (1 - engine.cache_margin) - taken


def holds(shape: Shape, budget: Array, length: float, requests: float = 1) -> Mask:
    """Whether the cache holds *requests* sequences of *length* tokens, any shape of *budget*."""
    enough: Mask = budget >= requests * _in_blocks(shape, length)
    return enough


def admitted(shape: Shape, budget: Array, workload: Workload) -> Array:
    """Requests per rank that the scheduler keeps in flight in *budget* bytes; a shared prefix is stored once."""
    shared = _in_blocks(shape, workload.prefix) if workload.prefix else 0.0
    own = _in_blocks(shape, workload.isl + shape.engine.admission_share * workload.osl) - shared
    return np.floor(np.maximum(budget - shared, 0) / max(own, 1.0))


def _in_blocks(shape: Shape, length: float) -> float:
    """Bytes of one sequence, its length rounded up to whole cache blocks."""
    block = shape.engine.cache_block
    return float(cache_bytes(shape, np.asarray(np.ceil(length / block) * block)))


def needed_capacity(shape: Shape, workload: Workload) -> float:
    """Bytes that each GPU must have for one copy to start and serve one request, the engine's reserve included."""
    engine, need = shape.engine, footprint(shape)
    budget = engine.token_budget(workload.isl, 1)
    taken = need.weights + need.fixed + float(activations(shape, np.asarray(float(budget))))
    cache = _in_blocks(shape, workload.isl + workload.osl)
    usable = engine.memory_fraction(need.capacity, budget, shape.parallel) * (1 - engine.cache_margin)
    return taken + cache / usable if engine.fraction_of_free else (taken + cache) / usable


def record(shape: Shape, used: float, budget: float, batch: int, workload: Workload) -> Memory:
    """The record that goes into an estimate."""
    need = footprint(shape)
    shared = float(cache_bytes(shape, np.asarray(float(workload.prefix))))
    own = float(cache_bytes(shape, np.asarray(float(workload.isl + workload.osl)))) - shared
    return Memory(
        weights=need.weights,
        activations=used,
        kv_cache=budget,
        kv_needed=batch * own + shared,
        fixed=need.fixed,
        capacity=need.capacity,
    )
