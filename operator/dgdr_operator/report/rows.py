"""One estimate as the flat record that scripts read: milliseconds, GiB, tokens per second."""

from collections.abc import Mapping, Sequence
from typing import Any

from dgdr_operator.report import figures
from dgdr_operator.units import GIBIBYTE
from estimator.estimates import Ends, Estimate, Worker
from estimator.parallelism import Parallel

Row = dict[str, Any]
_DIGITS = 6


def rounded(value: float | None) -> float | None:
    """*value* to six significant digits, which is more than any prediction holds; None stays None."""
    return None if value is None else float(f"{value:.{_DIGITS}g}")


def row(estimate: Estimate) -> Row:
    """The record of one deployment; its keys are part of the command line's contract."""
    return {
        "mode": estimate.mode,
        "backend": estimate.backend,
        "backend_version": estimate.backend_version,
        "replicas": estimate.replicas,
        "gpus": estimate.gpus,
        "gpus_per_replica": estimate.gpus_per_replica,
        "concurrency": estimate.load.concurrency,
        **_workers(estimate),
        "ttft_ms": rounded(figures.milliseconds(estimate.latency.ttft)),
        "itl_ms": rounded(figures.milliseconds(estimate.latency.itl)),
        "request_latency_ms": rounded(figures.milliseconds(estimate.latency.request)),
        "tokens_per_second": rounded(estimate.load.tokens_per_second),
        "tokens_per_second_per_gpu": rounded(estimate.tokens_per_second_per_gpu),
        "tokens_per_second_per_user": rounded(estimate.tokens_per_second_per_user),
        "request_rate": rounded(estimate.load.request_rate),
        "memory_gib": rounded(figures.memory(estimate) / GIBIBYTE),
        **_trust(estimate),
        "doubtful": estimate.is_doubtful,
        "provenance": {name: rounded(share) for name, share in estimate.provenance.items()},
    }


def rows(estimates: Sequence[Estimate]) -> list[Row]:
    """The records of several deployments, in order."""
    return [row(estimate) for estimate in estimates]


def flat(record: Mapping[str, Any], prefix: str = "") -> dict[str, Any]:
    """*record* with nested keys joined by dots, as the header of a CSV file needs it; None becomes empty."""
    out: dict[str, Any] = {}
    for key, value in record.items():
        if isinstance(value, Mapping):
            out |= flat(value, f"{prefix}{key}.")
        else:
            out[prefix + key] = "" if value is None else value
    return out


def _trust(estimate: Estimate) -> Row:
    """The probability that the targets are kept, and the ends of 90 % intervals; None where nothing is known."""
    trust = estimate.trust
    ends = {
        "ttft_ms": _milliseconds(trust.ttft if trust else None),
        "itl_ms": _milliseconds(trust.itl if trust else None),
        "tokens_per_second": (trust.tokens_per_second if trust else None) or (None, None),
    }
    found: Row = {"sla_probability": rounded(trust.probability if trust else None)}
    for name, (low, high) in ends.items():
        found |= {f"{name}_low": rounded(low), f"{name}_high": rounded(high)}
    return found


def _milliseconds(ends: Ends | None) -> tuple[float | None, float | None]:
    return (None, None) if ends is None else (figures.milliseconds(ends[0]), figures.milliseconds(ends[1]))


def _workers(estimate: Estimate) -> Row:
    if estimate.mode == "aggregated":
        (worker,) = estimate.workers
        return {"batch_size": worker.batch_size, "parallelism": parallelism(worker.parallel)}
    return {role: _pool(estimate.worker(role)) for role in ("prefill", "decode")}


def _pool(worker: Worker) -> Row:
    return {
        "workers": worker.count,
        "batch_size": worker.batch_size,
        "parallelism": parallelism(worker.parallel),
    }


def parallelism(parallel: Parallel) -> Row:
    """Sizes of a worker's parallel groups."""
    return {name: getattr(parallel, name) for name in ("tp", "pp", "dp", "moe_tp", "moe_ep")}
