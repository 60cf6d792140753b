"""Rules that replace measured rows which cannot be what the engine does, and the log of what they replaced.

Every rule looks at kernel measurements and physics alone; none knows an end-to-end result. What was measured stays in the
pack beside the repair. The reasons behind the rules and their limits are in docs/decisions/0003-repairs.md.

    launch-floor     a GEMM table that times the host's launch, or a fallback kernel, takes the rows of a sibling engine
    lower-envelope   more work never takes less time: a collective costs at most what a larger one costs
    speed-of-light   no GEMM and no decode attention is faster than its roofline (small ones are timed with a warm cache)
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from perf_db import codec, interpolation
from perf_db.pack import PackName, Patch
from perf_db.roofline import Roof
from perf_db.table import FloatArray, Table

RULES = ("launch-floor", "lower-envelope", "speed-of-light")
Tables = Mapping[str, Table]

# The launch-floor detector looks where a GEMM is memory-bound and short, so that a constant cost shows ...
_FEW_TOKENS, _SMALL_WIDTHS = 16, (512, 4096)
_NARROW, _WIDE = 1024, 3072
_SLOWER_THAN_SIBLINGS, _FLAT = 4.0, 1.1
# ... and where it is compute-bound, so that a kernel without the data type's arithmetic shows.
_MANY_TOKENS, _LARGE_WIDTH = 2048, 4096
_SLOWER_THAN_SIXTEEN_BITS = 1.0
_DONORS = ("sglang", "trtllm", "vllm")  # SGLang runs the DeepGEMM kernels that vLLM deploys for block-scaled fp8

_COLLECTIVES = ("custom_allreduce", "nccl", "wideep_deepep_ll", "wideep_deepep_normal")
_MOE = ("moe", "wideep_context_moe", "wideep_generation_moe")
_KERNEL_SWITCH = 0.2  # an expert kernel may get a fifth faster with more tokens when the engine changes its tiling
_EXAMPLES = 3


@dataclass(frozen=True, slots=True, kw_only=True)
class Change:
    """What one rule does to one table: *rows* and their new *seconds*, and the words and numbers that justify it."""

    rule: str
    rows: NDArray[np.intp]
    seconds: FloatArray
    why: str
    evidence: Mapping[str, float | str]


@dataclass(frozen=True, slots=True, kw_only=True)
class Repairs:
    """The repairs of one pack: patches by table name, and the log for its meta record."""

    patches: Mapping[str, Patch]
    log: tuple[Mapping[str, Any], ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Symptoms:
    """What the launch-floor detector measures on one GEMM data type."""

    fifth_percentile: float
    flatness: float
    against_sixteen_bits: float


def repair(packs: Mapping[PackName, Tables], facts: Mapping[str, Mapping[str, Any]]) -> Mapping[PackName, Repairs]:
    """The repairs of each pack; packs of the same system are each other's siblings. *facts* are those of systems.json."""
    return {name: _repair_one(name, packs, Roof.of(facts[name.system])) for name in packs}


def _repair_one(name: PackName, packs: Mapping[PackName, Tables], roof: Roof) -> Repairs:
    patches, log = {}, []
    siblings = {
        other: tables["gemm"]
        for other, tables in packs.items()
        if other.system == name.system and other.backend != name.backend and "gemm" in tables
    }
    for title, measured in sorted(packs[name].items()):
        table, touched = measured, np.zeros(len(measured), dtype=np.uint8)
        for change in _changes(measured, siblings, roof):
            seconds = table.seconds.copy()
            seconds[change.rows] = change.seconds
            log.append(_entry(change, table))
            table = replace(table, seconds=seconds)
            touched[change.rows] = RULES.index(change.rule) + 1
        rows = np.flatnonzero(touched)
        if len(rows):
            patches[title] = Patch(
                rows=rows.astype(np.int32), seconds=table.seconds[rows], rules=touched[rows] - np.uint8(1)
            )
    return Repairs(patches=patches, log=tuple(log))


def _changes(table: Table, siblings: Mapping[PackName, Table], roof: Roof) -> Iterator[Change]:
    if table.name == "gemm":
        for change in launch_floor(table, siblings, roof):
            yield change
            seconds = table.seconds.copy()
            seconds[change.rows] = change.seconds
            table = replace(table, seconds=seconds)
        yield from speed_of_light(table, _gemm_light(table, roof))
    elif table.name == "generation_attention":
        yield from speed_of_light(table, _decode_light(table, roof))
    elif table.name in _COLLECTIVES:
        yield from lower_envelope(table, tolerance=0.0)
    elif table.name in _MOE:
        yield from lower_envelope(table, tolerance=_KERNEL_SWITCH)


def launch_floor(table: Table, siblings: Mapping[PackName, Table], roof: Roof) -> Iterator[Change]:
    """The GEMM data types of *table* whose rows time something other than the kernel the engine deploys."""
    for dtype in map(str, table.values("gemm_dtype")):
        others = {name: other for name, other in siblings.items() if dtype in other.values("gemm_dtype")}
        if dtype == "bf16" or not others:
            continue
        own = symptoms(table, dtype)
        fastest = min(symptoms(other, dtype).fifth_percentile for other in others.values())
        slow = own.fifth_percentile > _SLOWER_THAN_SIBLINGS * fastest
        if slow and (own.flatness < _FLAT or own.against_sixteen_bits > _SLOWER_THAN_SIXTEEN_BITS):
            donor = min(others, key=lambda name: _DONORS.index(name.backend))
            rows = np.flatnonzero(table.columns["gemm_dtype"].codes == table.columns["gemm_dtype"].values.index(dtype))
            yield Change(
                rule="launch-floor",
                rows=rows,
                seconds=_donated(table.take(rows), others[donor].where(gemm_dtype=dtype), roof),
                why=f"{dtype} rows time a launch or a fallback kernel; the rows of {donor} stand in for them",
                evidence={
                    "dtype": dtype,
                    "donor": str(donor),
                    "fifth_percentile_seconds": own.fifth_percentile,
                    "fastest_sibling_seconds": fastest,
                    "flatness": own.flatness,
                    "against_sixteen_bits": own.against_sixteen_bits,
                },
            )


def symptoms(table: Table, dtype: str) -> Symptoms:
    """How fast *dtype* is for few tokens, how little its time grows with width, and its time over bf16's when compute-bound."""
    rows = table.where(gemm_dtype=dtype)
    n, k, m = (rows.numbers(axis) for axis in ("n", "k", "m"))
    narrow, wide = np.minimum(n, k), np.maximum(n, k)
    short = (m <= _FEW_TOKENS) & (narrow >= _SMALL_WIDTHS[0]) & (wide <= _SMALL_WIDTHS[1])
    busy = (m >= _MANY_TOKENS) & (narrow >= _LARGE_WIDTH)
    sixteen_bits = _same_shapes(table.where(gemm_dtype="bf16"), (n, k, m))
    return Symptoms(
        fifth_percentile=float(np.percentile(rows.seconds[short], 5)),
        flatness=float(
            np.median(rows.seconds[short & (narrow >= _WIDE)]) / np.median(rows.seconds[short & (wide <= _NARROW)])
        ),
        against_sixteen_bits=float(np.nanmedian(rows.seconds[busy] / sixteen_bits[busy])),
    )


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


def speed_of_light(table: Table, light: FloatArray) -> Iterator[Change]:
    """Rows faster than their roofline *light*, NaN where none is known."""
    rows = _changed(table.seconds, np.fmax(table.seconds, light))
    if len(rows):
        yield Change(
            rule="speed-of-light",
            rows=rows,
            seconds=light[rows],
            why="faster than arithmetic and memory allow: the operands were still in the cache",
            evidence={"fastest_share_of_light": float((table.seconds[rows] / light[rows]).min())},
        )


def _least_ahead(curve: FloatArray) -> FloatArray:
    least: FloatArray = np.minimum.accumulate(curve[::-1])[::-1]
    return least


def _changed(old: FloatArray, new: FloatArray) -> NDArray[np.intp]:
    """Rows whose stored code differs: smaller changes than that cannot be told apart."""
    return np.flatnonzero(codec.encode_times(old) != codec.encode_times(new))


def _same_shapes(rows: Table, shape: tuple[FloatArray, ...]) -> FloatArray:
    """Seconds of *rows* at each (n, k, m), NaN where that shape is missing."""
    grid = rows.grid("n", "k", "m")
    known = np.ones(len(shape[0]), dtype=bool)
    places = []
    for axis, values in zip(grid.axes, shape, strict=True):
        place = np.minimum(np.searchsorted(axis, values), len(axis) - 1)
        known &= axis[place] == values
        places.append(place)
    return np.where(known, grid.seconds[tuple(places)], np.nan)


def _donated(rows: Table, donor: Table, roof: Roof) -> FloatArray:
    """The donor's time at every shape of *rows*, interpolated where it has no row."""
    shape = tuple(rows.numbers(axis) for axis in ("n", "k", "m"))
    seconds = _same_shapes(donor, shape)
    dtype = str(donor.values("gemm_dtype")[0])
    grid = donor.grid("n", "k", "m")
    n, k, m = shape
    for row in np.flatnonzero(np.isnan(seconds)):
        at = m[row : row + 1]
        seconds[row] = interpolation.gemm(grid, n[row], k[row], at, lambda *at: roof.gemm(dtype, at))[0][0]
    return seconds


def _gemm_light(table: Table, roof: Roof) -> FloatArray:
    light = np.full(len(table), np.nan)
    shape = tuple(table.numbers(axis) for axis in ("n", "k", "m"))
    column = table.columns["gemm_dtype"]
    for code, dtype in enumerate(column.values):
        rows = column.codes == code
        bound = roof.gemm(str(dtype), (shape[0][rows], shape[1][rows], shape[2][rows]))
        light[rows] = np.nan if bound is None else bound
    return light


def _decode_light(table: Table, roof: Roof) -> FloatArray:
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


def _entry(change: Change, table: Table) -> Mapping[str, Any]:
    """The log of one change: how many rows, why, and the rows that changed most."""
    old = table.seconds[change.rows]
    largest = np.argsort(-np.abs(np.log(change.seconds / old)), kind="stable")[:_EXAMPLES]
    return {
        "rule": change.rule,
        "table": table.name,
        "rows": len(change.rows),
        "why": change.why,
        "evidence": dict(change.evidence),
        "median_ratio": float(np.median(change.seconds / old)),
        "largest": [
            {
                "keys": {key: column.values[column.codes[change.rows[row]]] for key, column in table.columns.items()},
                "old_seconds": float(old[row]),
                "new_seconds": float(change.seconds[row]),
            }
            for row in largest
        ],
    }
