"""One configuration taken apart: where its time goes, what that rests on, how near it is to the speed of light."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from dgdr_operator.report import figures, grid
from dgdr_operator.report.accuracy import WORDS, Metric
from dgdr_operator.report.grid import Column
from dgdr_operator.report.paper import Paper
from dgdr_operator.report.prose import facts, heading
from estimator.estimates import Estimate, OpTime
from estimator.floor import Floor

Ends = Mapping[Metric, tuple[float, float]]


@dataclass(frozen=True, slots=True, kw_only=True)
class Iteration:
    """One step of a worker: prompt tokens, decoding sequences, its operations (the host's time is one), its floor."""

    title: str
    tokens: float
    sequences: float
    ops: Sequence[OpTime]
    floor: Floor

    @property
    def seconds(self) -> float:
        """Seconds of all operations, one after the other."""
        return sum(op.seconds for op in self.ops)


@dataclass(frozen=True, slots=True, kw_only=True)
class Opened:
    """What is known about one configuration.

    title: what runs, and on what; osl: output tokens; ends: 90 % intervals by metric, SI units; notes: what to know.
    """

    title: str
    osl: int
    estimate: Estimate
    iterations: Sequence[Iteration]
    ends: Ends
    notes: Sequence[str] = ()

    @property
    def inclusive(self) -> float:
        """Seconds per output token when the first one counts as well: the request's latency over its tokens."""
        return self.estimate.latency.request / self.osl


def page(opened: Opened, paper: Paper) -> str:
    """The whole answer as text."""
    lines = [*heading(opened.title, paper)]
    lines += facts("Serves", [_serves(opened)], paper)
    lines += facts("TTFT", [_latency(opened.estimate.latency.ttft, opened.ends.get("ttft"))], paper)
    lines += facts("TPOT", _tpot(opened), paper)
    lines += facts("Notes", opened.notes, paper)
    lines += ["", *heading("Time to first token", paper), *grid.draw(_terms(opened.estimate), paper)]
    for iteration in opened.iterations:
        lines += ["", *heading(iteration.title, paper), *grid.draw(_operations(iteration), paper)]
        lines += facts("Floor", [_light(iteration)], paper)
    return "\n".join(lines) + "\n"


def record(opened: Opened) -> dict[str, Any]:
    """The same for programs; seconds and tokens per second."""
    latency = opened.estimate.latency
    return {
        "configuration": figures.configuration(opened.estimate),
        "backend": opened.estimate.backend,
        "backend_version": opened.estimate.backend_version,
        "ttft": latency.ttft,
        "ttft_terms": dict(latency.ttft_terms),
        "itl": latency.itl,
        "itl_inclusive": opened.inclusive,
        "request_latency": latency.request,
        "tokens_per_second": opened.estimate.load.tokens_per_second,
        "intervals": {metric: list(ends) for metric, ends in opened.ends.items()},
        "provenance": dict(opened.estimate.provenance),
        "iterations": [_iteration(one) for one in opened.iterations],
        "notes": list(opened.notes),
    }


def _iteration(one: Iteration) -> dict[str, Any]:
    return {
        "name": one.title,
        "seconds": one.seconds,
        "floor": one.floor.seconds,
        "mbu": one.floor.moving / one.seconds,
        "mfu": one.floor.computing / one.seconds,
        "operations": [
            {"name": op.name, "seconds": op.seconds, "share": op.seconds / one.seconds, "provenance": op.provenance}
            for op in _largest_first(one.ops)
        ],
    }


def _serves(opened: Opened) -> str:
    load, ends = opened.estimate.load, opened.ends.get("throughput")
    span = f" ({figures.plain(ends[0])} to {figures.plain(ends[1])})" if ends else ""
    return (
        f"{figures.plain(load.tokens_per_second)} {WORDS['throughput']}{span}, "
        f"{figures.plain(load.request_rate)} requests/s, at concurrency {load.concurrency}"
    )


def _latency(seconds: float, ends: tuple[float, float] | None) -> str:
    return f"{figures.ms(seconds)} ms, {figures.between(ends, figures.ms) or 'no interval: never measured'}"


def _tpot(opened: Opened) -> list[str]:
    itl = opened.estimate.latency.itl
    between = (
        "" if itl is None else f"between tokens, (latency - TTFT) / (osl - 1): {_latency(itl, opened.ends.get('itl'))}"
    )
    return [between, f"over all tokens, latency / osl: {figures.ms(opened.inclusive)} ms"]


def _terms(estimate: Estimate) -> list[Column]:
    terms = {name: seconds for name, seconds in estimate.latency.ttft_terms.items() if seconds > 0}
    return [
        Column(head=("", "term"), cells=tuple(terms), left=True),
        Column(head=("", "ms"), cells=tuple(figures.ms(seconds) for seconds in terms.values())),
        Column(
            head=("", "share"),
            cells=tuple(figures.percent(seconds / estimate.latency.ttft) for seconds in terms.values()),
        ),
    ]


def _operations(iteration: Iteration) -> list[Column]:
    ops = _largest_first(iteration.ops)
    return [
        Column(head=("", "operation"), cells=tuple(op.name for op in ops), left=True),
        Column(head=("", "ms"), cells=tuple(f"{1e3 * op.seconds:.3f}" for op in ops)),
        Column(head=("", "share"), cells=tuple(figures.percent(op.seconds / iteration.seconds) for op in ops)),
        Column(head=("", "evidence"), cells=tuple(op.provenance for op in ops), left=True),
    ]


def _largest_first(ops: Sequence[OpTime]) -> list[OpTime]:
    """Operations of one name and evidence together, in whatever layers they stand."""
    sums: dict[tuple[str, str], OpTime] = {}
    for op in ops:
        before = sums.get((op.name, op.provenance))
        seconds = op.seconds + (before.seconds if before else 0.0)
        sums[op.name, op.provenance] = OpTime(phase=op.phase, name=op.name, seconds=seconds, provenance=op.provenance)
    return sorted(sums.values(), key=lambda op: -op.seconds)


def _light(iteration: Iteration) -> str:
    floor, seconds = iteration.floor, iteration.seconds
    return (
        f"{figures.ms(floor.seconds)} ms at the speed of light, {figures.percent(floor.seconds / seconds)} of "
        f"{figures.ms(seconds)}; memory bandwidth used (MBU) {figures.percent(floor.moving / seconds)}, "
        f"arithmetic used (MFU) {figures.percent(floor.computing / seconds)}"
    )
