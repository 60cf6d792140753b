"""One line that says why nothing fits, with numbers and with what would; the same in a status and on a terminal."""

from collections.abc import Iterator, Mapping
from math import floor, log10
from typing import Any

from dgdr_operator.journey import Shortfall
from dgdr_operator.planned import ESTIMATE, FIT
from dgdr_operator.request import DeploymentRequest
from dgdr_operator.units import GIBIBYTE, MILLISECOND
from estimator.estimates import Estimate, Infeasible, Relaxation

LIMIT = 1024
"""Characters; a status condition of this length still shows whole in every tool."""

_MILLISECONDS = frozenset({"ttft", "itl", "e2eLatency"})
_UPWARD = frozenset({"ttft", "itl", "e2eLatency", "totalGpus", "freeGpus"})
"""Knobs that help by growing; the others are loads, which help by shrinking."""

_WHOLE = frozenset({"totalGpus", "freeGpus", "isl"})
_ON_NODES = frozenset({"gpus", "fabric"})
"""What binds when the nodes are in the way: the last note says which of them has what."""


REASONS = {"memory": "DoesNotFit", "gpus": "OverBudget", "load": "OverBudget"}
"""Reason of the condition Feasible by the constraint that binds; InfeasibleSLA for all others."""


def reason(report: Infeasible) -> str:
    """Why no plan keeps the promises, as a word."""
    return REASONS.get(report.binding, "InfeasibleSLA")


def marked(graph: Mapping[str, Any], request: DeploymentRequest, shortfall: Shortfall) -> dict[str, Any]:
    """*graph* with an annotation that says what its plan misses; as it is where that is nothing."""
    said = FIT if not shortfall.priced else ""
    if shortfall.missed is not None:
        said = f"{reason(shortfall.missed)}: {line(request, shortfall.missed)}"
    elif shortfall.departures and not said:
        said = f"Unverified: {'; '.join(shortfall.departures)}"
    metadata = graph["metadata"]
    noted = {**(metadata.get("annotations") or {}), ESTIMATE: said}
    return {**graph, "metadata": {**metadata, "annotations": noted}} if said else dict(graph)


def line(request: DeploymentRequest, report: Infeasible) -> str:
    """The refusal of *request*, at most 1024 characters, times in milliseconds, three digits.

    infeasible: <asked> on <=<N>x<sku>; best ttft=... best itl=... best throughput=...; binding=...; nearest: ...;
    because: <what is missing on the nodes>
    """
    head = f"infeasible: {_asked(request)} on <={request.hardware.total_gpus}x{request.hardware.gpu_sku}"
    best = " ".join(_best(report)) or _does_not_fit(request, report)
    ways = [_way(relaxation) for relaxation in report.relaxations] or _together(request, report)
    fixed = "; ".join(part for part in (head, best, f"binding={report.binding}") if part)
    why = f"; because: {report.notes[-1]}" if report.notes and report.binding in _ON_NODES else ""
    while ways and len(f"{fixed}; nearest: {' | '.join(ways)}{why}") > LIMIT:
        ways.pop()
    text = f"{fixed}; nearest: {' | '.join(ways)}{why}" if ways else f"{fixed}{why}"
    return text if len(text) <= LIMIT else f"{text[: LIMIT - 3]}..."


def _together(request: DeploymentRequest, report: Infeasible) -> list[str]:
    """The targets that the nearest plan misses, as one change: where no target alone is in the way."""
    if report.nearest is None or report.binding in _ON_NODES:
        return []
    targets, latency = request.targets, report.nearest.latency
    pairs = (
        ("ttft", targets.ttft, latency.ttft),
        ("itl", targets.itl, latency.itl),
        ("e2eLatency", targets.e2e, latency.request),
    )
    missed = [f"{knob}>={_up(met / MILLISECOND)}ms" for knob, asked, met in pairs if asked and met and met > asked]
    return [" with ".join(missed)] if missed else []


def _asked(request: DeploymentRequest) -> str:
    targets, workload = request.targets, request.workload
    words = [
        f"{name}<={_ms(value)}ms"
        for name, value in (("ttft", targets.ttft), ("itl", targets.itl), ("e2eLatency", targets.e2e))
        if value is not None
    ]
    words += [f"confidence>={targets.confidence:g}"] if targets.confidence else []
    words += [f"isl={workload.isl}", f"osl={workload.osl}"]
    words += [] if workload.concurrency is None else [f"concurrency={workload.concurrency:g}"]
    words += [] if workload.request_rate is None else [f"requestRate={workload.request_rate:g}"]
    words += [f"pin={request.policy.pins}"] if request.policy.pins else []
    return " ".join(words)


def _best(report: Infeasible) -> Iterator[str]:
    if report.best_ttft is not None:
        yield f"best ttft={_ms(report.best_ttft.latency.ttft)}ms({report.best_ttft})"
    if report.best_itl is not None and report.best_itl.latency.itl is not None:
        yield f"best itl={_ms(report.best_itl.latency.itl)}ms({report.best_itl})"
    if report.best_throughput is not None:
        fastest: Estimate = report.best_throughput
        yield f"best throughput={_three(fastest.tokens_per_second_per_gpu)}tok/s/gpu({fastest})"


def _does_not_fit(request: DeploymentRequest, report: Infeasible) -> str:
    if report.needed_bytes is None:
        return ""
    vram = request.hardware.vram
    count = f" >={-(-report.needed_bytes // vram):.0f}x{request.hardware.gpu_sku}" if vram else ""
    return f"does not fit: one copy needs {_three(report.needed_bytes / GIBIBYTE)} GiB of GPU memory{count}"


def _way(relaxation: Relaxation) -> str:
    sign = ">=" if relaxation.knob in _UPWARD else "<="
    if relaxation.knob in _WHOLE:
        return f"{relaxation.knob}{sign}{relaxation.value:.0f}"
    if relaxation.knob in _MILLISECONDS:
        return f"{relaxation.knob}{sign}{_up(relaxation.value / MILLISECOND)}ms"
    if relaxation.knob == "confidence":
        return f"confidence<={floor(1e3 * relaxation.value) / 1e3:g}"
    return f"{relaxation.knob}{sign}{_down(relaxation.value)}"


def _ms(seconds: float) -> str:
    return _three(seconds / MILLISECOND)


def _three(value: float) -> str:
    """Three significant digits, never in powers of ten."""
    text = f"{value:.3g}"
    return f"{float(text):.0f}" if "e" in text and value >= 1 else text


def _down(value: float) -> str:
    """Three significant digits, rounded down: a load that is called light enough must be."""
    text = _three(value)
    step = 10.0 ** (floor(log10(value)) - 2)
    return text if float(text) <= value else _three(float(text) - step)


def _up(value: float) -> str:
    """Three significant digits, rounded up: what is called enough must be enough."""
    text = _three(value)
    if float(text) >= value:
        return text
    step = 10.0 ** (len(f"{int(value)}") - 3)
    return _three(float(text) + step)
