"""From an operation to seconds and the evidence behind them: measured, interpolated, borrowed, or roofline.

The only room that opens perf_db's tables. The ladder: the engine's own table, a sibling engine's table on the same
GPU with the same data types, the speed of light divided by a typical utilisation.
"""

from collections.abc import Callable, Iterator, Mapping
from functools import cached_property

import numpy as np

from estimator import ops
from estimator.hardware import System
from estimator.ops import AllReduce, Array, ContextAttention, DecodeAttention, Gemm, MemoryOp, Transfer
from estimator.quantization import GEMM
from perf_db import interpolation
from perf_db.catalog import Catalog, Pack, PackName
from perf_db.provenance import Provenance
from perf_db.table import ClassArray, Grid, Table, Value

Priced = tuple[Array, ClassArray]
TokenOp = Gemm | AllReduce | MemoryOp | Transfer

EAGER_ELEMENTS = 4 * 2**20
"""Below this message size eagerly launched all-reduces cost visibly more than captured ones (both were measured;
above it they agree within 15 %)."""
TYPICAL_ATTENTION = {"context_attention": 0.6, "generation_attention": 0.8}
"""Share of the speed of light where no attention was measured: medians of the measured tables."""
TYPICAL_COLLECTIVE = 0.8
"""Share of the ring bound where no collective was measured."""
_TABLE_DTYPE = {"fp8_static": "fp8"}
"""Static and dynamic scaling share one measured table where no separate one exists; the static one is cheaper by its
missing scale computation, which those tables do not hold apart."""


class Prices:
    """The price list of one engine version on one system."""

    def __init__(self, catalog: Catalog, pack: PackName, system: System) -> None:
        self.pack = pack
        self.system = system
        self._catalog = catalog
        self._own = catalog.open(pack)
        self._grids: dict[tuple[object, ...], tuple[Grid, Provenance] | None] = {}

    def token_op(self, op: TokenOp, x: Array) -> Priced:
        """Seconds of an operation whose cost depends on the tokens *x* of the step, any shape."""
        match op:
            case Gemm():
                return self._gemm(op, x)
            case AllReduce():
                return self._all_reduce(op, x)
            case MemoryOp():
                return _formula(ops.memory_seconds(self.system, op, x))
            case Transfer():
                return _formula(ops.transfer_seconds(self.system, op, x))

    def context_attention(self, op: ContextAttention, batch: Array, isl: Array) -> Priced:
        """Seconds of one layer's attention over *batch* whole prompts of *isl* tokens, no past; shapes broadcast."""
        fixed: dict[str, Value] = {"attn_dtype": op.arithmetic, "kv_cache_dtype": op.kv_dtype, "head_dim": op.head_dim}
        found = self._attention_grid("context_attention", fixed, "isl")
        batch, isl = np.broadcast_arrays(np.asarray(batch, float), np.asarray(isl, float))
        if found is None:
            light = ops.context_light(self.system, op, batch, isl)
            return _formula(light / TYPICAL_ATTENTION["context_attention"])

        def light_at(heads: Array, kv_heads: Array, b: Array, s: Array) -> Array:
            return _scaled(ops.context_light, self.system, op, heads, kv_heads, b, s)

        grid, floor = found
        return _at_least(interpolation.context_attention(grid, (op.heads, op.kv_heads), batch, isl, light_at), floor)

    def decode_attention(self, op: DecodeAttention, batch: Array, context: Array) -> Priced:
        """Seconds of one layer's attention for *batch* sequences of *context* cached tokens; shapes broadcast."""
        fixed: dict[str, Value] = {"attn_dtype": "bf16", "kv_cache_dtype": op.kv_dtype, "head_dim": op.head_dim}
        found = self._attention_grid("generation_attention", fixed, "context")
        batch, context = np.broadcast_arrays(np.asarray(batch, float), np.asarray(context, float))
        if found is None:
            light = ops.decode_light(self.system, op, batch, context)
            return _formula(light / TYPICAL_ATTENTION["generation_attention"])

        def light_at(heads: Array, kv_heads: Array, b: Array, s: Array) -> Array:
            return _scaled(ops.decode_light, self.system, op, heads, kv_heads, b, s)

        grid, floor = found
        return _at_least(interpolation.decode_attention(grid, (op.heads, op.kv_heads), batch, context, light_at), floor)

    def knots(self, op: TokenOp) -> Array:
        """Token counts between which the price of *op* is a straight line."""
        if isinstance(op, Gemm):
            found = self._gemm_grid(op)
            return found[0].axes[2] if found else np.empty(0)
        if isinstance(op, AllReduce):
            found = self._collective_grid(op.ranks, op.variant)
            sizes = found[0].axes[0] if found else np.empty(0)
            return np.append(sizes, EAGER_ELEMENTS) / op.width
        return np.empty(0)

    def context_knots(self, op: ContextAttention) -> Array:
        """Prompt lengths at which context attention was measured."""
        fixed: dict[str, Value] = {"attn_dtype": op.arithmetic, "kv_cache_dtype": op.kv_dtype, "head_dim": op.head_dim}
        found = self._attention_grid("context_attention", fixed, "isl")
        return found[0].axes[3] if found else np.empty(0)

    def has_attention(self, arithmetic: str, kv_dtype: str, head_dim: int) -> bool:
        """Whether the engine's own context table covers these types."""
        fixed: dict[str, Value] = {"attn_dtype": arithmetic, "kv_cache_dtype": kv_dtype, "head_dim": head_dim}
        table = self._own.table("context_attention")
        return table is not None and len(table.where(**fixed)) > 0

    def _gemm(self, op: Gemm, x: Array) -> Priced:
        x = np.asarray(x, float)
        found = self._gemm_grid(op)
        if found is None:
            light = ops.gemm_light(self.system, op.dtype, np.asarray(op.n), np.asarray(op.k), x)
            return _formula(light / GEMM[op.dtype].typical)
        grid, floor = found

        def light_at(n: Array, k: Array, m: Array) -> Array:
            return ops.gemm_light(self.system, op.dtype, n, k, m)

        return _at_least(interpolation.gemm(grid, op.n, op.k, x, light_at), floor)

    def _all_reduce(self, op: AllReduce, x: Array) -> Priced:
        size = np.asarray(x, float) * op.width
        graph = self._collective(op, "graph", size)
        if op.variant == "graph" or self._collective_grid(op.ranks, "eager") is None:
            return graph
        eager = self._collective(op, "eager", size)
        small = size < EAGER_ELEMENTS
        return np.where(small, eager[0], graph[0]), np.where(small, eager[1], graph[1])

    def _collective(self, op: AllReduce, variant: str, size: Array) -> Priced:
        found = self._collective_grid(op.ranks, variant)
        if found is None:
            return _formula(ops.allreduce_light(self.system, op, size / op.width) / TYPICAL_COLLECTIVE)
        grid, floor = found
        return _at_least(interpolation.collective(grid, size), floor)

    def _gemm_grid(self, op: Gemm) -> tuple[Grid, Provenance] | None:
        dtype = _TABLE_DTYPE.get(op.dtype, op.dtype)
        return self._grid(("gemm", dtype), lambda t: t.where(gemm_dtype=dtype), ("n", "k", "m"))

    def _attention_grid(self, table: str, fixed: Mapping[str, Value], along: str) -> tuple[Grid, Provenance] | None:
        axes = ("num_key_value_heads", "num_heads", "batch_size", along)

        def rows(found: Table) -> Table:
            rows = found.where(**fixed)
            return rows.where(window_size=0) if "window_size" in rows.columns else rows

        return self._grid((table, *fixed.values()), rows, axes)

    def _collective_grid(self, ranks: int, variant: str) -> tuple[Grid, Provenance] | None:
        def rows(found: Table) -> Table:
            return found.where(num_gpus=ranks, variant=variant, allreduce_dtype="bf16")

        return self._grid(("custom_allreduce", ranks, variant), rows, ("message_size",))

    def _grid(
        self, key: tuple[object, ...], rows: Callable[[Table], Table], axes: tuple[str, ...]
    ) -> tuple[Grid, Provenance] | None:
        """The first table down the ladder that has such rows, as a dense grid, and the best class it can give."""
        if key not in self._grids:
            self._grids[key] = self._search_grid(str(key[0]), rows, axes)
        return self._grids[key]

    def _search_grid(
        self, table: str, rows: Callable[[Table], Table], axes: tuple[str, ...]
    ) -> tuple[Grid, Provenance] | None:
        for pack, floor in self._ladder():
            found = pack.table(table)
            if found is not None and len(chosen := rows(found)):
                return chosen.grid(*axes), floor
        return None

    def _ladder(self) -> Iterator[tuple[Pack, Provenance]]:
        yield self._own, Provenance.MEASURED
        for pack in self._siblings:
            yield pack, Provenance.SIBLING

    @cached_property
    def _siblings(self) -> tuple[Pack, ...]:
        """The newest pack of every other engine on this system."""
        newest = {name.backend: name for name in self._catalog.packs() if name.system == self.pack.system}
        return tuple(self._catalog.open(name) for backend, name in newest.items() if backend != self.pack.backend)


def _scaled(light: Callable[..., Array], system: System, op: object, *at: Array) -> Array:
    """The speed of light of an attention with other head counts than *op*'s; both counts enter linearly as arrays."""
    heads, kv_heads, batch, tokens = at
    other = type(op)(**{**_fields(op), "heads": heads, "kv_heads": kv_heads})
    return light(system, other, batch, tokens)


def _fields(op: object) -> dict[str, object]:
    return {name: getattr(op, name) for name in type(op).__dataclass_fields__}  # type: ignore[attr-defined]  # a dataclass


def _formula(seconds: Array) -> Priced:
    return seconds, np.full(np.shape(seconds), Provenance.FORMULA, np.uint8)


def _at_least(priced: Priced, floor: Provenance) -> Priced:
    seconds, provenance = priced
    return seconds, np.maximum(provenance, np.uint8(floor))
