"""What is counted by looking: requests by phase, what is left undone and why, how long lines are and lives last."""

from collections import Counter
from collections.abc import Hashable, Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from dgdr_operator.controller import metrics
from dgdr_operator.status import Phase, Type

Object = Mapping[str, Any]

LEFT = ("FieldConflict", "PermissionMissing", "ReplanPending", "Paused", "ForeignController")
"""Reasons of Synced=False that are shown even where no request has them, so that an alert sees them come."""


@dataclass(frozen=True, slots=True)
class Brief:
    """What is asked of all requests. phase: "" before the first status; left: reason of Synced where that is False."""

    phase: str
    left: str
    finalizers: tuple[str, ...]

    @property
    def unplanned(self) -> bool:
        """Whether it has no plan to go by."""
        return self.phase not in {Phase.READY, Phase.DEPLOYING, Phase.DEPLOYED}


def brief(body: Object) -> Brief:
    """The brief of a request."""
    status = body.get("status") or {}
    conditions = status.get("conditions") or ()
    left = (one.get("reason") for one in conditions if one.get("type") == Type.SYNCED and one.get("status") == "False")
    finalizers = tuple((body.get("metadata") or {}).get("finalizers") or ())
    return Brief(str(status.get("phase") or ""), str(next(left, "")), finalizers)


def requests(briefs: Iterable[Hashable]) -> None:
    """Requests by phase, and those whose graph is not as planned, by reason."""
    known = [one for one in briefs if isinstance(one, Brief)]
    phases = Counter(one.phase or Phase.PENDING.value for one in known)
    left = Counter(one.left for one in known if one.left)
    for phase in Phase:
        metrics.REQUESTS.labels(phase.value).set(phases[phase.value])
    metrics.UNSYNCED.clear()
    for reason in {*LEFT, *left}:
        metrics.UNSYNCED.labels(reason).set(left[reason])


def work(waiting: int, asked: int, began: Iterable[float], now: float) -> None:
    """Keys that wait, questions that wait, and for how long the keys in hand have been there."""
    ages = [now - since for since in began]
    metrics.QUEUE_DEPTH.labels(metrics.NAME, metrics.NAME).set(waiting)
    metrics.ESTIMATOR_QUEUE.set(asked)
    metrics.UNFINISHED_SECONDS.labels(metrics.NAME, metrics.NAME).set(sum(ages))
    metrics.LONGEST_SECONDS.labels(metrics.NAME, metrics.NAME).set(max(ages, default=0.0))


def passed(request: Object, after: Object, now: str) -> None:
    """The step of *request* from its live status to *after*, at *now*: phases, and milestones of its life."""
    before, metadata = request.get("status") or {}, request["metadata"]
    if before.get("phase") == after["phase"] and _planned(before) == _planned(after):
        return
    metrics.TRANSITIONS.labels(before.get("phase") or "", after["phase"]).inc()
    age = _seconds(str(metadata.get("creationTimestamp")), now)
    if age is None or metadata.get("generation") != 1:
        return
    if _planned(after) and not _planned(before):
        metrics.PLAN_SECONDS.observe(age)
    if after["phase"] == Phase.DEPLOYED and before.get("phase") != Phase.DEPLOYED:
        metrics.DEPLOYED_SECONDS.observe(age)


def _planned(status: Object) -> bool:
    return bool((status.get("profilingResults") or {}).get("selectedConfig"))


def _seconds(since: str, until: str) -> float | None:
    try:
        return max(0.0, (datetime.fromisoformat(until) - datetime.fromisoformat(since)).total_seconds())
    except ValueError:
        return None
