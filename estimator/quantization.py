"""Data types: bytes, speed, and how a checkpoint and an engine decide them."""

from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True, slots=True, kw_only=True)
class Dtype:
    """A way of storing weights and multiplying with them.

    weight_bytes: bytes per weight; speed: multiple of the bf16 peak that its matrix units reach.
    """

    name: str
    weight_bytes: float
    speed: float


# Bytes and compute multiples of NVIDIA tensor cores per storage format (Hopper and Blackwell data sheets).
GEMM = {
    dtype.name: dtype
    for dtype in (
        Dtype(name="bf16", weight_bytes=2, speed=1),
        Dtype(name="int8_wo", weight_bytes=1, speed=1),
        Dtype(name="int4_wo", weight_bytes=0.5, speed=1),
        Dtype(name="fp8", weight_bytes=1, speed=2),
        Dtype(name="fp8_static", weight_bytes=1, speed=2),
        Dtype(name="fp8_block", weight_bytes=1, speed=2),
        Dtype(name="sq", weight_bytes=1, speed=2),
        Dtype(name="nvfp4", weight_bytes=0.5625, speed=4),
    )
}
KV_BYTES = {"bf16": 2.0, "fp8": 1.0, "int8": 1.0}
