"""Data types: bytes, speed, and how a checkpoint and an engine decide them."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from estimator.errors import InvalidModelConfig


@dataclass(frozen=True, slots=True, kw_only=True)
class Dtype:
    """A way of storing weights and multiplying with them.

    weight_bytes: bytes per weight; arithmetic: the entry of a GPU's FLOP table that its matrix products run at;
    typical: share of the speed of light that such products reach where nothing was measured (median of the
    measured GEMM tables over their compute-bound shapes).
    """

    name: str
    weight_bytes: float
    arithmetic: str
    typical: float


# Storage formats of NVIDIA tensor cores; `typical` from the medians of the shipped GEMM tables.
GEMM: Mapping[str, Dtype] = {
    dtype.name: dtype
    for dtype in (
        Dtype(name="bf16", weight_bytes=2, arithmetic="bf16", typical=0.70),
        Dtype(name="int8_wo", weight_bytes=1, arithmetic="bf16", typical=0.70),
        Dtype(name="int4_wo", weight_bytes=0.5, arithmetic="bf16", typical=0.70),
        Dtype(name="fp8", weight_bytes=1, arithmetic="fp8", typical=0.45),
        Dtype(name="fp8_static", weight_bytes=1, arithmetic="fp8", typical=0.45),
        Dtype(name="fp8_block", weight_bytes=1, arithmetic="fp8", typical=0.45),
        Dtype(name="sq", weight_bytes=1, arithmetic="int8", typical=0.45),
        Dtype(name="nvfp4", weight_bytes=0.5625, arithmetic="fp4", typical=0.30),
    )
}
KV_BYTES: Mapping[str, float] = {"bf16": 2.0, "fp8": 1.0, "int8": 1.0}
FP8_CAPABILITY = 89
"""Compute capability (x 10) from which GPUs multiply and store 8-bit floats: Ada (CUDA programming guide)."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Dtypes:
    """The resolved types of one deployment and, per type, which file or default decided it.

    gemm: a key of GEMM; kv: a key of KV_BYTES; attention: arithmetic of prefill attention, "bf16" or "fp8".
    """

    gemm: str
    kv: str
    attention: str
    origin: Mapping[str, str]

    def words(self) -> dict[str, str]:
        """For people: type and origin per role."""
        return {
            "weights": f"{self.gemm} ({self.origin['gemm']})",
            "kv cache": f"{self.kv} ({self.origin['kv']})",
            "attention": f"{self.attention} ({self.origin['attention']})",
        }


def checkpoint_gemm(model: str, quantization: Mapping[str, Any] | None) -> tuple[str, str]:
    """The weight type a checkpoint declares, and where it says so.

    *quantization* is `hf_quant_config.json`'s `quantization` or config.json's `quantization_config`. Raises
    InvalidModelConfig for a scheme we do not know.
    """
    if not quantization:
        return "bf16", "config.json names no quantisation"
    scheme = str(quantization.get("quant_algo") or quantization.get("quant_method") or "").lower()
    where = "quant_algo" if quantization.get("quant_algo") else "quant_method"
    if scheme == "compressed-tensors":
        return _compressed_tensors(model, quantization)
    if scheme in {"fp8", "fbgemm_fp8", "fp8_pb_wo"}:
        return _fp8(scheme, quantization), f"checkpoint {where} {scheme}"
    plain = {"nvfp4": "nvfp4", "mxfp8": "fp8_block", "w8a8_sq_per_channel": "sq"}
    if scheme in plain:
        return plain[scheme], f"checkpoint {where} {scheme}"
    raise InvalidModelConfig(model, f"quantization_config.{where}", f"is {scheme!r}, which we do not know yet")


def _fp8(scheme: str, quantization: Mapping[str, Any]) -> str:
    if quantization.get("weight_block_size") or scheme == "fp8_pb_wo":
        return "fp8_block"
    groups = quantization.get("config_groups") or {}
    parts = [group.get(part) or {} for group in groups.values() for part in ("input_activations", "weights")]
    dynamic = quantization.get("activation_scheme") == "dynamic" or any(part.get("dynamic") for part in parts)
    return "fp8" if dynamic or scheme == "fbgemm_fp8" else "fp8_static"


def _compressed_tensors(model: str, quantization: Mapping[str, Any]) -> tuple[str, str]:
    groups = quantization.get("config_groups") or {}
    weights = next((group.get("weights") or {} for group in groups.values()), {})
    bits, kind, strategy = weights.get("num_bits"), weights.get("type"), weights.get("strategy")
    where = f"checkpoint compressed-tensors, {bits}-bit {kind}"
    if (bits, kind) == (8, "float"):
        return ("fp8_block" if strategy == "block" else "fp8"), where
    if kind == "int" and bits in {4, 8}:
        return f"int{bits}_wo", where
    raise InvalidModelConfig(model, "quantization_config.config_groups", f"has weights of {bits} bits, type {kind}")


def checkpoint_kv(quantization: Mapping[str, Any] | None) -> str | None:
    """The KV cache type that a checkpoint declares (ModelOpt exports do), or None."""
    declared = (quantization or {}).get("kv_cache_quant_algo") or (quantization or {}).get("kv_cache_scheme")
    if isinstance(declared, Mapping):
        return {8: "fp8"}.get(declared.get("num_bits", 0))
    return "fp8" if str(declared).lower() == "fp8" else None


def planned_kv(gemm: str, sm: int) -> tuple[str, str]:
    """The KV cache type that a deployment of ours asks its engine for, and why.

    We write the flag ourselves, so it is a decision: 8 bits where the weights have at most 8 bits already (the
    accuracy trade has been made) and the GPU stores them natively; else 16.
    """
    if sm < FP8_CAPABILITY:
        return "bf16", "this GPU has no 8-bit floats"
    if GEMM[gemm].weight_bytes > 1:
        return "bf16", "weights are 16-bit"
    return "fp8", "planned, as the weights are 8-bit; the manifest sets it"
