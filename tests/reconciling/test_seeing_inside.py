"""What people see from outside: gauges that count what there is, a deaf watch that is noticed, a log with names."""

from __future__ import annotations

import asyncio
import json
import logging
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dgdr_operator.controller import gauges, logs, metrics
from dgdr_operator.controller.hearing import PATIENCE, Hearing

NAMES = st.sampled_from([("ns", name) for name in "abc"])


@given(found=st.dictionaries(NAMES, st.floats(0, 1000)), heard=st.sets(NAMES))
def test_a_watch_is_deaf_when_it_does_not_tell_within_a_minute_what_a_sweep_found(
    found: dict[tuple[str, str], float], heard: set[tuple[str, str]]
) -> None:
    hearing = Hearing()
    for name, when in found.items():
        hearing.found("graph", [name], when)
    for name in heard:
        hearing.heard("graph", name)

    missed = [when for name, when in found.items() if name not in heard]
    assert hearing.deaf(0.0) == set()
    assert hearing.deaf(max(missed, default=0.0) + PATIENCE + 1) == ({"graph"} if missed else set())
    assert hearing.deaf(1e6) == set()


def test_what_one_watch_tells_says_nothing_about_the_other() -> None:
    hearing = Hearing()
    hearing.found("graph", [("ns", "a")], 0.0)

    hearing.heard("request", ("ns", "a"))

    assert hearing.deaf(PATIENCE) == {"graph"}


def request(phase: str, reason: str | None = None, **metadata: object) -> dict[str, Any]:
    """A request in *phase* whose graph is not as planned for *reason*."""
    conditions = [{"type": "Synced", "status": "False" if reason else "True", "reason": reason or "Applied"}]
    return {"metadata": metadata, "status": {"phase": phase, "conditions": conditions}}


def value(series: str, **labels: str) -> float:
    """A metric's present value, 0 before it was ever set."""
    return metrics.REGISTRY.get_sample_value(series, labels) or 0.0


def test_requests_are_counted_by_phase_and_by_what_keeps_their_graphs_from_the_plan() -> None:
    bodies = [request("Deployed"), request("Deployed", "Paused"), request("Failed"), {"metadata": {}}]

    gauges.requests(map(gauges.brief, bodies))

    assert value("dgdr_requests", phase="Deployed") == 2
    assert value("dgdr_requests", phase="Pending") == 1
    assert value("dgdr_unsynced", reason="Paused") == 1
    assert value("dgdr_unsynced", reason="FieldConflict") == 0

    gauges.requests([])

    assert value("dgdr_requests", phase="Deployed") == value("dgdr_unsynced", reason="Paused") == 0


def test_the_line_in_hand_is_as_old_as_its_oldest_key() -> None:
    gauges.work(waiting=3, asked=2, began=[10.0, 14.0], now=15.0)

    line = {"name": "dgdr", "controller": "dgdr"}
    assert value("workqueue_depth", **line) == 3
    assert value("dgdr_estimator_queue_depth") == 2
    assert value("workqueue_unfinished_work_seconds", **line) == 6
    assert value("workqueue_longest_running_processor_seconds", **line) == 5


@pytest.mark.parametrize(("generation", "counted"), [(1, 1), (2, 0)])
def test_a_first_plan_is_timed_from_the_birth_of_its_request(generation: int, counted: int) -> None:
    born: dict[str, Any] = {"creationTimestamp": "2026-01-01T00:00:00Z", "generation": generation}
    before = value("dgdr_time_to_plan_seconds_count"), value("dgdr_time_to_plan_seconds_sum")

    gauges.passed(
        request("Profiling", **born),
        {"phase": "Ready", "profilingResults": {"selectedConfig": {"kind": "x"}}},
        "2026-01-01T00:00:07Z",
    )

    assert value("dgdr_time_to_plan_seconds_count") - before[0] == counted
    assert value("dgdr_time_to_plan_seconds_sum") - before[1] == 7 * counted


def test_a_step_that_changes_no_phase_is_no_step() -> None:
    before = value("dgdr_phase_transitions_total", **{"from": "Failed", "to": "Failed"})

    gauges.passed(request("Failed"), {"phase": "Failed"}, "2026-01-01T00:00:07Z")

    assert value("dgdr_phase_transitions_total", **{"from": "Failed", "to": "Failed"}) == before


def spoken(style: logging.Formatter, message: str, **extra: object) -> str:
    """One record, as *style* writes it."""
    record = logging.LogRecord("x", logging.INFO, "", 0, message, None, None)
    record.__dict__.update(extra)
    return style.format(record)


async def test_what_a_reconcile_logs_names_its_request_and_nobody_elses() -> None:
    lines: dict[str, dict[str, Any]] = {}

    async def reconcile(key: str, number: int) -> None:
        with logs.about(key=key, reconcile=number, uid=None):
            await asyncio.sleep(0)
            lines[key] = json.loads(spoken(logs.JsonLines(), "now Ready", phase="Ready"))

    await asyncio.gather(reconcile("ns/a", 1), reconcile("ns/b", 2))
    outside = json.loads(spoken(logs.JsonLines(), "leading"))

    assert {key: (said["key"], said["reconcile"], said["phase"]) for key, said in lines.items()} == {
        "ns/a": ("ns/a", 1, "Ready"),
        "ns/b": ("ns/b", 2, "Ready"),
    }
    assert "uid" not in lines["ns/a"]
    assert "key" not in outside


def test_words_for_people_say_the_same() -> None:
    with logs.about(key="ns/a"):
        line = spoken(logs.Words(), "now Ready", phase="Ready")

    assert line.endswith("info    now Ready key=ns/a phase=Ready")
