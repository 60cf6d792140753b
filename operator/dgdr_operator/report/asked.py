"""What was asked and which measurements answer: the head of every page and document."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from dgdr_operator.report import figures
from dgdr_operator.units import MILLISECOND
from estimator.model import Model
from estimator.pins import FREE, Pins
from estimator.problem import DatabaseMode
from estimator.workload import Targets, Workload


@dataclass(frozen=True, slots=True, kw_only=True)
class Asked:
    """One question as the user put it.

    backend: "auto" or an engine; backend_version: None for the newest; database_mode: how much must be measured;
    pins: what the user decided of the answer; balanced: busy experts are to have copies;
    packs: names of the measurements used, such as "h200_sxm/vllm 0.12.0"; notes: how names were resolved.
    """

    model: Model
    system: str
    gpus: int
    backend: str
    backend_version: str | None
    workload: Workload
    targets: Targets
    database_mode: DatabaseMode = "hybrid"
    pins: Pins = FREE
    balanced: bool = False
    packs: tuple[str, ...] = ()
    notes: tuple[str, ...] = ()

    def record(self) -> dict[str, Any]:
        """The question as scripts read it; absent targets and loads are null."""
        return {
            "model": self.model.name,
            "system": self.system,
            "total_gpus": self.gpus,
            "backend": self.backend,
            "backend_version": self.backend_version,
            "isl": self.workload.isl,
            "osl": self.workload.osl,
            "prefix": self.workload.prefix,
            "drafts": self.workload.drafts,
            "acceptance": self.workload.acceptance if self.workload.drafts else None,
            "concurrency": self.workload.concurrency,
            "request_rate": self.workload.request_rate,
            **{f"{name}_ms": None if seconds is None else _exact(seconds) for name, seconds in _targets(self.targets)},
            "confidence": self.targets.confidence or None,
            "database_mode": self.database_mode,
            "pin": str(self.pins) or None,
            "measurements": list(self.packs),
        }


def traffic(workload: Workload) -> str:
    """The workload in words."""
    prefix = f" ({workload.prefix} of them cached)" if workload.prefix else ""
    chance = figures.short(workload.acceptance)
    drafts = f"; {workload.drafts} drafted per iteration, accepted with probability {chance}" if workload.drafts else ""
    load = "as much traffic as the targets allow"
    if workload.concurrency is not None:
        load = f"{figures.short(workload.concurrency)} requests in flight"
    if workload.request_rate is not None:
        load = f"{figures.short(workload.request_rate)} requests/s"
    return f"{workload.isl} tokens in{prefix}, {workload.osl} out; {load}{drafts}"


def sources(asked: Asked) -> list[str]:
    """Which measurements answer, and how much of the answer must rest on them."""
    meaning = {"measured": "measured times only", "analytical": "formulas only, no measured times"}
    return [", ".join(asked.packs), meaning.get(asked.database_mode, "")]


def decided(pins: Pins) -> str:
    """What the user decided of the answer, in words; "" for nothing."""
    return f"pinned: {pins}" if pins else ""


def promises(targets: Targets, at_most: str) -> str:
    """The targets in words; *at_most* is the sign between a name and its bound."""
    names = {"ttft": "TTFT", "itl": "ITL", "request_latency": "request"}
    bounds = [f"{names[name]} {at_most} {figures.short(_exact(value))} ms" for name, value in _given(targets)]
    sure = f", with probability {figures.short(targets.confidence)} at least" if targets.confidence else ""
    return (", ".join(bounds) or "no latency target") + sure


def _targets(targets: Targets) -> tuple[tuple[str, float | None], ...]:
    return (("ttft", targets.ttft), ("itl", targets.itl), ("request_latency", targets.e2e))


def _given(targets: Targets) -> Iterator[tuple[str, float]]:
    return ((name, value) for name, value in _targets(targets) if value is not None)


def _exact(seconds: float) -> float:
    """Milliseconds without the dust of a conversion there and back: 16.67, not 16.669999999999998."""
    return float(f"{seconds / MILLISECOND:.12g}")
