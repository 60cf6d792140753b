"""Whose request is it? Ours, the platform's own controller's with us as its planner, or nobody's business. Pure.

Two writers of one status corrupt it, and the platform's controller cannot be told to leave a request alone. So we own
requests only where it does not act, and else plan for those that say, when they are created, that we may.
"""

from dataclasses import dataclass
from typing import Literal

from dgdr_operator.controller.world import Object, at, is_ours
from dgdr_operator.request import OWN

MODE = f"{OWN}/mode"
FINALIZER = "nvidia.com/finalizer"
"""What the platform's controller puts on every request that it works on."""
MANAGED = ("nvidia.com/managed-by", "dgdr-operator")
"""Label of the graphs that we made ourselves."""

Mode = Literal["auto", "owner", "plugin"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Role:
    """What we are to a request.

    owner: we reconcile it; planner: we answer the platform's controller; apart: we leave it alone; frozen: we made its
    graph, and now the platform's controller is there too. why: for people, "" where there is nothing to tell.
    """

    kind: Literal["owner", "planner", "apart", "frozen"]
    why: str = ""


def role(request: Object, mode: Mode, graph: Object | None, *, upstream: bool) -> Role:
    """What we are to *request*; *upstream*: whether the platform's controller is at work in this cluster."""
    said = (request["metadata"].get("annotations") or {}).get(MODE, "auto")
    wanted = said if said in ("owner", "plugin") else mode
    if said == "ignore":
        return Role(kind="apart")
    foreign = _foreign(request)
    if wanted == "owner" or (wanted == "auto" and not upstream and not foreign):
        return _frozen(foreign) if foreign else Role(kind="owner")
    if graph is not None and _made_by_us(graph, request):
        return _frozen(foreign or "the platform's own controller is active in this cluster")
    if _without_pods(request):
        return Role(kind="planner")
    asked = "overrides.profilingJob needs completions 0 and parallelism 0 when the request is created"
    return Role(kind="apart", why=f"{MODE} is plugin, but {asked}" if said == "plugin" else "")


def _frozen(foreign: str) -> Role:
    return Role(kind="frozen", why=f"left as it is: {foreign}")


def _foreign(request: Object) -> str:
    """The sign that the platform's controller works on *request*, or ""."""
    if FINALIZER in (request["metadata"].get("finalizers") or ()):
        return f"the platform's own controller works on it (finalizer {FINALIZER})"
    job = (request.get("status") or {}).get("profilingJobName")
    return f"the platform's own controller works on it (Job {job})" if job else ""


def _made_by_us(graph: Object, request: Object) -> bool:
    labels = graph["metadata"].get("labels") or {}
    return is_ours(graph, request) and labels.get(MANAGED[0]) == MANAGED[1]


def _without_pods(request: Object) -> bool:
    return bool(at(request, "spec", "overrides", "profilingJob", "completions") == 0)
