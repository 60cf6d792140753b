"""vLLM: decodes first, fills the step with chunks of prompts; optimistic admission, preempts when blocks run out."""

from estimator.backends.engine import Engine, Host
from estimator.parallelism import Parallel

_MEBIBYTE = 2**20
_BUDGET_STEP = 256
_BUDGET_SLACK = 1500
_BUDGET_RANGE = (2048, 16384)


def _token_budget(isl: int, batch: int) -> int:
    """--max-num-batched-tokens as our manifests set it: one prompt and the decodes, in steps of 256, 2048 to 16384."""
    wanted = -(-(isl + _BUDGET_SLACK + batch) // _BUDGET_STEP) * _BUDGET_STEP
    return min(max(wanted, _BUDGET_RANGE[0]), _BUDGET_RANGE[1])


def _memory_fraction(_capacity: float, _chunk: int, _parallel: Parallel) -> float:
    """--gpu-memory-utilization, default 0.9 of the whole GPU up to vLLM 0.19 (engine arguments reference)."""
    return 0.90


def _splits(parallel: Parallel) -> bool:
    """Experts are spread over all ranks or all split, never both (--enable-expert-parallel is a switch)."""
    return parallel.moe_tp == 1 or parallel.moe_ep == 1


def _experts_dtype(stored: str, _sm: int) -> str:
    """Experts are multiplied as they are stored."""
    return stored


ENGINE = Engine(
    name="vllm",
    policy="decode_first",
    token_budget=_token_budget,
    # Priors: scheduler and input preparation of a captured step; launch-bound piecewise execution of prompt steps.
    host=Host(per_decode_step=1.5e-3, per_prompt_layer=0.4e-3, frontend=10e-3, between_steps=0.0, captured_kernel=3e-6),
    activation_scale={1: 11, 2: 6.5, 4: 5, 8: 5},
    experts_scale=2,
    activation_floor=70 * _MEBIBYTE,
    activation_margin=0,
    reserve_scale=1,
    memory_fraction=_memory_fraction,
    fraction_of_free=False,
    cache_margin=0.02,
    cache_block=16,
    admission_share=0.5,
    max_sequences=1024,
    default_kv="bf16",
    fp8_attention=False,
    pairing="multiple",
    splits=_splits,
    experts_dtype=_experts_dtype,
)
