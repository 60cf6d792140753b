"""How large a deployment must be for a load, and how much more it would carry: the head of a recommendation."""

from dataclasses import dataclass
from typing import Any

from dgdr_operator.report import figures, rows
from dgdr_operator.report.asked import Asked
from dgdr_operator.report.paper import Paper
from dgdr_operator.report.prose import facts, heading


@dataclass(frozen=True, slots=True, kw_only=True)
class Size:
    """The fewest GPUs for a load.

    node_gpus: GPUs of one node; by_rate: loads are requests per second, else requests in flight; carried: the largest
    load at which the same workers keep the promises, at least what was asked for.
    """

    gpus: int
    node_gpus: int
    by_rate: bool
    asked: float
    carried: float

    @property
    def nodes(self) -> int:
        """Nodes that hold as many GPUs."""
        return -(-self.gpus // self.node_gpus)

    @property
    def head_room(self) -> float:
        """What is carried beyond what was asked for, as a share of the latter."""
        return self.carried / self.asked - 1


def page(asked: Asked, size: Size, paper: Paper) -> str:
    """The recommendation in a few lines, ending with a newline."""
    unit = "requests/s" if size.by_rate else "requests in flight"
    carried = figures.plain(size.carried) if size.by_rate else figures.short(size.carried)
    plural = "" if size.nodes == 1 else "s"
    lines = heading(f"Fewest GPUs: {size.gpus} x {asked.system} ({size.nodes} node{plural} of {size.node_gpus})", paper)
    lines += facts("Load", [f"{figures.short(size.asked)} {unit}"], paper)
    spare = f"{figures.percent(size.head_room)}: the same workers keep the promises up to {carried} {unit}"
    lines += facts("Head-room", [spare], paper)
    return "\n".join(lines) + "\n"


def record(size: Size) -> dict[str, Any]:
    """The same for scripts."""
    return {
        "gpus": size.gpus,
        "nodes": size.nodes,
        "load": {"request_rate" if size.by_rate else "concurrency": size.asked},
        "carried": rows.rounded(size.carried),
        "head_room": rows.rounded(size.head_room),
    }
