"""The page for a search that found nothing: what was ruled out and why, what is reachable, what would help."""

from collections.abc import Iterator
from math import ceil, floor, log10

from dgdr_operator.report import answer, figures
from dgdr_operator.report.asked import Asked
from dgdr_operator.report.paper import Paper
from dgdr_operator.report.prose import facts, heading
from dgdr_operator.units import MILLISECOND
from estimator.estimates import Estimate, Infeasible, Relaxation

_MILLISECONDS = frozenset({"ttft", "itl", "e2eLatency"})
_LOADS = frozenset({"concurrency", "requestRate"})
_FLAG = {
    "ttft": "--ttft",
    "itl": "--itl",
    "e2eLatency": "--request-latency",
    "confidence": "--confidence",
    "totalGpus": "--total-gpus",
    "freeGpus": "free GPUs:",
    "isl": "--isl",
    "concurrency": "--concurrency",
    "requestRate": "--request-rate",
}


def page(asked: Asked, report: Infeasible, paper: Paper) -> str:
    """The whole refusal as text that ends with a newline."""
    lines = [*answer.head(asked, {}, (*asked.notes, *report.notes), paper), ""]
    lines += heading(f"Infeasible: no plan keeps the promises; {binding(report)}", paper)
    lines += facts("Ruled out", _counts(report), paper)
    lines += facts("Reachable", list(_reachable(report)), paper)
    if report.nearest is not None:
        lines += facts("Nearest", [_described(report.nearest)], paper)
    if report.needed_bytes is not None:
        lines += facts("Memory", [_needed(asked, report.needed_bytes)], paper)
    lines += facts(
        "Relax", [suggestion(relaxation) for relaxation in report.relaxations] or _together(asked, report), paper
    )
    return "\n".join(lines) + "\n"


def binding(report: Infeasible) -> str:
    """Which constraint stands in the way."""
    return f"the binding constraint is {report.binding}"


def suggestion(relaxation: Relaxation) -> str:
    """The change of one flag that would do, and what would then run."""
    flag = _FLAG.get(relaxation.knob, relaxation.knob)
    return f"{flag} {shown(relaxation)} gives {_described(relaxation.estimate)}"


def shown(relaxation: Relaxation) -> str:
    """The value of the knob in the units of its flag, rounded to the side that still works."""
    if relaxation.knob in _MILLISECONDS:
        return figures.short(_up(relaxation.value / MILLISECOND))
    if relaxation.knob == "confidence":
        return figures.short(floor(relaxation.value * 1e3) / 1e3)
    return figures.short(_down(relaxation.value) if relaxation.knob in _LOADS else relaxation.value)


def _down(value: float) -> float:
    """The largest number of four significant digits that is not above *value* (above zero)."""
    unit = 10.0 ** (floor(log10(value)) - 3)
    return floor(value / unit) * unit


def _up(value: float) -> float:
    """The least number of four significant digits that is not below *value* (above zero)."""
    unit = 10.0 ** (floor(log10(value)) - 3)
    return ceil(value / unit) * unit


def _together(asked: Asked, report: Infeasible) -> list[str]:
    """What the nearest point asks for, where loosening one target alone is not enough."""
    if report.nearest is None:
        return []
    latency = report.nearest.latency
    pairs = (
        ("ttft", asked.targets.ttft, latency.ttft),
        ("itl", asked.targets.itl, latency.itl),
        ("e2eLatency", asked.targets.e2e, latency.request),
    )
    changes = [
        f"{_FLAG[knob]} {figures.short(_up(value / MILLISECOND))}"
        for knob, target, value in pairs
        if target is not None and value is not None and value > target
    ]
    return [f"{' '.join(changes)} together: the nearest plan"] if changes else []


def _counts(report: Infeasible) -> list[str]:
    ordered = sorted(report.rejections.items(), key=lambda item: (-item[1], item[0]))
    return [f"{count:,} {reason}" for reason, count in ordered if count]


def _reachable(report: Infeasible) -> Iterator[str]:
    if report.best_ttft is not None:
        yield f"TTFT {figures.ms(report.best_ttft.latency.ttft)} ms at best, by {_described(report.best_ttft)}"
    if report.best_itl is not None and report.best_itl.latency.itl is not None:
        yield f"ITL {figures.ms(report.best_itl.latency.itl)} ms at best, by {_described(report.best_itl)}"
    if report.best_throughput is not None:
        rate = figures.plain(report.best_throughput.tokens_per_second_per_gpu)
        yield f"{rate} tokens/s per GPU at best, by {_described(report.best_throughput)}"


def _described(estimate: Estimate) -> str:
    return (
        f"{figures.configuration(estimate)} on {estimate.backend} (TTFT {figures.ms(estimate.latency.ttft)} ms, "
        f"ITL {figures.ms(estimate.latency.itl)} ms, {figures.plain(estimate.tokens_per_second_per_gpu)} tokens/s per "
        f"GPU at concurrency {estimate.load.concurrency})"
    )


def _needed(asked: Asked, size: float) -> str:
    return f"one copy of {asked.model.name} needs {figures.gib(size)} GiB for weights and the cache of one request"
