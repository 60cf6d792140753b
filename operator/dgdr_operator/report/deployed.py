"""The data types that measured runs are taken to have served, one line per engine and checkpoint."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from dgdr_operator.report import grid
from dgdr_operator.report.grid import Column
from dgdr_operator.report.paper import Paper
from dgdr_operator.report.prose import heading


@dataclass(frozen=True, slots=True, kw_only=True, order=True)
class Deployed:
    """What an engine ran: the checkpoint, and the types of its weights, its attention's weights and its cache."""

    backend: str
    checkpoint: str
    weights: str
    attention: str
    kv_cache: str


def table(rows: Mapping[Deployed, int], paper: Paper) -> Iterator[str]:
    """Every kind of deployment with the number of its rows; nothing where there is none."""
    if not rows:
        return
    yield ""
    yield from heading("Data types as deployed", paper)
    kinds = sorted(rows)
    words = ("backend", "checkpoint", "weights", "attention", "kv_cache")
    columns = [
        Column(head=("", word.replace("_", " ")), cells=tuple(getattr(kind, word) for kind in kinds), left=True)
        for word in words
    ]
    counts = tuple(f"{rows[kind]:,}" for kind in kinds)
    yield from grid.draw([*columns, Column(head=("", "rows"), cells=counts)], paper)
