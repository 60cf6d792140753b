"""A plan as a status, a graph and a report speak of it: its graph, its numbers in a sentence, its hash."""

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

from dgdr_operator.request import OWN

PLAN = f"{OWN}/plan"
"""Annotation of a graph: the hash of the plan it was written from."""
APPROVE, ROLLBACK, PAUSE = f"{OWN}/approve", f"{OWN}/rollback", f"{OWN}/pause"
"""Annotations of a request: apply the plan of this hash, keep the plan of this hash, do nothing."""
THROUGHPUT = f"{OWN}/throughput"
"""Annotation of a graph: output tokens per second and GPU that its plan promises."""

ESTIMATE = f"{OWN}/estimate"
"""Annotation of a graph: what its plan misses, or what it rests on; absent where it keeps its promises as predicted."""
FIT = "none: memory fit only"
"""Its value where nothing was predicted."""
BENCHMARK = f"{OWN}/benchmark"
"""Annotation of a graph: the Job that measures it, as JSON, where the request wants that."""
MISSED = frozenset({"InfeasibleSLA", "OverBudget", "DoesNotFit"})
"""Reasons of the condition Feasible where a plan keeps no promise; its value begins with one of them, or Unverified."""


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
    def benchmark(self) -> Mapping[str, Any] | None:
        """The Job that measures the graph; None where nobody wants one, or somebody garbled it."""
        try:
            found = json.loads(self._annotations.get(BENCHMARK, "null"))
        except ValueError:
            return None
        return found if isinstance(found, dict) else None

    @property
    def feasible(self) -> tuple[Literal["True", "False", "Unknown"], str, str]:
        """Status, reason and message of the condition Feasible."""
        estimate = str(self._annotations.get(ESTIMATE, ""))
        word, _, said = estimate.partition(": ")
        if estimate == FIT or word == "Unverified":
            return "Unknown", "Unverified", said
        return ("False", word, said) if word in MISSED else ("True", "WithinSLA", self.summary)

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


def entries(written: str) -> list[dict[str, Any]]:
    """The history of a report, as written in its history.json; none if somebody garbled it."""
    try:
        found = json.loads(written or "[]")
    except ValueError:
        return []
    return [one for one in found if isinstance(one, dict)] if isinstance(found, list) else []


def report_name(request: str) -> str:
    """What the report of the request of that name is called."""
    return f"dgdr-report-{request}"
