"""Matrix products: projections and feed-forward parts, and the batched products of latent attention."""

from collections.abc import Iterable
from dataclasses import replace

import numpy as np

from estimator import roofline
from estimator.hardware import System
from estimator.ops import Array, Gemm, LatentProduct
from estimator.pricing.ladder import Found, Ladder, restricted
from estimator.pricing.sheets import Curve, Formula, Light, rescaled
from estimator.quantization import GEMM, Dtype
from perf_db import interpolation
from perf_db.provenance import Provenance
from perf_db.table import Grid, Table, Value

_STATIC, _DYNAMIC = "fp8_static", "fp8"


def exact(ladder: Ladder, op: Gemm) -> Curve | None:
    """The token curve of one site: nested linear over the measured (n, k).

    Rows of 8-bit products time the computation of a scale, which static scaling does not need: its own measured time
    comes off.
    """
    found = _grid(ladder, _DYNAMIC if op.dtype == _STATIC else op.dtype)
    if found is None:
        return None
    tokens = found.grid.axes[2]

    def light_at(n: Array, k: Array, m: Array) -> Array:
        return roofline.gemm(ladder.system, op.dtype, n, k, m)

    seconds, classes = interpolation.gemm(found.grid, op.n, op.k, tokens, light_at)
    light = _light(ladder.system, op)
    if op.dtype == _STATIC:
        seconds = np.maximum(seconds - _scale_seconds(ladder, op, tokens), light(tokens))
    points = Grid(names=("m",), axes=(tokens,), seconds=seconds, provenance=classes)
    return Curve(points=points, light=light, floor=found.floor)


def transferred(ladder: Ladder, op: Gemm) -> Curve | None:
    """The same product in the most similar type that was measured, at the ratio of typical utilisations."""
    own = GEMM[op.dtype]
    for other in similar(own, GEMM.values()):
        curve = exact(ladder, replace(op, dtype=other.name))
        if curve is not None:
            level = own.typical / other.typical
            return rescaled(curve, _light(ladder.system, op), Provenance.TRANSFERRED, level)
    return None


def formula(system: System, op: Gemm) -> Formula:
    """The roofline at the type's typical utilisation."""
    return Formula(light=_light(system, op), typical=GEMM[op.dtype].typical)


def similar(own: Dtype, others: Iterable[Dtype]) -> list[Dtype]:
    """The other types: those of the same arithmetic first, then by nearness of their width."""

    def strangeness(one: Dtype) -> tuple[bool, float]:
        return one.arithmetic != own.arithmetic, abs(float(np.log2(one.weight_bytes / own.weight_bytes)))

    return sorted((one for one in others if one.name != own.name), key=strangeness)


def latent_exact(ladder: Ladder, op: LatentProduct) -> Curve | None:
    """Measured per head count and side; a head count between two measured ones is a blend of them.

    All 8-bit types share one kernel. An engine that measured 16 bits only runs these products in 16 bits.
    """
    own = ladder.rungs[0][0].table("mla_bmm")
    op = replace(op, dtype="fp8" if op.dtype.startswith("fp8") else op.dtype)
    if own is not None and op.dtype not in own.values("bmm_dtype"):
        op = replace(op, dtype="bf16")
    fixed: dict[str, Value] = {"op_name": f"mla_gen_{op.side}", "bmm_dtype": op.dtype}
    found = ladder.first("mla_bmm", lambda table: restricted(table, fixed), ("num_heads", "num_tokens"))
    if found is None:
        return None
    tokens = found.grid.axes[1]

    def light_at(heads: Array, x: Array) -> Array:
        return roofline.latent_product(ladder.system, op, heads, x)

    seconds, classes = interpolation.surface(found.grid, (np.asarray(float(op.heads)), tokens), light_at)
    points = Grid(names=("num_tokens",), axes=(tokens,), seconds=seconds, provenance=classes)
    return Curve(points=points, light=_latent_light(ladder.system, op), floor=found.floor)


def latent_transferred(ladder: Ladder, op: LatentProduct) -> Curve | None:
    """The same product in another type."""
    for other in similar(GEMM[op.dtype], GEMM.values()):
        curve = latent_exact(ladder, replace(op, dtype=other.name))
        if curve is not None:
            level = GEMM[op.dtype].typical / other.typical
            return rescaled(curve, _latent_light(ladder.system, op), Provenance.TRANSFERRED, level)
    return None


def latent_formula(system: System, op: LatentProduct) -> Formula:
    """The roofline at the type's typical utilisation."""
    return Formula(light=_latent_light(system, op), typical=GEMM[op.dtype].typical)


def _light(system: System, op: Gemm) -> Light:
    n, k = np.asarray(float(op.n)), np.asarray(float(op.k))
    return lambda m: roofline.gemm(system, op.dtype, n, k, m)


def _latent_light(system: System, op: LatentProduct) -> Light:
    return lambda x: roofline.latent_product(system, op, np.asarray(float(op.heads)), x)


def _grid(ladder: Ladder, dtype: str) -> Found | None:
    def rows(table: Table) -> Table:
        return table.where(gemm_dtype=dtype)

    return ladder.kept(("gemm", dtype), lambda: ladder.first("gemm", rows, ("n", "k", "m")))


def _scale_seconds(ladder: Ladder, op: Gemm, tokens: Array) -> Array:
    """What computing the scale of the input costs in the engine's own rows; nothing where it was not measured."""
    own, _ = ladder.rungs[0]
    table = own.table("computescale")
    rows = restricted(table, {"quant_dtype": _DYNAMIC}) if table is not None else None
    if rows is None or not len(rows):
        return np.zeros_like(tokens)
    seconds, _ = interpolation.surface(rows.grid("k", "m"), (np.asarray(float(op.k)), tokens), lambda k, m: k * m)
    return seconds
