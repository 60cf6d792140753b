"""The experts' matrices: the engine's rows, its rows at the ratio another engine measured, or the nearest shape's.

Cost is along the tokens of the whole group. Names of kernels: TensorRT-LLM measured several on Blackwell.
"""

from dataclasses import replace

import numpy as np

from estimator import roofline
from estimator.hardware import System
from estimator.ops import ExpertProducts
from estimator.pricing import products
from estimator.pricing.ladder import Ladder, Relative, line
from estimator.pricing.sheets import Curve, Formula, Light, rescaled
from estimator.quantization import EXPERTS
from perf_db.catalog import Pack
from perf_db.provenance import Provenance
from perf_db.table import Table, Value

_FEW_TOKENS = 128
"""TensorRT-LLM runs its low-latency NVFP4 kernel up to this many tokens (its fused MoE's tactic rule)."""
_UNGATED = 2
_SKEWS = frozenset({"power_law_1.2", "power_law_1.01", "power_law_0.8", "power_law_0.6", "balanced", "uniform"})
"""Distributions of tokens over experts that were measured."""
_LEVEL = {"w4a16_mxfp4": 0.07, "w4a8_mxfp4_mxfp8": 0.15, "w4afp8": 0.15, "bf16": 0.53, "fp8": 0.40, "fp8_block": 0.40,
          "nvfp4": 0.23}  # fmt: skip
"""Share of the speed of light that experts of a type reach, relative to one another: medians of the measured rows."""


def exact(ladder: Ladder, op: ExpertProducts) -> Curve | None:
    """Rows of the very shape, split and skew; own ones first, then own ones at another engine's ratio."""
    near = _relative(ladder, op)
    if near is None or near[0].distance > 0:
        return None
    found, _ = near
    ratio = _by_ratio(ladder, op) if found.floor == Provenance.SIBLING and ladder.mode == "hybrid" else None
    return ratio or _curve(ladder.system, op, found)


def transferred(ladder: Ladder, op: ExpertProducts) -> Curve | None:
    """The nearest measured shape at the same utilisation; the most similar type where the own was not measured."""
    light = _light(ladder.system, op)
    own = EXPERTS[op.dtype]
    for kind in (own, *products.similar(own, EXPERTS.values())):
        near = _relative(ladder, replace(op, dtype=kind.name))
        if near is None:
            continue
        found, twin = near
        curve = _curve(ladder.system, twin, found)
        split_only = kind is own and replace(twin, moe_tp=op.moe_tp, moe_ep=op.moe_ep) == op
        floor = Provenance.EXTRAPOLATED if split_only else Provenance.TRANSFERRED
        return rescaled(curve, light, floor, _level(op.dtype) / _level(kind.name))
    return None


def formula(system: System, op: ExpertProducts) -> Formula:
    """The roofline at the typical utilisation of the type."""
    return Formula(light=_light(system, op), typical=_level(op.dtype))


def _level(dtype: str) -> float:
    return _LEVEL.get(dtype, EXPERTS[dtype].typical)


def _light(system: System, op: ExpertProducts) -> Light:
    return lambda x: roofline.experts(system, op, x)


def _names(op: ExpertProducts) -> tuple[str, ...]:
    """Tables that may hold the operation: those of exchanged tokens first, if they are."""
    wide = (f"wideep_{'context' if op.wide == 'context' else 'generation'}_moe", "wideep_moe")
    return (*wide, "moe") if op.wide else ("moe",)


def _relative(ladder: Ladder, op: ExpertProducts) -> tuple[Relative, ExpertProducts] | None:
    """The nearest rows, the very shape before any other, and the operation whose rows they are."""
    best: tuple[Relative, ExpertProducts] | None = None
    for skew in sorted(_SKEWS | {op.skew}, key=lambda name: _unlike(op.skew, name)):
        for name in _names(op):
            found = ladder.relative(name, _fixed(op, skew), _sizes(op))
            if found is None:
                continue
            found = replace(found, distance=found.distance + _unlike(op.skew, skew))
            if best is None or found.strangeness < best[0].strangeness:
                best = found, _twin(op, found, skew)
        if best is not None and best[0].distance == 0:
            break
    return best


def _unlike(skew: str, other: str) -> float:
    """How different two distributions are; octaves of load per unit of exponent (assumption)."""
    gap = abs(roofline.skew_exponent(skew) - roofline.skew_exponent(other))
    return 0.0 if skew == other else 0.01 + gap


def _fixed(op: ExpertProducts, skew: str) -> dict[str, Value]:
    return {"moe_dtype": op.dtype, "distribution": skew}


def _sizes(op: ExpertProducts) -> dict[str, float]:
    return {
        "hidden_size": op.hidden,
        "inter_size": op.width,
        "topk": op.top,
        "num_experts": op.count,
        "moe_tp_size": op.moe_tp,
        "moe_ep_size": op.moe_ep,
    }


def _twin(op: ExpertProducts, found: Relative, skew: str) -> ExpertProducts:
    """The operation that the rows measured."""
    sizes = found.sizes
    return replace(
        op,
        hidden=sizes["hidden_size"],
        width=sizes["inter_size"],
        top=sizes["topk"],
        count=sizes["num_experts"],
        moe_tp=sizes["moe_tp_size"],
        moe_ep=sizes["moe_ep_size"],
        skew=skew,
    )


def _curve(system: System, op: ExpertProducts, found: Relative) -> Curve:
    return Curve(points=line(_by_kernel(found.rows, op), "num_tokens"), light=_light(system, op), floor=found.floor)


def _by_kernel(rows: Table, op: ExpertProducts) -> Table:
    """Rows in the order in which the engine would choose among kernels that were measured for one shape."""
    if "kernel" not in rows.columns:
        return rows
    kernel, few = rows.column("kernel"), rows.numbers("num_tokens") <= _FEW_TOKENS
    names = np.array([str(name) for name in kernel.values])[kernel.codes]
    quick = np.char.endswith(names, "min_latency")
    rank = np.where(quick, np.where(few & (op.dtype == "nvfp4"), 0, 3), 2)
    rank = np.where(np.char.endswith(names, "cutlass"), 1, rank)
    ungated = np.char.endswith(names, "nongated")
    rank = np.where(ungated, 0 if op.matrices == _UNGATED else 4, rank)
    return rows.take(np.argsort(rank, kind="stable"))


def _by_ratio(ladder: Ladder, op: ExpertProducts) -> Curve | None:
    """Own rows of another split of the same experts, times what another engine measured between the two splits."""
    own = ladder.relative("moe", _fixed(op, op.skew), _sizes(op), (Provenance.MEASURED, Provenance.REUSED))
    if own is None:
        return None
    twin = _twin(op, own, op.skew)
    if replace(twin, moe_tp=op.moe_tp, moe_ep=op.moe_ep) != op:
        return None
    curve = _curve(ladder.system, twin, own)
    for pack, floor in ladder.rungs:
        if floor != Provenance.SIBLING:
            continue
        there, here = (_of_pack(ladder, pack, one) for one in (op, twin))
        if there is not None and here is not None:
            at = curve.knots
            seconds = curve.points.seconds * there.price(at)[0] / here.price(at)[0]
            points = replace(curve.points, seconds=seconds)
            return Curve(points=points, light=_light(ladder.system, op), floor=Provenance.TRANSFERRED)
    return None


def _of_pack(ladder: Ladder, pack: Pack, op: ExpertProducts) -> Curve | None:
    found = ladder.nearest(pack, "moe", _fixed(op, op.skew), _sizes(op))
    return _curve(ladder.system, op, found) if found is not None and found.distance == 0 else None
