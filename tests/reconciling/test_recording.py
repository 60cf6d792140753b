"""The report of a request: what is in it, how long it remembers, and what it leaves alone."""

from __future__ import annotations

import json
from typing import Any

import pytest
import yaml
from hypothesis import given, settings
from hypothesis import strategies as st

from dgdr_operator.controller import record
from dgdr_operator.controller.record import Draft
from dgdr_operator.planned import Planned
from tests.reconciling import worlds
from tests.reconciling.worlds import graph, planned

LIMIT = 1_048_576
"""Bytes that an API server takes for one ConfigMap."""


def draft(plan: Planned, pending: Planned | None = None) -> Draft:
    """What the report is to say about *plan*."""
    return Draft(plan=plan, pending=pending, diff="nothing would change\n", now=worlds.NOW)


def searched(replicas: int, **files: str) -> Planned:
    """A plan with the files about its search."""
    plan = planned(graph(replicas=replicas), worlds.request())
    named = {name.replace("_", "."): text for name, text in files.items()}
    return Planned(graph=plan.graph, summary=plan.summary, fabric=plan.fabric, report=record.packed(named))


def built(*plans: Planned) -> dict[str, Any]:
    """The report after these plans, one after the other."""
    live: dict[str, Any] | None = None
    for plan in plans:
        live = record.build(worlds.request(), live, draft(plan))
    assert live is not None
    return live


def test_the_report_belongs_to_its_request_and_goes_with_it() -> None:
    metadata = built(searched(2))["metadata"]

    assert metadata["name"] == "dgdr-report-chat"
    assert [owner["uid"] for owner in metadata["ownerReferences"]] == ["u-1"]
    assert not [label for label in metadata["labels"] if label.startswith("dgdr.nvidia.com/")]


def test_a_changed_report_loses_our_files_that_are_stale_and_keeps_what_others_put_there() -> None:
    live = built(searched(2, report_html="<html>"))
    live["data"]["notes.txt"] = "somebody's"
    live["metadata"] |= {"resourceVersion": "7", "ownerReferences": [{"uid": "other"}, {"uid": "u-1"}]}
    wanted = record.build(worlds.request(), live, draft(searched(3)))

    changes = record.changes(live, wanted)

    assert changes["metadata"]["resourceVersion"] == "7"
    assert [owner["uid"] for owner in changes["metadata"]["ownerReferences"]] == ["other", "u-1"]
    assert {name for name, text in changes["data"].items() if text is None} == {"report.html"}
    assert "notes.txt" not in changes["data"]
    assert wanted["data"].keys() <= record.FILES


def test_a_report_that_says_it_all_is_known_by_what_it_says_and_whose_it_is() -> None:
    live, wanted = built(searched(2, report_html="<html>")), built(searched(2, report_html="<html>"))
    wanted["data"]["diff.txt"] = "no graph stands yet\n"
    wanted["data"]["notes.txt"] = "somebody's"
    another = {**live, "metadata": {**live["metadata"], "ownerReferences": [{"uid": "u-0"}]}}

    assert record.says(live, wanted)
    assert not record.says(another, wanted)
    assert not record.says(live, built(searched(3, report_html="<html>")))
    assert not record.says(live, built(searched(2)))


def test_the_plan_can_be_applied_as_it_is_written() -> None:
    plan = searched(2)

    (written,) = yaml.safe_load_all(built(plan)["data"]["plan.yaml"])

    assert written == plan.graph


def test_the_files_of_the_search_lie_beside_the_plan() -> None:
    data = built(searched(2, report_html="<html>", frontier_csv="a,b\n"))["data"]

    assert (data["report.html"], data["frontier.csv"]) == ("<html>", "a,b\n")


def test_a_plan_that_is_only_remembered_keeps_the_files_of_its_search() -> None:
    first, again = searched(2, report_html="<html>"), searched(2)

    assert built(first, again)["data"]["report.html"] == "<html>"
    assert "report.html" not in built(first, searched(3))["data"]


@given(st.lists(st.integers(1, 8), min_size=1, max_size=20))
@settings(deadline=None)
def test_the_last_five_plans_are_remembered_and_can_be_gone_back_to(replicas: list[int]) -> None:
    plans = {count: searched(count) for count in replicas}
    live = built(*(plans[count] for count in replicas))

    remembered = [entry["plan"] for entry in record.history(live)]

    newest = list(dict.fromkeys(reversed(replicas)))[: record.KEPT]
    assert remembered == [plans[count].hash for count in newest]
    assert all(record.find(live, plans[count].hash) == plans[count] for count in newest)


def test_what_waits_for_approval_is_shown_apart_and_is_no_history() -> None:
    plan, pending = searched(2), searched(4)

    live = record.build(worlds.request(), None, draft(plan, pending))

    assert live["data"]["pending-hash"] == pending.hash
    assert [entry["plan"] for entry in record.history(live)] == [plan.hash]
    assert "pending.yaml" not in record.build(worlds.request(), live, draft(plan))["data"]


@pytest.mark.parametrize("written", ["", "no JSON", "{}", "[1, null]", '[{"plan": "x", "graph": 1}]'])
def test_a_history_that_somebody_garbled_is_begun_anew(written: str) -> None:
    live = {"metadata": {"labels": {record.FORMAT_LABEL: "1"}}, "data": {"history.json": written}}

    found = record.build(worlds.request(), live, draft(searched(2)))

    assert record.find(live, "x") is None
    assert json.loads(found["data"]["history.json"])[0]["plan"] == searched(2).hash


def test_a_report_in_another_format_or_of_somebody_else_is_not_ours_to_write() -> None:
    assert record.is_ours(None)
    assert record.is_ours(built(searched(2)))
    assert not record.is_ours({"metadata": {"labels": {record.FORMAT_LABEL: "2"}}})
    assert not record.is_ours({"metadata": {}})


@pytest.mark.parametrize("size", [0, 200_000, 900_000])
def test_a_report_fits_into_a_config_map_however_large_its_parts(size: int) -> None:
    plans = [searched(count, report_html="x" * size, frontier_csv="y" * size) for count in (1, 2, 3)]
    for plan in plans:
        plan.graph["spec"]["notes"] = "z" * (size // 4)

    live = built(*plans)

    assert len(json.dumps(live).encode()) < LIMIT
    assert live["data"]["plan-hash"] == plans[-1].hash
    assert "notes" in live["data"]["plan.yaml"] or size == 0
