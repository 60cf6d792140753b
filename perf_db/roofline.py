"""The least time a matrix product or decode attention can take: the slower of computing it and moving it.

Both formulas count arithmetic at the peak rate of the data type and bytes at the memory bandwidth, with every operand
moved once. Source: Williams, Waterman, Patterson, "Roofline" (CACM 2009), and the shapes of the operations.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Self

import numpy as np

from perf_db.table import FloatArray

_ACTIVATION_BYTES = 2.0  # activations are 16-bit in every engine we know
_WEIGHT_BYTES = {"bf16": 2.0, "int8_wo": 1.0, "int4_wo": 0.5, "fp8": 1.0, "fp8_block": 1.0, "sq": 1.0, "nvfp4": 0.5625}
_COMPUTED_IN = {"fp8": "fp8", "fp8_block": "fp8", "sq": "int8", "nvfp4": "fp4"}  # everything else is computed in bf16
_CACHE_BYTES = {"bf16": 2.0, "fp8": 1.0, "int8": 1.0}


Shape = tuple[FloatArray, FloatArray, FloatArray]
"""(n, k, m) of a product of an m x k and a k x n matrix."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Roof:
    """Peak FLOP/s by data type, and memory bandwidth in bytes/s, of one GPU."""

    flops: Mapping[str, float]
    bandwidth: float

    @classmethod
    def of(cls, facts: Mapping[str, Any]) -> Self:
        """From one system's block of systems.json."""
        gpu = facts["gpu"]
        return cls(flops=gpu["flops_per_second"], bandwidth=gpu["memory_bandwidth_bytes_per_second"])

    def gemm(self, dtype: str, shape: Shape) -> FloatArray:
        """Seconds for *shape*, NaN for a data type whose width or peak is unknown."""
        n, k, m = shape
        peak = self.flops.get(_COMPUTED_IN.get(dtype, "bf16"))
        if peak is None or dtype not in _WEIGHT_BYTES:
            return np.full(np.broadcast_shapes(n.shape, k.shape, m.shape), np.nan)
        moved = _WEIGHT_BYTES[dtype] * n * k + _ACTIVATION_BYTES * m * (n + k)
        return np.maximum(2.0 * m * n * k / peak, moved / self.bandwidth)

    def decode_attention(
        self,
        cache_dtype: str,
        heads: tuple[FloatArray, FloatArray],
        batch: FloatArray,
        seen: FloatArray,
        head_dim: FloatArray,
    ) -> FloatArray:
        """Seconds for *batch* new tokens that each look at *seen* cached ones; *heads* = (query, key-value)."""
        query, key_value = heads
        math = 4.0 * batch * query * head_dim * seen / self.flops["bf16"]
        cache = 2.0 * key_value * seen * head_dim * _CACHE_BYTES[cache_dtype]
        return np.maximum(math, batch * (4.0 * query * head_dim + cache) / self.bandwidth)
