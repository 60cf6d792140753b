"""A played run as a page and as JSON."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any

from dgdr_operator.report import figures, grid
from dgdr_operator.report.grid import Column
from dgdr_operator.report.paper import Paper
from dgdr_operator.report.prose import facts, heading
from estimator.replay import Spread, Summary

_TITLES = {"ttft_ms": "TTFT", "itl_ms": "ITL", "request_latency_ms": "request"}


@dataclass(frozen=True, slots=True, kw_only=True)
class Setting:
    """What was played: the deployment and its traffic in words, the GPUs it takes, and what to know about it."""

    model: str
    system: str
    backend: str
    backend_version: str
    deployment: str
    gpus: int
    traffic: str
    notes: Sequence[str] = ()


def page(setting: Setting, summary: Summary, paper: Paper) -> str:
    """The run as text."""
    spreads = _spreads(summary)
    table = [Column(head=("", "ms"), cells=tuple(_TITLES[name] for name in spreads), left=True)]
    for point in ("mean", "p50", "p90", "p99"):
        cells = tuple(figures.ms(getattr(spread, point)) for spread in spreads.values())
        table.append(Column(head=("", point), cells=cells))
    per_gpu = figures.plain(summary.tokens_per_second / setting.gpus)
    output = f"{figures.plain(summary.tokens_per_second)} tokens/s, {per_gpu} per GPU"
    lines = [
        *heading(f"{setting.deployment} with {setting.backend} on {setting.gpus} {_gpus(setting)}", paper),
        *facts("Model", [setting.model], paper),
        *facts("Data", [f"{setting.system}/{setting.backend} {setting.backend_version}"], paper),
        *facts("Traffic", [setting.traffic], paper),
        *facts("Served", [f"{figures.plain(summary.request_rate)} requests/s", output], paper),
        *facts("Notes", list(setting.notes), paper),
        "",
        *grid.draw(table, paper),
    ]
    return "\n".join(lines) + "\n"


def record(setting: Setting, summary: Summary) -> str:
    """The run as JSON: milliseconds, requests and tokens per second."""
    times: dict[str, Any] = {name: _milliseconds(spread) for name, spread in _spreads(summary).items()}
    answer = {
        **asdict(setting),
        "requests": summary.requests,
        **{name: times.get(name) for name in _TITLES},
        "request_rate": round(summary.request_rate, 6),
        "tokens_per_second": round(summary.tokens_per_second, 4),
        "tokens_per_second_per_gpu": round(summary.tokens_per_second / setting.gpus, 4),
        "evictions": summary.evictions,
    }
    return json.dumps(answer, indent=2) + "\n"


def _gpus(setting: Setting) -> str:
    return f"GPU{'' if setting.gpus == 1 else 's'} of {setting.system}"


def _spreads(summary: Summary) -> Mapping[str, Spread]:
    itl = {} if summary.itl is None else {"itl_ms": summary.itl}
    return {"ttft_ms": summary.ttft, **itl, "request_latency_ms": summary.latency}


def _milliseconds(spread: Spread) -> dict[str, float]:
    return {name: round(figures.milliseconds(seconds) or 0.0, 4) for name, seconds in asdict(spread).items()}
