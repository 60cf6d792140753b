"""What the user wants done with a plan: the annotations of living with one, read the same every time. Pure."""

from typing import Literal, cast

from dgdr_operator.controller.world import Object, at
from dgdr_operator.planned import APPROVE, PAUSE, ROLLBACK, Planned
from dgdr_operator.request import OWN

REPLAN, STRATEGY, DELETION = f"{OWN}/replan-policy", f"{OWN}/replan-strategy", f"{OWN}/deletion-policy"

Policy = Literal["preview", "never", "auto"]
Strategy = Literal["hold", "blue-green", "recreate"]

AGAIN = 1800.0
"""Seconds between two plans that are applied because the world changed, so that a graph never flaps."""
UNCERTAIN = 0.10
"""Share by which a new plan has to be faster before it is applied unasked: what estimates are typically off by
(docs/accuracy.md); a smaller gain may be none."""


def said(request: Object, name: str, default: str = "") -> str:
    """What the annotation *name* says."""
    return str((request["metadata"].get("annotations") or {}).get(name, default))


def paused(request: Object) -> bool:
    """Whether nothing is to be written but that nothing is written."""
    return said(request, PAUSE) == "true"


def auto_apply(request: Object) -> bool:
    """Whether plans are applied unseen: the field's default is true in v1beta1 and false in v1alpha1."""
    default = not str(request.get("apiVersion")).endswith("/v1alpha1")
    said_so = at(request, "spec", "autoApply")
    return default if said_so is None else bool(said_so)


def approved(request: Object, plan: Planned) -> bool:
    """Whether *plan* itself was approved, by its hash: an approval never covers another plan."""
    return bool(plan.hash) and plan.hash in (said(request, APPROVE), said(request, ROLLBACK))


def policy(request: Object) -> Policy:
    """What to do when the world changes under a plan that fits the request."""
    return cast("Policy", said(request, REPLAN, "preview"))


def strategy(request: Object) -> Strategy:
    """What to do with a plan that the standing graph cannot be changed into."""
    return cast("Strategy", said(request, STRATEGY, "hold"))


def goes_along(request: Object) -> bool:
    """Whether the graph is to be deleted with the request."""
    return said(request, DELETION, "keep") == "delete"


def steady(since: float, now: float, hold: float) -> bool:
    """Whether a world seen first at *since* has lasted long enough to be planned for."""
    return now - since >= hold


def worth_it(before: Planned, after: Planned, last: float | None, now: float) -> bool:
    """Whether *after* may replace *before* unasked: clearly faster, and not soon after another replacement."""
    rested = last is None or now - last >= AGAIN
    known = before.throughput > 0 and after.throughput > 0
    return rested and known and after.throughput > before.throughput * (1 + UNCERTAIN)
