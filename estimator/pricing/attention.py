"""Grouped-query attention over prompts and over caches.

Relatives of a kernel that was not measured, nearest first: without its window, in another cache type or arithmetic,
with another head size.
"""

from collections.abc import Iterator
from dataclasses import replace
from itertools import product

import numpy as np

from estimator import roofline
from estimator.hardware import System
from estimator.ops import Array, ContextAttention, DecodeAttention
from estimator.pricing.ladder import Found, Ladder, restricted
from estimator.pricing.sheets import Formula, Light, Priced, Surface, rescaled
from estimator.quantization import KV_BYTES
from perf_db import interpolation
from perf_db.errors import EmptyGrid
from perf_db.provenance import Provenance
from perf_db.table import Grid, Table, Value

Attention = ContextAttention | DecodeAttention
TYPICAL_CONTEXT = 0.6
TYPICAL_DECODE = 0.8
"""Shares of the speed of light where no attention was measured: medians of the measured tables."""
_NO_WINDOW = 0


def exact(ladder: Ladder, op: Attention) -> Surface | None:
    """Measured with these types, this head size and window; head counts are blended, never the sequence counts'."""
    fixed = _fixed(op)
    name, along = ("context_attention", "isl") if _is_context(op) else ("generation_attention", "context")
    found = ladder.kept((name, *fixed.values()), lambda: _block(ladder, name, fixed, along))
    if found is None:
        return None
    try:
        return _surface(ladder, op, found)
    except EmptyGrid:  # the rows are all grouped and these heads are not, or the other way round
        return None


def transferred(ladder: Ladder, op: Attention) -> Surface | None:
    """The nearest measured relative at the same utilisation."""
    for relative in _relatives(ladder, op):
        surface = exact(ladder, relative)
        if surface is None:
            continue
        if op.window and relative.window is None and isinstance(op, DecodeAttention):
            whole = rescaled(surface, _light(ladder.system, replace(op, window=None)), Provenance.TRANSFERRED)
            return _within(whole, op.window, _light(ladder.system, op))
        return rescaled(surface, _light(ladder.system, op), Provenance.TRANSFERRED)
    return None


def formula(system: System, op: Attention) -> Formula:
    """The roofline at the typical utilisation of such kernels."""
    return Formula(light=_light(system, op), typical=TYPICAL_CONTEXT if _is_context(op) else TYPICAL_DECODE)


def is_measured(ladder: Ladder, arithmetic: str, kv_dtype: str, head_dim: int) -> bool:
    """Whether the engine's own prefill table has these types."""
    table = ladder.rungs[0][0].table("context_attention")
    fixed: dict[str, Value] = {"attn_dtype": arithmetic, "kv_cache_dtype": kv_dtype, "head_dim": head_dim}
    return table is not None and len(table.where(**fixed)) > 0


def _is_context(op: Attention) -> bool:
    return isinstance(op, ContextAttention)


def _fixed(op: Attention) -> dict[str, Value]:
    return {
        "attn_dtype": op.arithmetic if isinstance(op, ContextAttention) else "bf16",
        "kv_cache_dtype": op.kv_dtype,
        "head_dim": op.head_dim,
        "window_size": op.window or _NO_WINDOW,
    }


def _block(ladder: Ladder, name: str, fixed: dict[str, Value], along: str) -> Found | None:
    def rows(table: Table) -> Table:
        # A table without the column was measured without windows.
        lacks = "window_size" not in table.columns and fixed["window_size"] != _NO_WINDOW
        return table.take(np.empty(0, np.intp)) if lacks else restricted(table, fixed)

    return ladder.first(name, rows, ("num_key_value_heads", "num_heads", "batch_size", along))


def _surface(ladder: Ladder, op: Attention, found: Found) -> Surface:
    batch, tokens = found.grid.axes[2:]
    heads = (float(op.heads), float(op.kv_heads))
    at = tuple(np.broadcast_arrays(batch[:, np.newaxis], tokens))

    def light_at(query: Array, key_value: Array, sequences: Array, length: Array) -> Array:
        return _light_of(ladder.system, op, (query, key_value), sequences, length)

    seconds, classes = _ask(op, found.grid, heads, at, light_at)
    points = Grid(names=("batch_size", "tokens"), axes=(batch, tokens), seconds=seconds, provenance=classes)
    return Surface(
        points=points, light=_light(ladder.system, op), floor=found.floor, square_root=isinstance(op, ContextAttention)
    )


def _ask(op: Attention, grid: Grid, heads: tuple[float, float], at: tuple[Array, ...], light: Light) -> Priced:
    sequences, length = at
    if isinstance(op, ContextAttention):
        return interpolation.context_attention(grid, heads, sequences, length, light)
    return interpolation.decode_attention(grid, heads, sequences, length, light)


def _light_of(system: System, op: Attention, heads: tuple[Array, Array], batch: Array, tokens: Array) -> Array:
    if isinstance(op, ContextAttention):
        return roofline.context_attention(system, op, heads, batch, tokens)
    return roofline.decode_attention(system, op, heads, batch, tokens)


def _light(system: System, op: Attention) -> Light:
    heads = np.asarray(float(op.heads)), np.asarray(float(op.kv_heads))
    return lambda batch, tokens: _light_of(system, op, heads, batch, tokens)


def _within(full: Surface, window: int, light: Light) -> Surface:
    """Decode attention that looks at the window only: the price of a cache of that many tokens."""
    batch, tokens = full.points.axes
    seconds, classes = full.price(*np.broadcast_arrays(batch[:, np.newaxis], np.minimum(tokens, window + 1.0)))
    points = Grid(names=full.points.names, axes=full.points.axes, seconds=seconds, provenance=classes)
    return Surface(points=points, light=light, floor=Provenance.TRANSFERRED)


def _relatives(ladder: Ladder, op: Attention) -> Iterator[Attention]:
    """Nearest first: the window goes before the arithmetic, the cache type, and last the head size."""
    cache = sorted(KV_BYTES, key=lambda name: abs(KV_BYTES[name] - KV_BYTES[op.kv_dtype]))
    arithmetic = dict.fromkeys((op.arithmetic, "bf16")) if isinstance(op, ContextAttention) else ("bf16",)
    windows = dict.fromkeys((op.window, None))
    for head_dim, kv_dtype, math, window in product(_head_sizes(ladder, op), cache, arithmetic, windows):
        relative = replace(op, head_dim=head_dim, kv_dtype=kv_dtype, window=window)
        yield replace(relative, arithmetic=math) if isinstance(relative, ContextAttention) else relative


def _head_sizes(ladder: Ladder, op: Attention) -> list[int]:
    """The head size itself, then the measured ones, nearest first; of two equally near ones the larger."""
    name = "context_attention" if _is_context(op) else "generation_attention"
    sizes = {int(size) for table, _ in ladder.tables(name) for size in table.values("head_dim")}
    return sorted(sizes | {op.head_dim}, key=lambda size: (abs(np.log2(size / op.head_dim)), -size))
