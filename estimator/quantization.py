"""Data types: bytes, speed, and how a checkpoint, an engine and a GPU decide them."""

from collections.abc import Mapping
from dataclasses import dataclass

from estimator import schemes
from estimator.model import Experts, FeedForward, Model


@dataclass(frozen=True, slots=True, kw_only=True)
class Dtype:
    """A way of storing weights and multiplying with them.

    weight_bytes: bytes per weight, scales included where they weigh something; arithmetic: the entry of a GPU's FLOP
    table that its matrix products run at; typical: share of the speed of light that such products reach where nothing
    was measured (medians of the measured tables).
    """

    name: str
    weight_bytes: float
    arithmetic: str
    typical: float


def _table(*dtypes: Dtype) -> Mapping[str, Dtype]:
    return {dtype.name: dtype for dtype in dtypes}


# Storage formats of NVIDIA tensor cores; `typical` from the GEMM tables' compute-bound shapes. Weight-only types
# multiply in 16 bits. NVFP4 keeps an 8-bit scale per 16 weights (NVIDIA, "Introducing NVFP4"): 0.5 + 1/16 bytes.
GEMM: Mapping[str, Dtype] = _table(
    Dtype(name="bf16", weight_bytes=2, arithmetic="bf16", typical=0.70),
    Dtype(name="int8_wo", weight_bytes=1, arithmetic="bf16", typical=0.70),
    Dtype(name="int4_wo", weight_bytes=0.5, arithmetic="bf16", typical=0.70),
    Dtype(name="fp8_wo", weight_bytes=1, arithmetic="bf16", typical=0.70),
    Dtype(name="nvfp4_wo", weight_bytes=0.5625, arithmetic="bf16", typical=0.70),
    Dtype(name="fp8", weight_bytes=1, arithmetic="fp8", typical=0.45),
    Dtype(name="fp8_static", weight_bytes=1, arithmetic="fp8", typical=0.45),
    Dtype(name="fp8_block", weight_bytes=1, arithmetic="fp8", typical=0.45),
    Dtype(name="sq", weight_bytes=1, arithmetic="int8", typical=0.45),
    Dtype(name="nvfp4", weight_bytes=0.5625, arithmetic="fp4", typical=0.30),
)
# `typical` from the medians of the newest expert tables over all systems and token counts, imbalance of the measured
# skew included; types without such tables as their nearest relative (weight-only as int4, 8-bit integers as fp8).
# MXFP4 keeps an 8-bit scale per 32 weights (OCP Microscaling specification), int4 experts a 16-bit scale per 32
# (config.json of Kimi K2.5): on one GPU with gpt-oss-120b the scales are a third of what is left for the cache.
EXPERTS: Mapping[str, Dtype] = _table(
    Dtype(name="bf16", weight_bytes=2, arithmetic="bf16", typical=0.35),
    Dtype(name="fp8", weight_bytes=1, arithmetic="fp8", typical=0.25),
    Dtype(name="fp8_block", weight_bytes=1, arithmetic="fp8", typical=0.23),
    Dtype(name="nvfp4", weight_bytes=0.5625, arithmetic="fp4", typical=0.26),
    Dtype(name="w4afp8", weight_bytes=0.5, arithmetic="fp8", typical=0.15),
    Dtype(name="w4a16_mxfp4", weight_bytes=0.53125, arithmetic="bf16", typical=0.11),
    Dtype(name="w4a8_mxfp4_mxfp8", weight_bytes=0.53125, arithmetic="fp8", typical=0.15),
    Dtype(name="int4_wo", weight_bytes=0.5625, arithmetic="bf16", typical=0.15),
    Dtype(name="int8_wo", weight_bytes=1, arithmetic="bf16", typical=0.15),
    Dtype(name="fp8_wo", weight_bytes=1, arithmetic="bf16", typical=0.15),
    Dtype(name="nvfp4_wo", weight_bytes=0.5625, arithmetic="bf16", typical=0.15),
    Dtype(name="sq", weight_bytes=1, arithmetic="int8", typical=0.25),
)
KV_BYTES: Mapping[str, float] = {"bf16": 2.0, "fp8": 1.0, "int8": 1.0}
FP8_CAPABILITY = 89
"""Compute capability (x 10) from which GPUs multiply and store 8-bit floats: Ada (CUDA programming guide)."""
FP4_CAPABILITY = 100
"""Compute capability (x 10) from which GPUs multiply 4-bit and block-scaled 8-bit floats: Blackwell (same source)."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Declared:
    """What a checkpoint stores, per group of weights, and where it says so (*origin*, one entry per field).

    gemm: dense feed-forward parts and whatever is not named here; attention_gemm: the token mixers' projections but
    the last, output_gemm: the last (some NVFP4 checkpoints store the two differently); experts: routed experts (a key
    of EXPERTS); shared: the shared expert; head: the vocabulary head; kv: None where it says nothing.
    """

    gemm: str
    attention_gemm: str
    output_gemm: str
    experts: str
    shared: str
    head: str
    kv: str | None
    origin: Mapping[str, str]


@dataclass(frozen=True, slots=True, kw_only=True)
class Dtypes:
    """The resolved types of one deployment and, per type, which file or default decided it.

    gemm, attention_gemm, output_gemm, shared, head: keys of GEMM, as in Declared; experts: a key of EXPERTS;
    kv: a key of KV_BYTES; attention: arithmetic of prefill attention, "bf16" or "fp8".
    """

    gemm: str
    attention_gemm: str
    output_gemm: str
    experts: str
    shared: str
    kv: str
    attention: str
    origin: Mapping[str, str]
    head: str = "bf16"

    def words(self) -> dict[str, str]:
        """For people: type and origin per role; groups of weights only where they differ from what one expects."""
        expected = {
            "attention_gemm": self.gemm,
            "output_gemm": self.attention_gemm,
            "experts": schemes.expert_type(self.gemm),
            "shared": self.gemm,
            "head": "bf16",
        }
        shown = (role for role in _LABELS if getattr(self, role) != expected.get(role))
        return {_LABELS[role]: f"{getattr(self, role)} ({self.origin.get(role, 'as given')})" for role in shown}


_LABELS = {
    "gemm": "weights",
    "attention_gemm": "attention weights",
    "output_gemm": "attention output weights",
    "experts": "experts",
    "shared": "shared expert",
    "head": "vocabulary head",
    "kv": "kv cache",
    "attention": "attention",
}


def checkpoint(model: Model) -> Declared:
    """The types that a checkpoint declares in hf_quant_config.json or config.json.

    Raises InvalidModelConfig for a scheme we do not know.
    """
    found = schemes.read(
        schemes.Checkpoint(
            model=model.name,
            architecture=model.architecture,
            quantization=model.quantization or {},
            layers=_occurrences(model),
        )
    )
    kv = schemes.cache_type(model.quantization)
    origin = {role: where for role, (_, where) in found.items()}
    origin["kv"] = "declared by the checkpoint" if kv else "the checkpoint declares none"
    return Declared(kv=kv, origin=origin, **{role: dtype for role, (dtype, _) in found.items()})


def _occurrences(model: Model) -> dict[str, int]:
    """Layers that hold each group of weights."""
    mixers = sum(block.count for block in model.blocks if block.mixer is not None)
    dense = sum(block.count for block in model.blocks if isinstance(block.ffn, FeedForward))
    mixtures = [(block.count, block.ffn) for block in model.blocks if isinstance(block.ffn, Experts)]
    return {
        "gemm": dense,
        "attention_gemm": mixers,
        "output_gemm": mixers,
        "experts": sum(count for count, _ in mixtures),
        "shared": sum(count for count, ffn in mixtures if ffn.shared_width),
        "head": 1,
    }


def asked(weights: str) -> Declared:
    """Every group of weights in the type that a user asks for (a key of GEMM or EXPERTS), the head in 16 bits."""
    gemm = weights if weights in GEMM else "bf16"  # types that only experts come in leave the rest in 16 bits
    origin = dict.fromkeys((*schemes.ROLES, "kv"), "as asked") | {"head": "16-bit unless the checkpoint names it"}
    return Declared(
        gemm=gemm,
        attention_gemm=gemm,
        output_gemm=gemm,
        experts=schemes.expert_type(weights),
        shared=gemm,
        head="bf16",
        kv=None,
        origin=origin,
    )


def on_gpu(dtype: str, sm: int) -> str:
    """The type that a GPU of compute capability *sm* (x 10) computes *dtype* as: weight-only where it must be."""
    if sm < FP8_CAPABILITY and dtype in {"fp8", "fp8_static", "fp8_block"}:
        return "fp8_wo"
    if sm < FP8_CAPABILITY and dtype == "w4afp8":
        return "int4_wo"
    if sm < FP4_CAPABILITY:
        return {"nvfp4": "nvfp4_wo", "w4a8_mxfp4_mxfp8": "w4a16_mxfp4"}.get(dtype, dtype)
    return dtype


def planned_kv(declared: Declared, sm: int) -> tuple[str, str]:
    """The KV cache type that a deployment of ours asks its engine for, and why.

    We write the flag ourselves, so it is a decision: 8 bits where the weights have at most 8 bits already (the
    accuracy trade has been made) and the GPU stores them natively; else 16.
    """
    if sm < FP8_CAPABILITY:
        return "bf16", "this GPU has no 8-bit floats"
    if min(GEMM[declared.gemm].weight_bytes, EXPERTS[declared.experts].weight_bytes) > 1:
        return "bf16", "weights are 16-bit"
    return "fp8", "planned, as the weights are 8-bit; the manifest sets it"
