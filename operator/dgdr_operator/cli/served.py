"""How the published benchmark runs were served: settings that their tables do not hold and their launch scripts do.

Two campaigns republish their runs in one format. InferenceX (formerly InferenceMAX) keeps its launch scripts in public
(github.com/SemiAnalysisAI/InferenceX, benchmarks/, Apache-2.0); what stands here is read from those of 2025 and 2026.
The rest names no script: its requests were all of one length, which SGLang's numbers show, as they fit waves that start
and end together within 5 % and random lengths by 30 %.
"""

from dataclasses import dataclass

from dgdr_operator.cli.measurements import Run

_INFERENCE_X = frozenset({(1024, 1024), (1024, 8192), (8192, 1024)})
"""(isl, osl) of that campaign; it drew lengths uniformly from 0.8 to 1.0 of these (random-range-ratio 0.8)."""
_MEAN_LENGTH = 0.9
_ROUNDS = 10
"""num-prompts is ten times max-concurrency, all clients start at once."""
_BLACKWELL = 100
"""Compute capability (x 10) from which the scripts ask for an 8-bit cache with quantised weights."""
_OWN_SCALES = frozenset({"fp8_static", "sq"})
"""Weights exported by ModelOpt, whose checkpoints declare an 8-bit cache; the scripts ask for it on every GPU."""
_WIDE = frozenset({"bf16", "float16", "int4_wo", "int8_wo"})
"""Weights that are served with the cache of the activations' type."""
_EIGHT_BITS = "w4a8_mxfp4_mxfp8"
"""Of MXFP4 experts in vLLM on Blackwell with VLLM_USE_FLASHINFER_MOE_MXFP4_MXFP8, which the scripts set."""
_VLLM_BUDGET = 8192
"""max-num-batched-tokens, also the server's default on these GPUs."""
_TRTLLM_BUDGET, _TRTLLM_SLACK = 8192, 64
"""max_num_tokens is isl, concurrency and some slack, at least this (the gpt-oss scripts: 20000)."""
_MIXED_BUDGET = 20000
_OVERLAPPED = 4
"""TensorRT-LLM hands a token out after the next iteration has been prepared, and takes requests in likewise. Chosen
among 0 to 8 iterations by the error on the calibration rows, all models together."""
_WAIT, _WAIT_TP = 20, 8
"""batch_wait_timeout_iters of dense models at 1024 / 1024 on fewer GPUs: iterations a prompt waits for company."""
_STREAMED, _STREAMED_SOONER = 19, 9
"""Tokens that SGLang's first answer waits for. With a stream-interval of 30: between none and 29 by version; chosen
among 0, 9, 14, 19 and 29 by the error on the calibration rows, all models together. With 10 (on Hopper, and DeepSeek in
NVFP4): all but one of them."""
_POLLS = ((16, 10), (10**9, 30))
"""scheduler-recv-interval below so many clients, on Blackwell: iterations between two looks at the queue, half of them
waited."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Checkpoint:
    """What the scripts tell apart: the dtype of most weights, no experts, latent attention."""

    weights: str
    dense: bool
    latent: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Served:
    """kv_cache, experts: dtypes, None for as stored; max_num_tokens: what a step may hold, None for the engine's own;
    length: mean over nominal length; alike: all requests have one length; rounds: requests per client; late: iterations
    by which the client sees the first token later than it exists; streamed: those of them that the other tokens of that
    answer took.
    """

    kv_cache: str
    experts: str | None = None
    max_num_tokens: int | None
    length: float
    alike: bool
    rounds: int = _ROUNDS
    late: float = 0.0
    streamed: int = 0


def settings(run: Run, checkpoint: Checkpoint, sm: int) -> Served:
    """Those of *run* of *checkpoint* on GPUs of compute capability *sm*."""
    scripted = bool(run.precision) and (run.isl, run.osl) in _INFERENCE_X
    late, streamed = _lateness(run, checkpoint, sm) if scripted else (0.0, 0)
    weights = checkpoint.weights
    return Served(
        kv_cache=_cache(run, weights, sm),
        experts=_EIGHT_BITS if run.backend == "vllm" and "mxfp4" in weights and sm >= _BLACKWELL else None,
        max_num_tokens=_budget(run, weights),
        length=_MEAN_LENGTH if scripted else 1.0,
        alike=not scripted,
        late=late,
        streamed=streamed,
    )


def _cache(run: Run, weights: str, sm: int) -> str:
    """8 bits: TensorRT-LLM with quantised weights (on Hopper not with gpt-oss), the others as the scripts have it."""
    if weights in _WIDE:
        return "bf16"
    own = weights in _OWN_SCALES or (run.backend == "trtllm" and "mxfp4" not in weights)
    return "fp8" if sm >= _BLACKWELL or own else "bf16"


def _budget(run: Run, weights: str) -> int | None:
    if run.backend == "vllm":
        return _VLLM_BUDGET
    if run.backend == "trtllm":
        return (
            _MIXED_BUDGET
            if "mxfp4" in weights
            else max(_TRTLLM_BUDGET, round(run.concurrency) + run.isl + _TRTLLM_SLACK)
        )
    return None


def _lateness(run: Run, checkpoint: Checkpoint, sm: int) -> tuple[float, int]:
    """Iterations before the client sees the first token, and those of them that stream it."""
    if run.backend == "trtllm":
        waits = checkpoint.dense and (run.isl, run.osl) == (1024, 1024) and run.parallel.tp < _WAIT_TP
        return _OVERLAPPED + (_WAIT if waits else 0), 0
    if run.backend == "sglang":
        sooner = sm < _BLACKWELL or (checkpoint.latent and checkpoint.weights == "nvfp4")
        streamed = _STREAMED_SOONER if sooner else _STREAMED
        every = next(interval for clients, interval in _POLLS if run.concurrency < clients)
        return streamed + ((every + 1) / 2 if sm >= _BLACKWELL else 0), streamed
    return 0.0, 0
