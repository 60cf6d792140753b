"""The data types of a deployment and what decided each: the caller, the checkpoint, the engine, or a plan of ours."""

from dataclasses import replace

from estimator import quantization
from estimator.backends.engine import Engine
from estimator.errors import InvalidWorkload
from estimator.model import Attention, Model
from estimator.pricing import Prices
from estimator.quantization import EXPERTS, GEMM, KV_BYTES, Declared, Dtypes


def stored(model: Model, engine: Engine, sm: int, *, kv_dtype: str | None = None, weights: str | None = None) -> Dtypes:
    """The types of weights and cache on a GPU of compute capability *sm* (x 10); arithmetic as the engine's default.

    The experts of MXFP4 checkpoints are multiplied in the type that the engine chooses on that GPU. Raises
    InvalidWorkload for a type that does not exist.
    """
    if weights is not None and weights not in GEMM and weights not in EXPERTS:
        raise InvalidWorkload("weights", weights, f"one of {', '.join(sorted({*GEMM, *EXPERTS}))}")
    if kv_dtype is not None and kv_dtype not in KV_BYTES:
        raise InvalidWorkload("kv cache type", kv_dtype, f"one of {', '.join(KV_BYTES)}")
    declared = quantization.asked(weights) if weights else quantization.checkpoint(model)
    kv, kv_origin = (kv_dtype, "as asked") if kv_dtype else quantization.planned_kv(declared, sm)
    return Dtypes(
        gemm=quantization.on_gpu(declared.gemm, sm),
        attention_gemm=quantization.on_gpu(declared.attention_gemm, sm),
        output_gemm=quantization.on_gpu(declared.output_gemm, sm),
        experts=engine.experts_dtype(quantization.on_gpu(declared.experts, sm), sm),
        shared=quantization.on_gpu(declared.shared, sm),
        head=declared.head,
        kv=kv,
        attention="bf16",
        origin={**declared.origin, "kv": kv_origin, "attention": f"default of {engine.name}"},
    )


def resolve(
    model: Model, engine: Engine, prices: Prices, *, kv_dtype: str | None = None, weights: str | None = None
) -> Dtypes:
    """The same, with the arithmetic of prefill attention that the engine was measured in."""
    dtypes = stored(model, engine, prices.system.gpu.sm, kv_dtype=kv_dtype, weights=weights)
    arithmetic, why = _attention(model, engine, prices, dtypes.kv)
    return replace(dtypes, attention=arithmetic, origin={**dtypes.origin, "attention": why})


def _attention(model: Model, engine: Engine, prices: Prices, kv: str) -> tuple[str, str]:
    """Arithmetic of prefill attention: 8-bit only with an 8-bit cache, and where the engine was measured doing so."""
    heads = [mixer.head_dim for mixer in model.mixers if isinstance(mixer, Attention)]
    eight = engine.fp8_attention and kv == "fp8" and heads and prices.has_attention("fp8", "fp8", heads[0])
    return (
        ("fp8", f"{engine.name} multiplies 8-bit caches in 8 bits") if eight else ("bf16", f"default of {engine.name}")
    )


def default_kv(model: Model, engine: Engine) -> str:
    """The cache type an engine uses when nobody sets one: 16-bit, or what the checkpoint declares where it listens."""
    declared: Declared = quantization.checkpoint(model)
    return (declared.kv or "bf16") if engine.default_kv == "checkpoint" else "bf16"


def with_experts(dtypes: Dtypes, experts: str | None) -> Dtypes:
    """The same types, with the experts' as a caller knows it."""
    if experts is None:
        return dtypes
    if experts not in EXPERTS:
        raise InvalidWorkload("expert weights", experts, f"one of {', '.join(EXPERTS)}")
    return replace(dtypes, experts=experts, origin={**dtypes.origin, "experts": "as asked"})
