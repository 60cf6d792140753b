"""Rules that replace measured rows which cannot be what the engine does, and the log of what they replaced.

Every rule looks at kernel measurements and physics alone; none knows an end-to-end result. What was measured stays in
the pack beside the repair. The reasons behind the rules and their limits are in docs/decisions/0003-repairs.md.

    launch-floor     a GEMM table that times the launch, or a fallback kernel, takes the rows of a sibling engine
    lower-envelope   more work never takes less time: a collective costs at most what a larger one costs
    speed-of-light   no GEMM and no decode attention is faster than its roofline
"""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, replace
from functools import partial
from typing import Any

import numpy as np
from numpy.typing import NDArray

from perf_db import codec, interpolation
from perf_db.pack import PackName, Patch
from perf_db.roofline import Roof, Shape
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


Rule = Callable[[Table], Iterator[Change]]


@dataclass(frozen=True, slots=True, kw_only=True)
class Repairs:
    """The repairs of one pack: patches by table name, and the log for its meta record."""

    patches: Mapping[str, Patch]
    log: tuple[Mapping[str, Any], ...]


Facts = Mapping[str, Mapping[str, Any]]
RepairsByPack = Mapping[PackName, Repairs]


@dataclass(frozen=True, slots=True, kw_only=True)
class Symptoms:
    """What the launch-floor detector measures on one GEMM data type; NaN where the rows for it are missing."""

    fifth_percentile: float
    flatness: float
    against_sixteen_bits: float


def repair(packs: Mapping[PackName, Tables], siblings: Mapping[PackName, Tables], facts: Facts) -> RepairsByPack:
    """The repairs of each of *packs*; other backends of its system, there or in *siblings*, are its witnesses.

    *facts* are those of systems.json.
    """
    gemms = {name: tables["gemm"] for name, tables in {**siblings, **packs}.items() if "gemm" in tables}
    found = {}
    for name, tables in packs.items():
        witnesses = {
            other: gemm
            for other, gemm in gemms.items()
            if other.system == name.system and other.backend != name.backend
        }
        found[name] = _repair_one(tables, witnesses, Roof.of(facts[name.system]))
    return found


def _repair_one(tables: Tables, siblings: Mapping[PackName, Table], roof: Roof) -> Repairs:
    patches, log = {}, []
    for title, table in sorted(tables.items()):
        changed = np.zeros(len(table), dtype=bool)
        rules = np.zeros(len(table), dtype=np.uint8)
        for rule in _rules(title, siblings, roof):
            for change in tuple(rule(table)):
                log.append(_entry(change, table))
                table = _with(table, change)  # noqa: PLW2901 - each rule sees what the one before it left
                changed[change.rows], rules[change.rows] = True, RULES.index(change.rule)
        if changed.any():
            rows = np.flatnonzero(changed)
            patches[title] = Patch(rows=rows.astype(np.int32), seconds=table.seconds[rows], rules=rules[rows])
    return Repairs(patches=patches, log=tuple(log))


def _rules(table: str, siblings: Mapping[PackName, Table], roof: Roof) -> tuple[Rule, ...]:
    if table == "gemm":
        return partial(launch_floor, siblings=siblings, roof=roof), partial(
            speed_of_light, light=_gemm_light, roof=roof
        )
    if table == "generation_attention":
        return (partial(speed_of_light, light=_decode_light, roof=roof),)
    if table in _COLLECTIVES:
        return (partial(lower_envelope, tolerance=0.0),)
    return (partial(lower_envelope, tolerance=_KERNEL_SWITCH),) if table in _MOE else ()


def _with(table: Table, change: Change) -> Table:
    seconds = table.seconds.copy()
    seconds[change.rows] = change.seconds
    return replace(table, seconds=seconds)


def launch_floor(table: Table, *, siblings: Mapping[PackName, Table], roof: Roof) -> Iterator[Change]:
    """The GEMM data types of *table* whose rows time something other than the kernel the engine deploys."""
    for dtype in map(str, table.values("gemm_dtype")):
        others = {name: other for name, other in siblings.items() if dtype in other.values("gemm_dtype")}
        if dtype == "bf16" or not others:
            continue
        own = symptoms(table, dtype)
        fastest = float(np.nanmin([symptoms(other, dtype).fifth_percentile for other in others.values()]))
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
    """How fast *dtype* is for few tokens, how flat over width, and its time over bf16's when compute-bound."""
    rows = table.where(gemm_dtype=dtype)
    n, k, m = _shape(rows)
    narrow, wide = np.minimum(n, k), np.maximum(n, k)
    short = (m <= _FEW_TOKENS) & (narrow >= _SMALL_WIDTHS[0]) & (wide <= _SMALL_WIDTHS[1])
    busy = (m >= _MANY_TOKENS) & (narrow >= _LARGE_WIDTH)
    sixteen_bits = _same_shapes(table.where(gemm_dtype="bf16"), (n, k, m))
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


def _same_shapes(rows: Table, shape: Shape) -> FloatArray:
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
    """The donor's time at every shape of *rows*, interpolated where it has no row."""
    dtype = str(donor.values("gemm_dtype")[0])
    shape = _shape(rows)
    seconds = _same_shapes(donor, shape)
    lacking = np.isnan(seconds)
    if lacking.any():
        n, k, m = (values[lacking] for values in shape)
        grid = donor.grid("n", "k", "m")
        seconds[lacking], _ = interpolation.surface(grid, (n, k, m), lambda *at: roof.gemm(dtype, at))
    return seconds


def _shape(table: Table) -> Shape:
    return table.numbers("n"), table.numbers("k"), table.numbers("m")


def _gemm_light(table: Table, roof: Roof) -> FloatArray:
    light = np.full(len(table), np.nan)
    n, k, m = _shape(table)
    column = table.columns["gemm_dtype"]
    for code, dtype in enumerate(column.values):
        rows = column.codes == code
        light[rows] = roof.gemm(str(dtype), (n[rows], k[rows], m[rows]))
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
