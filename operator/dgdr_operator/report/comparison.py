"""What was predicted beside what AIPerf measured: error by metric, and whether the run was the planned one."""

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from dgdr_operator.errors import NoMeasurement
from dgdr_operator.report import figures, grid
from dgdr_operator.report.grid import Column
from dgdr_operator.report.measured import Measured
from dgdr_operator.report.paper import Paper
from dgdr_operator.report.prose import facts, heading

METRICS = {
    "ttft_ms": ("time_to_first_token", "TTFT", "ms"),
    "itl_ms": ("inter_token_latency", "ITL", "ms"),
    "request_latency_ms": ("request_latency", "request", "ms"),
    "request_rate": ("request_throughput", "requests", "/s"),
    "tokens_per_second": ("output_token_throughput", "output", "tokens/s"),
}
"""Key of a saved plan -> AIPerf's tag of the metric, and how it is shown. Source: AIPerf's metrics reference."""

_SAME = 0.02
"""A run whose lengths are off by more than this was not the planned one."""

_SAME_LOAD = 0.15
"""The same for requests in flight, where filling and draining takes its share."""

_ITL_GOOD = 0.10
_THROUGHPUT_GOOD = (0.85, 1.10)
"""What a healthy deployment shows of its prediction (the customer's validation guide)."""

_STALLED = 10_000.0
"""Milliseconds to the first token at which disaggregation most likely runs over TCP (the customer's finding)."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Line:
    """One metric, predicted and measured in the units of its name; error: predicted / measured - 1.

    ends: of the 90 % interval that was predicted, None where the plan has none.
    """

    name: str
    title: str
    unit: str
    predicted: float
    measured: float
    ends: tuple[float, float] | None = None

    @property
    def inside(self) -> bool | None:
        """Whether what was measured lies in the interval; None without one."""
        return None if self.ends is None else self.ends[0] <= self.measured <= self.ends[1]

    @property
    def interval(self) -> str:
        """The interval in words, "" for none."""
        return "" if self.ends is None else f"{figures.plain(self.ends[0])} to {figures.plain(self.ends[1])}"

    @property
    def error(self) -> float:
        """Above zero: predicted more than was measured."""
        return self.predicted / self.measured - 1


def lines(plan: Mapping[str, Any], measured: Measured, source: str) -> list[Line]:
    """The metrics that both know. Raises NoMeasurement when there is none."""
    found = [
        Line(
            name=key, title=title, unit=unit, predicted=float(plan[key]), measured=measured[tag], ends=_ends(plan, key)
        )
        for key, (tag, title, unit) in METRICS.items()
        if plan.get(key) is not None and measured.get(tag, 0) > 0
    ]
    if not found:
        raise NoMeasurement(
            source, f"has none of {', '.join(tag for tag, _, _ in METRICS.values())}: was it --streaming?"
        )
    return found


def _ends(plan: Mapping[str, Any], key: str) -> tuple[float, float] | None:
    low, high = plan.get(f"{key}_low"), plan.get(f"{key}_high")
    return None if low is None or high is None else (float(low), float(high))


def remarks(plan: Mapping[str, Any], measured: Measured, found: Sequence[Line]) -> Iterator[str]:
    """What to make of the numbers: first whether they can be compared at all."""
    yield from _departures(plan, measured)
    errors = {line.name: line.measured / line.predicted for line in found}
    if "itl_ms" in errors:
        within = abs(errors["itl_ms"] - 1) <= _ITL_GOOD
        yield f"ITL is {'within' if within else 'further than'} {figures.percent(_ITL_GOOD)} of the prediction"
    if "tokens_per_second" in errors:
        share, (low, high) = errors["tokens_per_second"], _THROUGHPUT_GOOD
        usual = "as a healthy deployment is" if low <= share <= high else f"a healthy one has {low:.0%} to {high:.0%}"
        yield f"output is {share:.0%} of the prediction; {usual}".replace("%", " %")
    for line in found:
        if line.inside is False:
            seen = f"{line.title} {figures.plain(line.measured)} {line.unit}"
            yield f"{seen} lies outside the 90 % interval of {line.interval} {line.unit}"
    if plan.get("mode") == "disaggregated" and measured.get("time_to_first_token", 0) > _STALLED:
        yield "a first token after ten seconds: keys and values most likely move over TCP, see `dgdr doctor`"


def page(plan: Mapping[str, Any], found: Sequence[Line], notes: Sequence[str], paper: Paper) -> str:
    """The comparison as text."""
    where, load = f"{plan.get('gpus')} GPUs with {plan.get('backend')}", f"concurrency {plan.get('concurrency')}"
    title = f"{plan.get('mode')} on {where}, {load}"
    table = [
        Column(head=("", "metric"), cells=tuple(line.title for line in found), left=True),
        Column(head=("", "unit"), cells=tuple(line.unit for line in found), left=True),
        Column(head=("", "predicted"), cells=tuple(figures.plain(line.predicted) for line in found)),
        Column(head=("", "measured"), cells=tuple(figures.plain(line.measured) for line in found)),
        Column(head=("", "90 % interval"), cells=tuple(line.interval or "-" for line in found)),
        Column(head=("", "error %"), cells=tuple(f"{line.error * 100:+.1f}" for line in found)),
    ]
    written = [*heading(title, paper), *grid.draw(table, paper), "", *facts("Remarks", list(notes), paper)]
    return "\n".join(written) + "\n"


def record(plan: Mapping[str, Any], found: Sequence[Line], notes: Sequence[str]) -> str:
    """The comparison as JSON."""
    metrics = {line.name: _metric(line) for line in found}
    return json.dumps({"plan": dict(plan), "metrics": metrics, "remarks": list(notes)}, indent=2) + "\n"


def _metric(line: Line) -> dict[str, Any]:
    low, high = line.ends or (None, None)
    told = {"predicted": line.predicted, "measured": line.measured, "error": round(line.error, 6)}
    return {**told, "low": low, "high": high, "inside": line.inside}


def _departures(plan: Mapping[str, Any], measured: Measured) -> Iterator[str]:
    """Where the run was not what the plan was priced for."""
    for key, tag, name in (("isl", "input_sequence_length", "prompts"), ("osl", "output_sequence_length", "answers")):
        planned, seen = plan.get(key), measured.get(tag)
        if planned and seen and abs(seen / planned - 1) > _SAME:
            yield f"{name} had {figures.short(round(seen, 1))} tokens instead of {planned}: not the planned traffic"
    failed = measured.get("error_request_count", 0)
    if failed:
        yield f"{failed:.0f} requests failed and are missing from the averages"
    # Little's law: what was in flight on average is the rate times the time of a request.
    rate, latency = measured.get("request_throughput"), measured.get("request_latency")
    if rate and latency and plan.get("concurrency"):
        flying, planned = rate * latency / 1000, plan["concurrency"]
        if abs(flying / planned - 1) > _SAME_LOAD:
            yield f"about {flying:.0f} requests were in flight instead of {planned}: another load, or a long ramp"
