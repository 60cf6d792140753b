"""The recorded plan: how a plan is stamped with the request it was made for, and recognised again. Pure."""

import json
from collections.abc import Mapping, Sequence
from hashlib import sha256
from typing import Any

from dgdr_operator.controller.world import DRIFT, Object, World
from dgdr_operator.request import OWN
from dgdr_operator.status import Planned, Type

REQUEST_HASH = f"{OWN}/request-hash"
COMPANIONS = f"{OWN}/companions"
"""Annotation of a graph: the objects that its pods mount, as JSON. The recorded plan is complete with it."""
NOT_PLANNED_BY = frozenset({DRIFT, f"{OWN}/deletion-policy"})
"""Our annotations that do not change what is planned."""


def request_hash(request: Object) -> str:
    """A digest of everything a user says that a plan depends on; autoApply does not change a plan."""
    spec = request.get("spec")
    if isinstance(spec, Mapping) and isinstance(spec.get("autoApply"), bool):
        spec = {name: value for name, value in spec.items() if name != "autoApply"}
    annotations = request["metadata"].get("annotations") or {}
    ours = {name: value for name, value in annotations.items() if name.startswith(OWN) and name not in NOT_PLANNED_BY}
    said = json.dumps([request.get("apiVersion"), spec, ours], sort_keys=True, default=str)
    return sha256(said.encode()).hexdigest()[:16]


def stamped(graph: Object, digest: str) -> dict[str, Any]:
    """*graph* with the request it was planned for, so that a restart knows the plan to be still the right one."""
    return annotated(graph, REQUEST_HASH, digest)


def accompanied(graph: Object, companions: Sequence[Object]) -> Object:
    """*graph*, remembering the *companions* that have to be there before it."""
    return annotated(graph, COMPANIONS, json.dumps(companions, sort_keys=True)) if companions else graph


def companions(graph: Object) -> list[dict[str, Any]]:
    """The objects that *graph* remembers; none if somebody garbled the memory."""
    try:
        found = json.loads(_annotations(graph).get(COMPANIONS, "[]"))
    except ValueError:
        return []
    return found if isinstance(found, list) else []


def annotated(graph: Object, name: str, value: str) -> dict[str, Any]:
    """*graph* with one more annotation."""
    metadata = graph["metadata"]
    return {**graph, "metadata": {**metadata, "annotations": {**_annotations(graph), name: value}}}


def recorded(request: Object) -> Planned | None:
    """The plan that the status holds for exactly this request; then nothing needs to be computed."""
    world = World(request=request)
    graph = world.recorded_graph
    summary, fabric = world.condition(Type.PROFILING), world.condition(Type.FABRIC_READY)
    if not graph or not summary or not fabric or _annotations(graph).get(REQUEST_HASH) != request_hash(request):
        return None
    verdict = (fabric["status"] == "True", fabric["reason"], fabric["message"])
    return Planned(graph=graph, summary=summary["message"], fabric=verdict)


def same_plan(graph: Object, plan: Planned) -> bool:
    """Whether *graph* was made for this very plan, so that differences are somebody else's."""
    live, planned = _annotations(graph), _annotations(plan.graph)
    return all(live.get(name) == value for name, value in planned.items() if name.startswith(f"{OWN}/"))


def _annotations(graph: Object) -> Mapping[str, str]:
    return graph.get("metadata", {}).get("annotations") or {}
