"""The answer as one JSON document; its keys are part of the command line's contract."""

import json
from collections.abc import Mapping
from typing import Any

from dgdr_operator.report import figures, refused
from dgdr_operator.report.asked import Asked
from dgdr_operator.report.rows import row, rows
from dgdr_operator.units import GIBIBYTE
from estimator.estimates import Estimate, Infeasible, Outcome, Relaxation

_MILLISECONDS = frozenset({"ttft", "itl", "e2eLatency"})


def feasible(asked: Asked, outcome: Outcome, elapsed: float, more: Mapping[str, Any] | None = None) -> str:
    """The document of a search that found something; *elapsed* in seconds, *more* keys of the verb's own at the end."""
    return _text(
        {
            "request": asked.record() | {"dtypes": dict(outcome.dtypes), "notes": [*asked.notes, *outcome.notes]},
            "feasible": True,
            "chosen": row(outcome.choice),
            "aggregated": rows(outcome.aggregated),
            "disaggregated": rows(outcome.disaggregated),
            "frontier": rows(outcome.frontier),
            "rejections": dict(outcome.rejections),
            "elapsed_seconds": round(elapsed, 6),
            **(more or {}),
        }
    )


def infeasible(asked: Asked, report: Infeasible, elapsed: float) -> str:
    """The document of a search that found nothing: the same keys, and why under "infeasible"."""
    return _text(
        {
            "request": asked.record() | {"dtypes": {}, "notes": [*asked.notes, *report.notes]},
            "feasible": False,
            "chosen": None,
            "aggregated": [],
            "disaggregated": [],
            "frontier": [],
            "rejections": dict(report.rejections),
            "elapsed_seconds": round(elapsed, 6),
            "infeasible": _why(report),
        }
    )


def _why(report: Infeasible) -> dict[str, Any]:
    return {
        "binding": report.binding,
        "best_ttft": _optional(report.best_ttft),
        "best_itl": _optional(report.best_itl),
        "best_throughput": _optional(report.best_throughput),
        "nearest": _optional(report.nearest),
        "relaxations": [_relaxation(relaxation) for relaxation in report.relaxations],
        "needed_gib": None if report.needed_bytes is None else round(report.needed_bytes / GIBIBYTE, 3),
        "message": refused.binding(report),
    }


def _relaxation(relaxation: Relaxation) -> dict[str, Any]:
    in_ms = relaxation.knob in _MILLISECONDS
    value = figures.milliseconds(relaxation.value) if in_ms else relaxation.value
    return {
        "knob": f"{relaxation.knob}_ms" if in_ms else relaxation.knob,
        "value": value,
        "estimate": row(relaxation.estimate),
    }


def _optional(estimate: Estimate | None) -> dict[str, Any] | None:
    return None if estimate is None else row(estimate)


def _text(document: dict[str, Any]) -> str:
    return json.dumps(document, indent=2, ensure_ascii=False, allow_nan=False) + "\n"
