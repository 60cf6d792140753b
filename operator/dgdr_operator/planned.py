"""A plan as a status, a graph and a report speak of it: its graph, its numbers in a sentence, its hash."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from dgdr_operator.request import OWN

PLAN = f"{OWN}/plan"
"""Annotation of a graph: the hash of the plan it was written from."""
THROUGHPUT = f"{OWN}/throughput"
"""Annotation of a graph: output tokens per second and GPU that its plan promises."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Planned:
    """What a status says about a plan: its graph, one sentence of numbers, and the verdict on its fabric.

    report: tables and pages about the search, compressed; empty for a plan that is only remembered.
    """

    graph: Mapping[str, Any]
    summary: str
    fabric: tuple[bool, str, str]
    report: bytes = field(default=b"", repr=False, compare=False)

    @property
    def name(self) -> str:
        """The graph's name."""
        return str(self.graph["metadata"]["name"])

    @property
    def hash(self) -> str:
        """What the plan is called when it is approved or gone back to; "" for one of before plans had that."""
        return str(self._annotations.get(PLAN, ""))

    @property
    def throughput(self) -> float:
        """Predicted output tokens per second and GPU; 0.0 where that was not written down."""
        try:
            return float(self._annotations.get(THROUGHPUT, 0))
        except ValueError:
            return 0.0

    @property
    def _annotations(self) -> Mapping[str, Any]:
        found: Mapping[str, Any] = self.graph["metadata"].get("annotations") or {}
        return found
