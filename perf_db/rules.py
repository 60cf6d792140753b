"""Repair rules that look at one table alone: more work never takes less time, and nothing outruns the light."""

from collections.abc import Callable, Iterator

import numpy as np
from numpy.typing import NDArray

from perf_db import codec
from perf_db.change import Change
from perf_db.roofline import Roof
from perf_db.table import FloatArray, Table


def lower_envelope(table: Table, *, tolerance: float) -> Iterator[Change]:
    """Rows that cost more than a larger size along the last key column does, by more than *tolerance*."""
    leading = [column.codes for column in list(table.columns.values())[:-1]]
    breaks = np.flatnonzero(np.logical_or.reduce([np.diff(codes) != 0 for codes in leading])) + 1
    best = np.concatenate([_least_ahead(curve) for curve in np.split(table.seconds, breaks)])
    rows = _changed(table.seconds, np.where(best < (1.0 - tolerance) * table.seconds, best, table.seconds))
    if len(rows):
        size = list(table.columns)[-1]
        yield Change(
            rule="lower-envelope",
            rows=rows,
            seconds=best[rows],
            why=f"a larger {size} was measured to take less time",
            evidence={"axis": size, "tolerance": tolerance},
        )


def speed_of_light(table: Table, *, light: Callable[[Table, Roof], FloatArray], roof: Roof) -> Iterator[Change]:
    """Rows faster than their roofline; *light* computes it for a table, NaN where none is known."""
    floor = light(table, roof)
    rows = _changed(table.seconds, np.fmax(table.seconds, floor))
    if len(rows):
        yield Change(
            rule="speed-of-light",
            rows=rows,
            seconds=floor[rows],
            why="faster than arithmetic and memory allow: the benchmark did not read all the bytes the engine reads",
            evidence={"fastest_share_of_light": float((table.seconds[rows] / floor[rows]).min())},
        )


def _least_ahead(curve: FloatArray) -> FloatArray:
    least: FloatArray = np.minimum.accumulate(curve[::-1])[::-1]
    return least


def _changed(old: FloatArray, new: FloatArray) -> NDArray[np.intp]:
    """Rows whose stored code differs: smaller changes than that cannot be told apart."""
    return np.flatnonzero(codec.encode_times(old) != codec.encode_times(new))


def gemm_light(table: Table, roof: Roof) -> FloatArray:
    """Seconds of each row at the speed of light, NaN for data types without a known peak."""
    light = np.full(len(table), np.nan)
    n, k, m = (table.numbers(name) for name in ("n", "k", "m"))
    column = table.columns["gemm_dtype"]
    for code, dtype in enumerate(column.values):
        rows = column.codes == code
        light[rows] = roof.gemm(str(dtype), (n[rows], k[rows], m[rows]))
    return light


def decode_light(table: Table, roof: Roof) -> FloatArray:
    """Seconds of each row at the speed of light; what lies outside a window is not looked at."""
    window, cached = table.numbers("window_size"), table.numbers("context") - 1.0
    cached = np.where(window > 0, np.minimum(cached, window), cached)
    column = table.columns["kv_cache_dtype"]
    light = np.full(len(table), np.nan)
    for code, dtype in enumerate(column.values):
        rows = column.codes == code
        heads = table.numbers("num_heads")[rows], table.numbers("num_key_value_heads")[rows]
        head_dim = table.numbers("head_dim")[rows]
        light[rows] = roof.decode_attention(
            str(dtype), heads, table.numbers("batch_size")[rows], cached[rows], head_dim
        )
    return light
