"""The Grafana dashboard: one row per question that somebody on call asks, written as the JSON that Grafana imports."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

WIDTH, HEIGHT, COLUMNS = 12, 8, 24
JOB = 'job=~"$job"'
PLAN = "dgdr_estimator_duration_seconds_bucket"
WAIT = "workqueue_queue_duration_seconds_bucket"


@dataclass(frozen=True, slots=True, kw_only=True)
class Panel:
    """One chart. *queries*: legend -> PromQL, in which JOB selects the operator."""

    title: str
    unit: str
    queries: tuple[tuple[str, str], ...]


PANELS = (
    Panel(title="Requests by phase", unit="none", queries=(("{{phase}}", f"sum by (phase) (dgdr_requests{{{JOB}}})"),)),
    Panel(
        title="Reconciles per second",
        unit="ops",
        queries=(("{{result}}", f"sum by (result) (rate(controller_runtime_reconcile_total{{{JOB}}}[5m]))"),),
    ),
    Panel(
        title="Seconds per plan",
        unit="s",
        queries=tuple(
            (
                f"p{rank}",
                f"histogram_quantile(0.{rank}, sum by (le) (rate({PLAN}{{{JOB}}}[5m])))",
            )
            for rank in (50, 90, 99)
        ),
    ),
    Panel(
        title="Seconds from an event to its reconcile",
        unit="s",
        queries=tuple(
            (f"p{rank}", f"histogram_quantile(0.{rank}, sum by (le) (rate({WAIT}{{{JOB}}}[5m])))") for rank in (50, 99)
        ),
    ),
    Panel(
        title="Who leads",
        unit="none",
        queries=(("{{pod}}", f"leader_election_master_status{{{JOB}}}"),),
    ),
    Panel(
        title="Graphs that are not as planned",
        unit="none",
        queries=(("{{reason}}", f"sum by (reason) (dgdr_unsynced{{{JOB}}})"),),
    ),
    Panel(
        title="Answers from the cache, and computed",
        unit="ops",
        queries=(
            ("from the cache", f"sum(rate(dgdr_estimator_cache_hits_total{{{JOB}}}[5m]))"),
            ("computed", f"sum(rate(dgdr_estimator_cache_misses_total{{{JOB}}}[5m]))"),
        ),
    ),
    Panel(
        title="Queue",
        unit="none",
        queries=(
            ("waiting", f"sum(workqueue_depth{{{JOB}}})"),
            ("in hand", f"sum(controller_runtime_active_workers{{{JOB}}})"),
        ),
    ),
    Panel(
        title="Calls to the API server by answer",
        unit="ops",
        queries=(("{{method}} {{code}}", f"sum by (method, code) (rate(rest_client_requests_total{{{JOB}}}[5m]))"),),
    ),
    Panel(
        title="Repairs",
        unit="none",
        queries=(
            ("graphs put back", f"sum(increase(dgdr_drift_corrections_total{{{JOB}}}[1h]))"),
            ("watch restarted: {{why}}", f"sum by (why) (increase(dgdr_watch_restarts_total{{{JOB}}}[1h]))"),
            ("found by a sweep only", f"sum(increase(dgdr_sweep_ghosts_total{{{JOB}}}[1h]))"),
            ("planner replaced: {{why}}", f"sum by (why) (increase(dgdr_estimator_restarts_total{{{JOB}}}[1h]))"),
        ),
    ),
    Panel(
        title="GPUs of ready nodes",
        unit="none",
        queries=(("{{sku}} {{state}}", f"sum by (sku, state) (dgdr_gpus{{{JOB}}})"),),
    ),
    Panel(title="Memory", unit="bytes", queries=(("{{pod}}", f"process_resident_memory_bytes{{{JOB}}}"),)),
    Panel(title="Lateness of the heartbeat", unit="s", queries=(("{{pod}}", f"dgdr_event_loop_lag_seconds{{{JOB}}}"),)),
)


def written() -> str:
    """The dashboard, as Grafana imports it."""
    source = {"type": "datasource", "uid": "${source}"}
    variables = [
        {"name": "source", "type": "datasource", "query": "prometheus"},
        {
            "name": "job",
            "type": "query",
            "datasource": source,
            "query": "label_values(dgdr_requests, job)",
            "refresh": 2,
        },
    ]
    whole = {
        "uid": "dgdr-operator",
        "title": "dgdr-operator",
        "tags": ["dgdr-operator"],
        "schemaVersion": 39,
        "time": {"from": "now-6h", "to": "now"},
        "refresh": "30s",
        "templating": {"list": variables},
        "panels": list(_panels(source)),
    }
    return json.dumps(whole, indent=2) + "\n"


def _panels(source: dict[str, str]) -> Iterator[dict[str, Any]]:
    for number, panel in enumerate(PANELS):
        left, top = number * WIDTH % COLUMNS, number * WIDTH // COLUMNS * HEIGHT
        yield {
            "id": number + 1,
            "type": "timeseries",
            "title": panel.title,
            "datasource": source,
            "gridPos": {"x": left, "y": top, "w": WIDTH, "h": HEIGHT},
            "fieldConfig": {"defaults": {"unit": panel.unit, "min": 0}, "overrides": []},
            "targets": [
                {"refId": chr(ord("A") + place), "expr": query, "legendFormat": legend, "datasource": source}
                for place, (legend, query) in enumerate(panel.queries)
            ],
        }
