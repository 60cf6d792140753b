"""Collectives over the GPUs of a group: all-reduce as the engine runs it, the others as NCCL runs them."""

from collections.abc import Mapping
from dataclasses import dataclass, replace

import numpy as np

from estimator import roofline
from estimator.hardware import System
from estimator.ops import Array, Collective
from estimator.pricing.ladder import Ladder, line, restricted
from estimator.pricing.sheets import Formula, Priced
from perf_db import interpolation
from perf_db.provenance import Provenance
from perf_db.table import Grid, Table, Value

EAGER_ELEMENTS = 4 * 2**20
"""Below this message size eagerly launched all-reduces cost visibly more than captured ones (both were measured;
above it they agree within 15 %)."""
TYPICAL = 0.8
"""Share of the ring bound where no collective was measured."""
_ALONE = 1


@dataclass(frozen=True, slots=True, kw_only=True)
class Exchange:
    """Measured along message sizes. *graph*, *eager*: curves over elements; *width*: elements per token.

    The ring bound is no floor: measured all-reduces pass it, because switches add up in flight.
    """

    graph: Grid
    eager: Grid | None
    width: float
    floor: Provenance

    @property
    def knots(self) -> Array:
        """Token counts at the measured sizes, and where captured and eager launches stop to differ."""
        return np.append(self.graph.axes[0], EAGER_ELEMENTS) / self.width

    def price(self, *at: Array) -> Priced:
        """Linear in the message size."""
        size = at[0] * self.width
        seconds, classes = interpolation.collective(self.graph, size)
        if self.eager is not None:
            eager, eager_classes = interpolation.collective(self.eager, size)
            small = size < EAGER_ELEMENTS
            seconds, classes = np.where(small, eager, seconds), np.where(small, eager_classes, classes)
        return seconds, np.maximum(classes, np.uint8(self.floor))


def exact(ladder: Ladder, op: Collective) -> Exchange | Formula | None:
    """Measured for this many ranks; nothing at all for one."""
    if op.ranks == _ALONE:
        return Formula(light=np.zeros_like, typical=1.0, floor=Provenance.MEASURED)
    for table, floor in _tables(ladder, op):
        graph = _curve(table, op, "graph")
        if graph is not None:
            eager = _curve(table, op, "eager") if op.variant == "eager" else None
            return Exchange(graph=graph, eager=eager, width=op.width, floor=floor)
    return None


def transferred(ladder: Ladder, op: Collective) -> Exchange | None:
    """The largest measured group below, with the bytes each rank passes and the links they pass of the larger one."""
    for table, floor in _tables(ladder, op):
        measured = [int(ranks) for ranks in table.values("num_gpus")]
        fewer = [ranks for ranks in measured if ranks <= op.ranks] or measured[:1]
        known = exact(ladder, replace(op, ranks=fewer[-1])) if fewer else None
        if isinstance(known, Exchange):
            graph = further(ladder.system, known.graph, fewer[-1], op.ranks)
            eager = further(ladder.system, known.eager, fewer[-1], op.ranks) if known.eager else None
            return replace(known, graph=graph, eager=eager, floor=max(floor, Provenance.EXTRAPOLATED))
    return None


def formula(system: System, op: Collective) -> Formula:
    """The ring bound at the typical share, and one hop."""
    return Formula(light=lambda x: roofline.ring(system, op, x) + system.memory_op_seconds, typical=TYPICAL)


def further(system: System, curve: Grid, measured: int, ranks: int) -> Grid:
    """The curve of a group of *ranks* from that of a *measured* one.

    What grows with the message grows with the share each rank passes on and with the slowness of its links; the launch,
    the time of the smallest message, stays, and leaving the node adds a hop there and one back. DeepEP's low-latency
    kernels, measured over 1 to 8 nodes of H200, do so: 28 us for one token become 48 to 59 us.
    """
    share = (1 - 1 / ranks) / (1 - 1 / measured)
    growth = max(1.0, share * system.link_bandwidth(measured) / system.link_bandwidth(ranks))
    hops = 2 * system.node.p2p_latency if measured <= system.node.gpus < ranks else 0.0
    launch = curve.seconds[0]
    return replace(curve, seconds=launch + hops + (curve.seconds - launch) * growth)


def _tables(ladder: Ladder, op: Collective) -> list[tuple[Table, Provenance]]:
    """Rows of that collective, best first: engines bring all-reduces of their own, the rest is NCCL's."""
    found: list[tuple[Table, Provenance]] = []
    if op.kind == "all_reduce":
        found = list(ladder.tables("custom_allreduce"))
    if ladder.collectives is not None:
        floor = Provenance.SIBLING if found else Provenance.MEASURED
        found.append((ladder.collectives, floor))
    fixed: Mapping[str, Value] = {"op_name": op.kind, "nccl_dtype": "bf16", "allreduce_dtype": "bf16"}
    return [(rows, floor) for table, floor in found if len(rows := restricted(table, fixed))]


def _curve(table: Table, op: Collective, variant: str) -> Grid | None:
    if variant == "eager" and "variant" not in table.columns:
        return None
    rows = restricted(table, {"num_gpus": op.ranks, "variant": variant})
    return line(rows, "message_size") if len(rows) else None
