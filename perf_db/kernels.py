"""The repair rule for GEMM tables that time one kernel of several, and not the one the engine picks for the shape."""

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from perf_db.change import Change
from perf_db.launches import Siblings, dtype_rows, on_shapes, shape_of
from perf_db.roofline import Roof
from perf_db.table import FloatArray, Table

_FEW_TOKENS, _LEAST_WIDTH, _LEAST_DEPTH = 16, 2048, 8192
"""Where reading the weights decides, whatever the kernel: few tokens, and enough weights to fill the GPU."""
_TOO_MUCH, _USUAL = 3.0, 2.5
"""Time over that of 16 bits, relative to what the bytes say: sound kernels of narrow types lie between 1 and 2.2."""


@dataclass(frozen=True, slots=True, kw_only=True)
class _Excess:
    """How much longer a data type takes than its bytes say, beside 16 bits: here, and at the best of the siblings."""

    here: float
    best: float


def single_kernel(table: Table, *, siblings: Siblings, roof: Roof) -> Iterator[Change]:
    """Data types of narrow weights that take about as long as 16 bits where bytes decide, and elsewhere do not.

    An engine tunes such products among several kernels, which the engines share (cuBLASLt, CUTLASS, FlashInfer); a
    benchmark that runs a single one of them shows its weak shapes. Each row becomes the fastest that any engine
    measured.
    """
    for dtype in map(str, table.values("gemm_dtype")):
        others = {name: other for name, other in siblings.items() if dtype in other.values("gemm_dtype")}
        if dtype == "bf16" or not others:
            continue
        beyond = {name: excess(other, dtype, roof) for name, other in others.items()}
        found = _Excess(here=excess(table, dtype, roof), best=float(np.nanmin(list(beyond.values()))))
        if found.here > _TOO_MUCH and found.best < _USUAL:
            yield _change(table, dtype, others, found)


def excess(table: Table, dtype: str, roof: Roof) -> float:
    """The median time of *dtype* over that of 16 bits at equal shapes, over the same of their speeds of light; NaN
    where there are none."""
    rows = table.where(gemm_dtype=dtype)
    n, k, m = shape = shape_of(rows)
    wide = on_shapes(table.where(gemm_dtype="bf16"), shape)
    telling = (m <= _FEW_TOKENS) & (n >= _LEAST_WIDTH) & (k >= _LEAST_DEPTH) & ~np.isnan(wide)
    if not telling.any():
        return float("nan")
    ratio = rows.seconds / wide * roof.gemm("bf16", shape) / roof.gemm(dtype, shape)
    return float(np.median(ratio[telling]))


def _change(table: Table, dtype: str, others: Siblings, found: _Excess) -> Change:
    rows = dtype_rows(table, dtype)
    shape = shape_of(table.take(rows))
    fastest: FloatArray = table.seconds[rows]
    for other in others.values():
        fastest = np.fmin(fastest, on_shapes(other.where(gemm_dtype=dtype), shape))
    faster = fastest < table.seconds[rows]
    return Change(
        rule="single-kernel",
        rows=rows[faster],
        seconds=fastest[faster],
        why=f"{dtype} rows time one kernel of several; the fastest that any engine measured stands in for them",
        evidence={"dtype": dtype, "excess": found.here, "least_excess_of_siblings": found.best},
    )
