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
    factor: float
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
        return seconds * self.factor, np.maximum(classes, np.uint8(self.floor))


def exact(ladder: Ladder, op: Collective) -> Exchange | Formula | None:
    """Measured for this many ranks; nothing at all for one."""
    if op.ranks == _ALONE:
        return Formula(light=np.zeros_like, typical=1.0, floor=Provenance.MEASURED)
    for table, floor in _tables(ladder, op):
        graph = _curve(table, op, "graph")
        if graph is not None:
            eager = _curve(table, op, "eager") if op.variant == "eager" else None
            return Exchange(graph=graph, eager=eager, width=op.width, factor=1.0, floor=floor)
    return None


def transferred(ladder: Ladder, op: Collective) -> Exchange | None:
    """The largest measured group below, at the ratio of the bytes each rank passes and of the links they pass.

    A group that leaves the node keeps at least the time of the one inside it: its launch and its first hops.
    """
    for table, floor in _tables(ladder, op):
        measured = [int(ranks) for ranks in table.values("num_gpus")]
        fewer = [ranks for ranks in measured if ranks <= op.ranks] or measured[:1]
        known = exact(ladder, replace(op, ranks=fewer[-1])) if fewer else None
        if isinstance(known, Exchange):
            factor = growth(ladder.system, fewer[-1], op.ranks)
            return replace(known, factor=factor, floor=max(floor, Provenance.EXTRAPOLATED))
    return None


def formula(system: System, op: Collective) -> Formula:
    """The ring bound at the typical share, and one hop."""
    return Formula(light=lambda x: roofline.ring(system, op, x) + system.memory_op_seconds, typical=TYPICAL)


def growth(system: System, measured: int, ranks: int) -> float:
    """How much longer a group of *ranks* takes than a measured one: ring share times link speed, never less."""
    share = (1 - 1 / ranks) / (1 - 1 / measured)
    return max(1.0, share * system.link_bandwidth(measured) / system.link_bandwidth(ranks))


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
