"""TensorRT-LLM: in-flight batching of whole prompts within max_num_tokens; never evicts, so admission reserves all."""

from estimator.backends.engine import Engine, Host
from estimator.parallelism import Parallel

_MEBIBYTE = 2**20
_TOKENS_STEP = 32
_TOKENS_SLACK = 500
_BLACKWELL = 100
"""Compute capability (x 10) of data-centre Blackwell GPUs."""


def _token_budget(isl: int, batch: int) -> int:
    """max_num_tokens as our manifests set it: one prompt, the decodes and some slack, in steps of 32."""
    return -(-(isl + _TOKENS_SLACK + batch) // _TOKENS_STEP) * _TOKENS_STEP


def _memory_fraction(_capacity: float, _chunk: int, _parallel: Parallel) -> float:
    """free_gpu_memory_fraction of the memory left after weights; our manifests keep the engine's default of 0.9."""
    return 0.90


def _splits(parallel: Parallel) -> bool:
    """Attention is either split over all ranks or data-parallel over all (enable_attention_dp is a switch)."""
    return parallel.tp == 1 or parallel.dp == 1


def _experts_dtype(stored: str, sm: int) -> str:
    """On Blackwell, MXFP4 experts are multiplied with activations quantised to MXFP8 (W4A8_MXFP4_MXFP8, the default
    of its kernels for gpt-oss there); elsewhere as they are stored."""
    return "w4a8_mxfp4_mxfp8" if stored == "w4a16_mxfp4" and sm >= _BLACKWELL else stored


ENGINE = Engine(
    name="trtllm",
    policy="whole_prompts",
    token_budget=_token_budget,
    # Norms, reductions and quantisation are fused and kernels start before their predecessors end (programmatic
    # dependent launch), so an elementwise kernel costs about a third of a launched one. Chosen among 1, 2 and 3 us by
    # the error on published runs, all models together.
    host=Host(per_decode_step=1.5e-3, per_prompt_layer=0.1e-3, frontend=10e-3, between_steps=0.0, captured_kernel=1e-6),
    activation_scale={1: 11, 2: 6.5, 4: 5, 8: 5},
    experts_scale=2,
    activation_floor=70 * _MEBIBYTE,
    activation_margin=0,
    reserve_scale=1,
    memory_fraction=_memory_fraction,
    fraction_of_free=True,
    cache_margin=0.035,
    cache_block=32,
    admission_share=1.0,
    max_sequences=2048,
    default_kv="checkpoint",
    fp8_attention=True,
    pairing="any",
    splits=_splits,
    experts_dtype=_experts_dtype,
)
