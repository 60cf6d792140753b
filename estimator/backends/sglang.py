"""SGLang: waiting prompts run alone, in chunks, while decoding pauses; admission reserves part of the output."""

from estimator.backends.engine import Engine, Host
from estimator.parallelism import Parallel

_MEBIBYTE = 2**20
_GIBIBYTE = 2**30
# Chunked-prefill size and graph batch (tp < 4, tp >= 4) by GPU memory: SGLang's server argument defaults.
_BY_CAPACITY = (
    (20, 2048, (8, 8)),
    (35, 2048, (24, 80)),
    (60, 4096, (32, 160)),
    (160, 8192, (256, 512)),
    (float("inf"), 16384, (512, 512)),
)
_CHUNK = 8192
_LARGE_GPU_GIB, _LARGE_RESERVE_MIB = 60, 10240
_LARGE_TP = 4


def _token_budget(_isl: int, _batch: int) -> int:
    """--chunked-prefill-size, as our manifests set it."""
    return _CHUNK


def _memory_fraction(capacity: float, chunk: int, parallel: Parallel) -> float:
    """--mem-fraction-static as the server derives it: what activations and graphs do not reserve."""
    gib = capacity / _GIBIBYTE
    graphs = next(
        small if parallel.tp < _LARGE_TP else large for limit, _, (small, large) in _BY_CAPACITY if gib < limit
    )
    reserved = 512 + 1.5 * chunk + 128 * parallel.tp * parallel.pp + 2 * graphs
    if gib > _LARGE_GPU_GIB:
        reserved = max(reserved, _LARGE_RESERVE_MIB)
    return round((capacity - reserved * _MEBIBYTE) / capacity, 3)


def _splits(parallel: Parallel) -> bool:
    """Any mix on one node; data-parallel attention divides the tensor group (--enable-dp-attention)."""
    return parallel.dp == 1 or parallel.tp * parallel.dp == parallel.moe_tp * parallel.moe_ep


def _experts_dtype(stored: str, _sm: int) -> str:
    """Experts are multiplied as they are stored."""
    return stored


ENGINE = Engine(
    name="sglang",
    policy="prompt_only",
    token_budget=_token_budget,
    # Scheduling and sampling are hidden only in part: one millisecond stays, the upper bound of its prior. Chosen among
    # 0, 1 and 2 ms by the error on published runs, all models together.
    host=Host(
        per_decode_step=1.5e-3, per_prompt_layer=0.2e-3, frontend=10e-3, between_steps=1e-3, captured_kernel=3e-6
    ),
    activation_scale={1: 14, 2: 8.5, 4: 6.5, 8: 6.5},
    experts_scale=2,
    activation_floor=90 * _MEBIBYTE,
    activation_margin=0.15,
    reserve_scale=1.2,
    memory_fraction=_memory_fraction,
    fraction_of_free=False,
    cache_margin=0.02,
    cache_block=1,
    admission_share=0.5,
    max_sequences=512,
    default_kv="bf16",
    fp8_attention=True,
    pairing="equal",
    splits=_splits,
    experts_dtype=_experts_dtype,
)
