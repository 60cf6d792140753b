"""What `dgdr validate` finds, for programs: shares of the measured values, keys that are part of its contract."""

from collections.abc import Mapping, Sequence
from dataclasses import asdict
from typing import Any

from dgdr_operator.report import accuracy, accuracy_page, regret
from dgdr_operator.report.accuracy import METRICS, Pair
from perf_db.accuracy import Accuracy


def record(pairs: Sequence[Pair], stored: Accuracy | None, coverage: Mapping[str, Any]) -> dict[str, Any]:
    """Coverage, errors by every grouping, shares inside 90 % intervals by engine, regret by engine."""
    inside = {
        name: {
            metric: {title: share(own, metric) for title, share in accuracy_page.shares(stored).items()}
            for metric in METRICS
        }
        for name, own in accuracy.members(pairs, "backend").items()
    }
    return {
        "coverage": dict(coverage),
        "errors": {name: accuracy.shares(accuracy.members(pairs, name)) for name in accuracy.GROUPINGS},
        "inside_90": inside,
        "regret": {name: asdict(found) for name, found in regret.by_engine(pairs).items()},
    }
