"""Latent attention: over prompts, over compressed caches, and whole blocks with a sparse index."""

from collections.abc import Iterator
from dataclasses import replace

import numpy as np

from estimator import roofline
from estimator.hardware import System
from estimator.ops import Array, ContextLatent, DecodeLatent, Gemm, LatentProduct, SparseLatent
from estimator.pricing import products
from estimator.pricing.ladder import Found, Ladder, restricted
from estimator.pricing.sheets import Formula, Light, Surface, rescaled
from estimator.quantization import GEMM, KV_BYTES
from perf_db import interpolation
from perf_db.catalog import Pack
from perf_db.provenance import Provenance
from perf_db.table import Grid, Table, Value

Latent = ContextLatent | DecodeLatent
TYPICAL_CONTEXT = 0.6
TYPICAL_DECODE = 0.7
"""Shares of the speed of light where no latent attention was measured: medians of the measured tables."""
_HIDDEN, _QUERY_RANK, _KEY_RANK, _HEAD = 7168, 1536, 512, 128
_ROPE = roofline.LATENT_ROPE
"""DeepSeek-V3's sizes (its config.json): the model whose attention blocks were measured as modules."""


def exact(ladder: Ladder, op: Latent) -> Surface | None:
    """The bare kernel where it was measured; else the engine's own measured block less its projections.

    The difference of an engine's own rows goes before the bare kernel of another version or engine: on TensorRT-LLM,
    which measured both, it agrees with the bare kernel (medians within 10 %), while engines differ by up to five times
    (a cache in 8 bits on Hopper). Head size 128 of ordinary attention is never a stand-in: the cache is another one.
    """
    return ladder.kept(("latent", op), lambda: _best(ladder, op))


def _best(ladder: Ladder, op: Latent) -> Surface | None:
    for pack, floor in ladder.rungs:
        found = _bare(pack, op, floor)
        if found is not None:
            return _surface(ladder.system, op, found)
        if pack is ladder.rungs[0][0]:
            derived = _less_projections(ladder, pack, op)
            if derived is not None:
                return derived
    return None


def transferred(ladder: Ladder, op: Latent) -> Surface | None:
    """The same kernel over another cache type."""
    for kv_dtype in KV_BYTES:
        surface = exact(ladder, replace(op, kv_dtype=kv_dtype)) if kv_dtype != op.kv_dtype else None
        if surface is not None:
            return rescaled(surface, _light(ladder.system, op), Provenance.TRANSFERRED)
    return None


def formula(system: System, op: Latent) -> Formula:
    """The roofline at the typical utilisation of such kernels."""
    return Formula(light=_light(system, op), typical=TYPICAL_CONTEXT if _is_context(op) else TYPICAL_DECODE)


def sparse_exact(ladder: Ladder, op: SparseLatent) -> Surface | None:
    """The whole block, measured per architecture, cache type and type of its projections; prompts without past."""
    name, tokens = ("dsa_context_module", "isl") if op.phase == "context" else ("dsa_generation_module", "context")
    for pack, floor in ladder.rungs:
        table = pack.table(name)
        rows = _module_rows(table, op) if table is not None else None
        if rows is not None and len(rows):
            grid = rows.grid("num_heads", "batch_size", tokens)
            return _at_heads(grid, op.heads, _sparse_light(ladder.system, op), _sparse_at(ladder.system, op), floor)
    return None


def sparse_transferred(ladder: Ladder, op: SparseLatent) -> Surface | None:
    """The nearest measured relative: another type of projections, another cache type, another architecture."""
    for relative in _sparse_relatives(op):
        surface = sparse_exact(ladder, relative)
        if surface is not None:
            return rescaled(surface, _sparse_light(ladder.system, op), Provenance.TRANSFERRED)
    return None


def sparse_formula(system: System, op: SparseLatent) -> Formula:
    """The roofline at the typical utilisation of the slower of its parts, the attention."""
    return Formula(light=_sparse_light(system, op), typical=TYPICAL_CONTEXT)


def _is_context(op: Latent) -> bool:
    return isinstance(op, ContextLatent)


def _bare(pack: Pack, op: Latent, floor: Provenance) -> Found | None:
    table = pack.table("context_mla" if _is_context(op) else "generation_mla")
    rows = restricted(table, {"mla_dtype": "bf16", "kv_cache_dtype": op.kv_dtype}) if table is not None else None
    if rows is None or not len(rows):
        return None
    grid = rows.grid("num_heads", "batch_size", "isl" if _is_context(op) else "context")
    return Found(grid=grid, floor=floor)


def _surface(system: System, op: Latent, found: Found) -> Surface:
    def light_at(heads: Array, batch: Array, tokens: Array) -> Array:
        return _light_of(system, op, heads, batch, tokens)

    return _at_heads(found.grid, op.heads, _light(system, op), light_at, found.floor, square_root=_is_context(op))


def _light_of(system: System, op: Latent, heads: Array, batch: Array, tokens: Array) -> Array:
    if isinstance(op, ContextLatent):
        return roofline.context_latent(system, op, heads, batch, tokens)
    return roofline.decode_latent(system, op, heads, batch, tokens)


def _light(system: System, op: Latent) -> Light:
    return lambda batch, tokens: _light_of(system, op, np.asarray(float(op.heads)), batch, tokens)


def _at_heads(
    grid: Grid, heads: int, light: Light, light_at: Light, floor: Provenance, *, square_root: bool = False
) -> Surface:
    """The (sequences, tokens) surface of one head count out of a (heads, sequences, tokens) block."""
    _, batch, tokens = grid.axes
    at = (np.asarray(float(heads)), batch[:, np.newaxis], tokens)
    root = grid.names[2] if square_root else None
    seconds, classes = interpolation.surface(grid, at, light_at, square_root=root)
    points = Grid(names=("batch_size", "tokens"), axes=(batch, tokens), seconds=seconds, provenance=classes)
    return Surface(points=points, light=light, floor=floor, square_root=square_root)


def _less_projections(ladder: Ladder, pack: Pack, op: Latent) -> Surface | None:
    """A measured block with 16-bit projections, less those projections at the same tokens, at least the roofline."""
    name, tokens = ("mla_context_module", "isl") if _is_context(op) else ("mla_generation_module", "context")
    table = pack.table(name)
    if table is None:
        return None
    fixed: dict[str, Value] = {"mla_dtype": "bf16", "kv_cache_dtype": op.kv_dtype, "gemm_type": "bf16"}
    rows = _one_model(restricted(table, fixed))
    if not len(rows):
        return None
    grid = rows.grid("num_heads", "batch_size", tokens)

    def light_at(heads: Array, batch: Array, length: Array) -> Array:
        return _light_of(ladder.system, op, heads, batch, length)

    # Blocks are looked up as they were measured; the holes of their corner take the utilisation of the bare kernel.
    block = _at_heads(grid, op.heads, _light(ladder.system, op), light_at, Provenance.INTERPOLATED)
    batch, length = block.points.axes
    rows_seen = batch[:, np.newaxis] * (length if _is_context(op) else np.ones_like(length))
    left = block.points.seconds - _projections(ladder, op, rows_seen)
    bound = block.light(batch[:, np.newaxis], length)
    points = replace(block.points, seconds=np.maximum(left, bound))
    return replace(block, points=points, square_root=_is_context(op))


def _projections(ladder: Ladder, op: Latent, tokens: Array) -> Array:
    down = Gemm(n=_QUERY_RANK + _KEY_RANK + _ROPE, k=_HIDDEN, dtype="bf16")
    query = Gemm(n=op.heads * (_HEAD + _ROPE), k=_QUERY_RANK, dtype="bf16")
    out = Gemm(n=_HIDDEN, k=op.heads * _HEAD, dtype="bf16")
    parts: list[Gemm | LatentProduct] = [down, query, out]
    if _is_context(op):
        parts.append(Gemm(n=op.heads * 2 * _HEAD, k=_KEY_RANK, dtype="bf16"))
    else:
        parts.append(LatentProduct(heads=op.heads, side="pre", dtype="bf16"))
        parts.append(LatentProduct(heads=op.heads, side="post", dtype="bf16"))
    total = np.zeros(tokens.shape)
    for part in parts:
        curve = products.exact(ladder, part) if isinstance(part, Gemm) else products.latent_exact(ladder, part)
        if curve is not None:
            total += curve.price(tokens.ravel())[0].reshape(tokens.shape)
    return total


def _module_rows(table: Table, op: SparseLatent) -> Table:
    """The architecture's rows with these types, its index run and no past."""
    fixed: dict[str, Value] = {
        "architecture": op.architecture,
        "kv_cache_dtype": op.kv_dtype,
        "gemm_type": op.dtype,
        "indexer": "run",
        "past": 0,
    }
    return _one_model(restricted(table, fixed))


def _one_model(rows: Table) -> Table:
    """One checkpoint's rows; a shape that several share was measured for each of them."""
    for column in ("architecture", "model", "mla_dtype"):
        if len(rows):
            rows = rows.where(**{column: rows.values(column)[0]})
    return rows


def _sparse_at(system: System, op: SparseLatent) -> Light:
    return lambda heads, batch, tokens: roofline.sparse_latent(system, op, heads, batch, tokens)


def _sparse_light(system: System, op: SparseLatent) -> Light:
    return lambda batch, tokens: roofline.sparse_latent(system, op, np.asarray(float(op.heads)), batch, tokens)


def _sparse_relatives(op: SparseLatent) -> Iterator[SparseLatent]:
    architectures = dict.fromkeys((op.architecture, *roofline.SPARSE))
    for architecture in architectures:
        for kv_dtype in dict.fromkeys((op.kv_dtype, *KV_BYTES)):
            for dtype in (op.dtype, *(one.name for one in products.similar(GEMM[op.dtype], GEMM.values()))):
                yield replace(op, architecture=architecture, kv_dtype=kv_dtype, dtype=dtype)
