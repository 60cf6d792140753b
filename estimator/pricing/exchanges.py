"""Tokens on their way to the GPUs of their experts and back: DeepEP's kernels, or one over NVLink."""

from collections.abc import Iterator
from dataclasses import dataclass, replace

import numpy as np

from estimator import roofline
from estimator.hardware import System
from estimator.ops import ExpertExchange
from estimator.pricing.collectives import TYPICAL, further
from estimator.pricing.ladder import Ladder, Relative, line
from estimator.pricing.sheets import Curve, Formula, Light
from perf_db.provenance import Provenance
from perf_db.table import Grid, Table, Value

_SMS = 20
"""Streaming multiprocessors that DeepEP's high-throughput kernels take (its default)."""
_WIRE = {"fp8_block": "fp8", "w4afp8": "fp8", "w4a8_mxfp4_mxfp8": "fp8"}
"""Type that tokens travel in, by type of the experts; nvfp4 and fp8 travel as they are, all else in 16 bits."""


@dataclass(frozen=True, slots=True, kw_only=True)
class _Source:
    """A table of such kernels: which rows, what its columns are called, and its phases, which add up."""

    table: str
    fixed: dict[str, Value]
    sizes: dict[str, float]
    tokens: str
    phase: str
    phases: tuple[str, ...]
    per_node: bool = False


def exact(ladder: Ladder, op: ExpertExchange) -> Curve | None:
    """Measured for this model's shape and this many GPUs."""
    near = _nearest(ladder, op)
    if near is None or near[0].distance > 0:
        return None
    return _curve(ladder, op, *near)


def transferred(ladder: Ladder, op: ExpertExchange) -> Curve | None:
    """The nearest shape: more ranks as collectives grow, other models by the bytes of a token.

    Another number of ranks alone is an extrapolation; another model's shape a loan.
    """
    near = _nearest(ladder, op)
    if near is None:
        return None
    found, source = near
    curve = _curve(ladder, op, found, source)
    ranks = _ranks(ladder.system, found, source)
    width = op.hidden * op.top / (found.sizes["hidden_size"] * _top(found))
    alone = width == 1 and all(found.sizes[name] == size for name, size in source.sizes.items() if name not in _RANKS)
    floor = max(found.floor, Provenance.EXTRAPOLATED if alone else Provenance.TRANSFERRED)
    points = further(ladder.system, curve.points, ranks, op.ranks)
    launch = points.seconds[0]
    seconds = launch + (points.seconds - launch) * max(1.0, width)
    return replace(curve, points=replace(points, seconds=seconds), floor=floor)


def formula(system: System, op: ExpertExchange) -> Formula:
    """The bytes that leave a GPU at the typical share of its links, and two hops."""
    return Formula(light=lambda x: roofline.exchange(system, op, x) + 2 * system.node.p2p_latency, typical=TYPICAL)


_RANKS = frozenset({"node_num", "ep_size", "moe_ep_size"})


def _sources(system: System, op: ExpertExchange) -> Iterator[_Source]:
    nodes = -(-op.ranks // system.node.gpus)
    shape = {"hidden_size": float(op.hidden), "num_experts": float(op.count)}
    deep = "wideep_deepep_normal" if op.phase == "context" else "wideep_deepep_ll"
    both = ("dispatch", "combine")
    yield _Source(
        table="trtllm_alltoall",
        fixed={"moe_dtype": _wire(op)},
        sizes=shape | {"topk": op.top, "moe_ep_size": op.ranks},
        tokens="num_tokens",
        phase="op_name",
        phases=("alltoall_prepare", "alltoall_dispatch", "alltoall_combine"),
    )
    yield _Source(
        table=deep,
        fixed={"sms": _SMS},
        sizes=shape | {"num_topk": op.top, "node_num": nodes},
        tokens="num_token",
        phase="phase",
        phases=both,
        per_node=True,
    )
    kind = "ht" if op.phase == "context" else "ll"
    for backend in (f"deepep_{kind}", f"trtllm_deepep_{kind}"):
        yield _Source(
            table="moe_a2a",
            fixed={"comm_backend": backend},
            sizes=shape | {"topk": op.top, "ep_size": op.ranks},
            tokens="num_tokens",
            phase="phase",
            phases=both,
        )


def _nearest(ladder: Ladder, op: ExpertExchange) -> tuple[Relative, _Source] | None:
    best: tuple[Relative, _Source] | None = None
    for source in _sources(ladder.system, op):
        found = ladder.relative(source.table, source.fixed, source.sizes)
        if found is not None and (best is None or found.strangeness < best[0].strangeness):
            best = found, source
    return best


def _curve(ladder: Ladder, op: ExpertExchange, found: Relative, source: _Source) -> Curve:
    """The phases' times added up along the tokens of the last of them."""
    lines = [_line(found.rows, source, phase, _wire(op)) for phase in source.phases]
    *others, points = [one for one in lines if one is not None]
    seconds = points.seconds + sum(np.interp(points.axes[0], one.axes[0], one.seconds) for one in others)
    return Curve(
        points=replace(points, seconds=seconds), light=_light(ladder.system, op), floor=found.floor, launched=True
    )


def _light(system: System, op: ExpertExchange) -> Light:
    return lambda x: roofline.exchange(system, op, x)


def _wire(op: ExpertExchange) -> str:
    return _WIRE.get(op.dtype, op.dtype if op.dtype in {"fp8", "nvfp4"} else "bf16")


def _line(rows: Table, source: _Source, phase: str, wire: str) -> Grid | None:
    """One phase's time; tokens leave in their wire type and results come back in 16 bits where that was measured."""
    if "kernel" in rows.columns:
        rows = rows.where(kernel=rows.values("kernel")[0])  # phases of two kernels do not add up
    chosen = rows.where(**{source.phase: phase})
    if "comm_dtype" in chosen.columns and len(chosen):
        measured = chosen.values("comm_dtype")
        wanted = ("bf16", wire) if phase == "combine" else (wire, "bf16")
        chosen = chosen.where(comm_dtype=next((name for name in wanted if name in measured), measured[0]))
    return line(chosen, source.tokens) if len(chosen) else None


def _ranks(system: System, found: Relative, source: _Source) -> int:
    (ranks,) = (size for name, size in found.sizes.items() if name in _RANKS)
    return ranks * system.node.gpus if source.per_node else ranks


def _top(found: Relative) -> int:
    return found.sizes["topk"] if "topk" in found.sizes else found.sizes["num_topk"]
