"""How a request in a cluster stands, and what its plans were: from its status and its report, for people."""

from collections.abc import Iterator, Mapping, Sequence
from textwrap import wrap
from typing import Any

from dgdr_operator.planned import PLAN, entries
from dgdr_operator.report import grid
from dgdr_operator.report.grid import Column
from dgdr_operator.report.paper import Paper

Object = Mapping[str, Any]

SHOWN = ("Succeeded", "DeploymentReady", "Feasible", "FabricReady", "Synced")
"""Conditions that a person wants to read; the others repeat them."""
_LABEL = 17


def overview(requests: Sequence[Object], paper: Paper) -> str:
    """One line for each request."""
    if not requests:
        return "there are no requests\n"
    rows = [_row(request) for request in requests]
    heads = ("namespace", "request", "phase", "plan", "graph", "waits")
    columns = [
        Column(head=(head, ""), cells=tuple(row[place] for row in rows), left=True, need=9 - (head == "namespace"))
        for place, head in enumerate(heads)
    ]
    return "\n".join(grid.draw(columns, paper)) + "\n"


def page(request: Object, report: Mapping[str, str], paper: Paper) -> str:
    """Everything worth knowing about one request."""
    status: Object = request.get("status") or {}
    lines = [
        f"{request['metadata'].get('namespace', '')}/{request['metadata']['name']}: {status.get('phase') or 'new'}"
    ]
    replicas = status.get("deploymentInfo") or {}
    facts = {
        "Plan": plan(request),
        "Graph": status.get("dgdName") or "",
        "Replicas": f"{replicas.get('availableReplicas')} of {replicas.get('replicas')} available" if replicas else "",
        "Waiting plan": report.get("pending-hash", "") if waits(request) else "",
    }
    conditions = {one["type"]: one for one in status.get("conditions") or ()}
    said = {kind: f"{_mark(conditions[kind])}{conditions[kind]['message']}" for kind in SHOWN if kind in conditions}
    for label, text in (facts | said).items():
        lines += _fact(label, str(text), paper)
    return "\n".join(lines) + "\n"


def past(report: Mapping[str, str], current: str, paper: Paper) -> str:
    """The plans that are remembered, newest first, the current one marked."""
    plans = history(report)
    if not plans:
        return "no plan is remembered\n"
    lines: list[str] = []
    for entry in plans:
        mark = "*" if entry["plan"] == current else " "
        lines.append(f"{mark} {entry['plan']}  since {entry.get('at', '')}")
        said = wrap(str(entry.get("summary", "")), max(paper.width - 4, 20), break_on_hyphens=False)
        lines += [f"    {line}" for line in said]
    return "\n".join(lines) + "\n"


def history(report: Mapping[str, str]) -> list[dict[str, Any]]:
    """The entries of the history that name a plan."""
    return [one for one in entries(report.get("history.json", "")) if one.get("plan")]


def plan(request: Object) -> str:
    """The hash of the recorded plan, "" without one."""
    results = (request.get("status") or {}).get("profilingResults") or {}
    metadata = (results.get("selectedConfig") or {}).get("metadata") or {}
    return str((metadata.get("annotations") or {}).get(PLAN, ""))


def waits(request: Object) -> bool:
    """Whether a plan waits for the user's word."""
    conditions = (request.get("status") or {}).get("conditions") or ()
    return any(one["type"] == "Synced" and one.get("reason") == "ReplanPending" for one in conditions)


def _row(request: Object) -> tuple[str, ...]:
    status: Object = request.get("status") or {}
    metadata = request["metadata"]
    waiting = "for approval" if waits(request) or status.get("phase") == "Ready" else ""
    phase = str(status.get("phase") or "new")
    return (metadata.get("namespace", ""), metadata["name"], phase, plan(request), status.get("dgdName") or "", waiting)


def _mark(condition: Object) -> str:
    return "" if condition["status"] == "True" else f"{condition['reason']}: "


def _fact(label: str, text: str, paper: Paper) -> Iterator[str]:
    room = max(paper.width - _LABEL, 20)
    lines = wrap(text, room, break_long_words=False, break_on_hyphens=False)
    yield from (f"{label if number == 0 else '':<{_LABEL}}{line}" for number, line in enumerate(lines))
