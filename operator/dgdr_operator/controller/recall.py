"""The recorded plan: how a plan is stamped with the request it was made for, and recognised again. Pure."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict, replace
from hashlib import sha256
from typing import Any

from dgdr_operator import __version__
from dgdr_operator.controller.world import DRIFT, Object, World
from dgdr_operator.inventory import Inventory
from dgdr_operator.planned import PLAN, Planned
from dgdr_operator.request import OWN
from dgdr_operator.settings import Settings
from dgdr_operator.status import Type

INPUTS_HASH = f"{OWN}/inputs-hash"
"""Annotation of the graph: equal hashes, equal plans. It makes every other plan a change that apply carries out whole,
fields that the new plan no longer has included."""
REQUEST_HASH = f"{OWN}/request-hash"
COMPANIONS = f"{OWN}/companions"
"""Annotation of a graph: the objects that its pods mount, as JSON. The recorded plan is complete with it."""
WORLD_HASH = f"{OWN}/world-hash"
"""Annotation of a graph: a digest of the nodes and the release that its plan was made for."""
NOT_PLANNED_BY: Mapping[str, frozenset[str]] = {
    DRIFT: frozenset({"correct", "report", "ignore"}),
    f"{OWN}/deletion-policy": frozenset({"keep", "delete"}),
    f"{OWN}/mode": frozenset({"auto", "owner", "plugin", "ignore"}),
    f"{OWN}/pause": frozenset({"true", "false"}),
    f"{OWN}/replan-policy": frozenset({"preview", "never", "auto"}),
    f"{OWN}/replan-strategy": frozenset({"hold", "blue-green", "recreate"}),
}
"""Our annotations that do not change what is planned, with their words; any other word has to be complained about."""
NAMING = frozenset({f"{OWN}/approve", f"{OWN}/rollback"})
"""Our annotations that name a plan: they change which one is used, and not what is planned."""


def request_hash(request: Object) -> str:
    """A digest of everything a user says that a plan depends on; autoApply does not change a plan."""
    spec = request.get("spec")
    if isinstance(spec, Mapping) and isinstance(spec.get("autoApply"), bool):
        spec = {name: value for name, value in spec.items() if name != "autoApply"}
    annotations = request["metadata"].get("annotations") or {}
    ours = {name: value for name, value in annotations.items() if name.startswith(OWN) and _counts(name, value)}
    said = json.dumps([request.get("apiVersion"), spec, ours], sort_keys=True, default=str)
    return sha256(said.encode()).hexdigest()[:16]


def _counts(name: str, value: object) -> bool:
    return name not in NAMING and not (isinstance(value, str) and value in NOT_PLANNED_BY.get(name, ()))


def stamped(graph: Object, digest: str, world: str = "") -> dict[str, Any]:
    """*graph* with its plan's hash and with what it was planned for: the request, and the *world* where that is known.

    A restart knows by them that the plan is still the right one.
    """
    named = annotated(annotated(graph, PLAN, plan_hash(graph)), REQUEST_HASH, digest)
    return annotated(named, WORLD_HASH, world) if world else named


def plan_hash(graph: Object) -> str:
    """A digest of what would run: equal for equal graphs, whatever they were planned for."""
    what = [graph.get("apiVersion"), graph.get("spec"), [one.get("data") for one in companions(graph)]]
    return sha256(json.dumps(what, sort_keys=True).encode()).hexdigest()[:10]


def release(settings: Settings) -> str:
    """A digest of our version, the measurements that come with it, and how we are set."""
    return sha256(json.dumps([__version__, asdict(settings)], sort_keys=True).encode()).hexdigest()[:10]


def world_hash(nodes: Inventory | None, release: str) -> str:
    """A digest of what a plan rests on besides the request: the nodes, free or not, and our own *release*."""
    seen = nodes.supply if nodes else ""
    return sha256(json.dumps([seen, release], sort_keys=True).encode()).hexdigest()[:10]


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
    plan = remembered(request)
    if plan is None or _annotations(plan.graph).get(REQUEST_HASH) != request_hash(request):
        return None
    refused_by_namespace = plan.fabric[1] == "PodSecurity"  # stands where the plan's own word on its fabric stood
    return None if refused_by_namespace else plan


def remembered(request: Object) -> Planned | None:
    """The plan that the status holds, whatever it was made for."""
    world = World(request=request)
    graph = world.recorded_graph
    summary, fabric = world.condition(Type.PROFILING), world.condition(Type.FABRIC_READY)
    if not graph or not summary or not fabric:
        return None
    verdict = (fabric["status"] == "True", fabric["reason"], fabric["message"])
    return at_home(Planned(graph=graph, summary=summary["message"], fabric=verdict), request)


def at_home(plan: Planned, request: Object) -> Planned:
    """*plan* in the namespace of *request*, whatever the place where it was kept made of it."""
    home, metadata = request["metadata"].get("namespace"), plan.graph.get("metadata") or {}
    if metadata.get("namespace", home) == home:
        return plan
    return replace(plan, graph={**plan.graph, "metadata": {**metadata, "namespace": home}})


def made_for(graph: Object) -> str:
    """The digest of the world that *graph* was planned in; "" where it does not say."""
    return str(_annotations(graph).get(WORLD_HASH, ""))


def same_plan(graph: Object, plan: Planned) -> bool:
    """Whether *graph* was made for this very plan, so that differences are somebody else's."""
    live, planned = _annotations(graph), _annotations(plan.graph)
    return all(live.get(name) == value for name, value in planned.items() if name.startswith(f"{OWN}/"))


def _annotations(graph: Object) -> Mapping[str, str]:
    return graph.get("metadata", {}).get("annotations") or {}
