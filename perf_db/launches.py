"""The repair rule for GEMM tables that time a launch, or a fallback kernel, and not what the engine runs."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from perf_db import interpolation
from perf_db.change import Change
from perf_db.pack import PackName
from perf_db.roofline import Roof, Shape
from perf_db.table import FloatArray, Table

# The detector looks where a GEMM is memory-bound and short, so that a constant cost shows ...
_FEW_TOKENS, _SMALL_WIDTHS = 16, (512, 4096)
_NARROW, _WIDE = 1024, 3072
_SLOWER_THAN_WITNESS, _FLAT = 4.0, 1.1
# ... and where it is compute-bound, so that a kernel without the data type's arithmetic shows.
_MANY_TOKENS, _LARGE_WIDTH = 2048, 4096
_SLOWER_THAN_SIXTEEN_BITS = 1.0
_DONORS = ("sglang", "trtllm", "vllm")  # SGLang runs the DeepGEMM kernels that vLLM deploys for block-scaled fp8

# Where no sibling can donate, the formula does: the speed of light at the share of it that the table reaches when busy,
# and the launch of one kernel inside a CUDA graph.
_LAUNCH_SECONDS = 3e-6
_TYPICAL_SHARE = 0.8

Siblings = Mapping[PackName, Table]


@dataclass(frozen=True, slots=True, kw_only=True)
class Symptoms:
    """What the detector measures on one GEMM data type; NaN where the rows for it are missing."""

    fifth_percentile: float
    flatness: float
    against_sixteen_bits: float


@dataclass(frozen=True, slots=True, kw_only=True)
class _Verdict:
    """Which data type is ill, by which signs, and how fast its witness is."""

    dtype: str
    signs: Symptoms
    witness_seconds: float

    @property
    def ill(self) -> bool:
        slow = self.signs.fifth_percentile > _SLOWER_THAN_WITNESS * self.witness_seconds
        impossible = self.signs.flatness < _FLAT or self.signs.against_sixteen_bits > _SLOWER_THAN_SIXTEEN_BITS
        return slow and impossible

    def change(self, table: Table, donor: str, seconds: FloatArray) -> Change:
        """All rows of the data type, with *seconds* from *donor*."""
        return Change(
            rule="launch-floor",
            rows=dtype_rows(table, self.dtype),
            seconds=seconds,
            why=f"{self.dtype} rows time a launch or a fallback kernel; the rows of {donor} stand in for them",
            evidence={
                "dtype": self.dtype,
                "donor": donor,
                "fifth_percentile_seconds": self.signs.fifth_percentile,
                "fastest_sibling_seconds": self.witness_seconds,
                "flatness": self.signs.flatness,
                "against_sixteen_bits": self.signs.against_sixteen_bits,
            },
        )


def launch_floor(table: Table, *, siblings: Siblings, roof: Roof) -> Iterator[Change]:
    """The GEMM data types of *table* whose rows time something other than the kernel the engine deploys.

    Witnesses are the siblings that measured the data type. Without one nothing is taken from elsewhere: the engine's
    own 16-bit rows are the witness, and the formula stands in where it is faster than the row.
    """
    for dtype in map(str, table.values("gemm_dtype")):
        if dtype == "bf16":
            continue
        others = {name: other for name, other in siblings.items() if dtype in other.values("gemm_dtype")}
        if others:
            yield from _judged_by_siblings(table, dtype, others, roof)
        else:
            yield from _judged_alone(table, dtype, roof)


def _judged_by_siblings(table: Table, dtype: str, others: Siblings, roof: Roof) -> Iterator[Change]:
    fastest = float(np.nanmin([symptoms(other, dtype).fifth_percentile for other in others.values()]))
    verdict = _Verdict(dtype=dtype, signs=symptoms(table, dtype), witness_seconds=fastest)
    if verdict.ill:
        donor = min(others, key=lambda name: _DONORS.index(name.backend))
        rows = table.take(dtype_rows(table, dtype))
        yield verdict.change(table, str(donor), _donated(rows, others[donor].where(gemm_dtype=dtype), roof))


def _judged_alone(table: Table, dtype: str, roof: Roof) -> Iterator[Change]:
    witness = symptoms(table, "bf16").fifth_percentile
    verdict = _Verdict(dtype=dtype, signs=symptoms(table, dtype), witness_seconds=witness)
    if not (verdict.ill and verdict.signs.flatness < _FLAT):
        return
    rows = table.take(dtype_rows(table, dtype))
    light = roof.gemm(dtype, shape_of(rows))
    if np.isnan(light).any():
        return
    n, k, m = shape_of(rows)
    busy = (m >= _MANY_TOKENS) & (np.minimum(n, k) >= _LARGE_WIDTH)
    share = min(1.0, _quantile(light[busy] / rows.seconds[busy], 0.5)) if busy.any() else _TYPICAL_SHARE
    formula = np.minimum(rows.seconds, light / share + _LAUNCH_SECONDS)
    yield verdict.change(table, "the formula", formula)


def symptoms(table: Table, dtype: str) -> Symptoms:
    """How fast *dtype* is for few tokens, how flat over width, and its time over bf16's when compute-bound."""
    rows = table.where(gemm_dtype=dtype)
    n, k, m = shape_of(rows)
    narrow, wide = np.minimum(n, k), np.maximum(n, k)
    short = (m <= _FEW_TOKENS) & (narrow >= _SMALL_WIDTHS[0]) & (wide <= _SMALL_WIDTHS[1])
    busy = (m >= _MANY_TOKENS) & (narrow >= _LARGE_WIDTH)
    sixteen_bits = on_shapes(table.where(gemm_dtype="bf16"), (n, k, m))
    wide_over_narrow = _quantile(rows.seconds[short & (narrow >= _WIDE)], 0.5) / _quantile(
        rows.seconds[short & (wide <= _NARROW)], 0.5
    )
    return Symptoms(
        fifth_percentile=_quantile(rows.seconds[short], 0.05),
        flatness=wide_over_narrow,
        against_sixteen_bits=_quantile((rows.seconds / sixteen_bits)[busy & ~np.isnan(sixteen_bits)], 0.5),
    )


def _quantile(values: FloatArray, share: float) -> float:
    return float(np.quantile(values, share)) if len(values) else np.nan


def on_shapes(rows: Table, shape: Shape) -> FloatArray:
    """Seconds of *rows* at each (n, k, m), NaN where that shape is missing."""
    if not len(rows):
        return np.full(len(shape[0]), np.nan)
    grid = rows.grid("n", "k", "m")
    known = np.ones(len(shape[0]), dtype=bool)
    places = []
    for axis, values in zip(grid.axes, shape, strict=True):
        place = np.minimum(np.searchsorted(axis, values), len(axis) - 1)
        known &= axis[place] == values
        places.append(place)
    return np.where(known, grid.seconds[tuple(places)], np.nan)


def _donated(rows: Table, donor: Table, roof: Roof) -> FloatArray:
    """The donor's time at every shape of *rows*, interpolated where it has no row, and never below its fastest one."""
    dtype = str(donor.values("gemm_dtype")[0])
    shape = shape_of(rows)
    seconds = on_shapes(donor, shape)
    lacking = np.isnan(seconds)
    if lacking.any():
        n, k, m = (values[lacking] for values in shape)
        grid = donor.grid("n", "k", "m")
        found, _ = interpolation.surface(grid, (n, k, m), lambda *at: roof.gemm(dtype, at))
        seconds[lacking] = np.maximum(found, donor.seconds.min())  # a launch costs what it costs, however small
    return seconds


def dtype_rows(table: Table, dtype: str) -> NDArray[np.intp]:
    """Row numbers of the products of *dtype*."""
    column = table.columns["gemm_dtype"]
    return np.flatnonzero(column.codes == column.values.index(dtype))


def shape_of(table: Table) -> Shape:
    """(n, k, m) of every row."""
    return table.numbers("n"), table.numbers("k"), table.numbers("m")
