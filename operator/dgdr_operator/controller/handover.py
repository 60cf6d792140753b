"""One graph takes over from another: what the new one is called, and which one is old. Pure.

The new graph's name is recorded before it is made, together with the name of the one it replaces; from then until the
old one is gone, exactly these two stand.
"""

import json
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

from dgdr_operator.controller import graphs, recall
from dgdr_operator.controller.world import Object, World
from dgdr_operator.planned import Planned
from dgdr_operator.request import OWN

REPLACES = f"{OWN}/replaces"
"""Annotation of a graph: the name of the one it takes over from."""
PLANNED_NAME = f"{OWN}/planned-name"
"""Annotation of a graph that took over: what it would be called if it were the first."""
SET_NAME = 45
"""Characters that a graph's and a component's name may have together (Grove's pod clique sets)."""
SUFFIX = 5
GPU_KEYS = ("nvidia.com/gpu", "gpu")


def successor(plan: Planned, standing: Object) -> Planned:
    """*plan* beside the graph *standing*: under a name of its own, unless the user gave it another one anyway."""
    base, before = _annotations(plan.graph).get(PLANNED_NAME, plan.name), standing["metadata"]["name"]
    if base != _annotations(standing).get(PLANNED_NAME, before):
        return replace(plan, graph=recall.annotated(plan.graph, REPLACES, before))
    room = SET_NAME - _budget(plan.graph) - SUFFIX - 1
    name = f"{base[:room].rstrip('-')}-{(plan.hash or recall.plan_hash(plan.graph))[:SUFFIX]}"
    if name == before:
        name = f"{base[: room - 2].rstrip('-')}-2-{name[-SUFFIX:]}"
    named = _renamed(plan.graph, name)
    marked = recall.annotated(named, PLANNED_NAME, base)
    return replace(plan, graph=recall.annotated(marked, REPLACES, before))


def settled(plan: Planned, standing: Object, old: Object | None) -> Planned:
    """*plan* under the name of the graph *standing*, where both would have the same one if they were the first.

    The plan may be a new one, or one of the history, made when the graph had another name.
    """
    known, planned = _annotations(standing), _annotations(plan.graph)
    if not standing or plan.name == standing["metadata"]["name"]:
        return plan
    name = str(standing["metadata"]["name"])
    if known.get(PLANNED_NAME, name) != planned.get(PLANNED_NAME, plan.name):
        return plan
    graph = _renamed(plan.graph, name)
    kept = {key: value for key, value in _annotations(graph).items() if key not in (PLANNED_NAME, REPLACES)}
    kept |= {PLANNED_NAME: known[PLANNED_NAME]} if PLANNED_NAME in known else {}
    kept |= {REPLACES: known[REPLACES]} if old and REPLACES in known else {}
    return replace(plan, graph={**graph, "metadata": {**graph["metadata"], "annotations": kept}})


def replaced(graph: Object) -> str | None:
    """The name of the graph that *graph* takes over from."""
    return _annotations(graph).get(REPLACES)


def pair(world: World, named: Object | None, ours: Sequence[Object]) -> tuple[Object | None, Object | None]:
    """The graph that the request of *world* means, and the one that it takes over from while that stands.

    named: the graph under the recorded name, or under the planned one where none is recorded; ours: all graphs that
    name the request. A status that was wiped names none: then it is the one that no other takes over from.
    """
    recorded = world.recorded_graph
    leaving = replaced(recorded) if recorded else None
    graph = named if named and world.recorded_name else _newest(ours, leaving) or named
    before = replaced(graph) if graph else leaving
    return graph, next((one for one in ours if one["metadata"]["name"] == before), None)


def _newest(ours: Sequence[Object], leaving: str | None) -> Object | None:
    names = {replaced(graph) for graph in ours} | {leaving}
    return next((graph for graph in ours if graph["metadata"]["name"] not in names), None)


def gpus(graph: Object) -> int:
    """GPUs that all pods of *graph* ask for."""
    return sum(_gpus(component) for component in graphs.components(graph).values())


def _gpus(component: Mapping[str, Any]) -> int:
    pods = int(component.get("replicas", 1)) * int((component.get("multinode") or {}).get("nodeCount", 1))
    template = (component.get("podTemplate") or {}).get("spec") or {}
    containers = [*(template.get("containers") or ()), component]
    limits = [((one.get("resources") or {}).get("limits") or {}) for one in containers]
    return pods * sum(int(limit[key]) for limit in limits for key in GPU_KEYS if str(limit.get(key, "")).isdigit())


def _budget(graph: Object) -> int:
    """Characters that the longest component leaves of a set's name; one over several nodes appears twice."""
    parts = graphs.components(graph).items()
    return max((2 * len(name) + 4 if graphs.spans_nodes(one) else len(name) for name, one in parts), default=0)


def _renamed(graph: Object, name: str) -> Object:
    """*graph* as *name*, its companions renamed along: two graphs never share one."""
    before = str(graph["metadata"]["name"])
    texts = {one["metadata"]["name"] for one in recall.companions(graph)}
    written = json.dumps({"spec": graph.get("spec"), "companions": recall.companions(graph)})
    for companion in sorted(texts):
        written = written.replace(json.dumps(companion), json.dumps(companion.replace(before, name, 1)))
    moved = json.loads(written)
    body = {**graph, "spec": moved["spec"], "metadata": {**graph["metadata"], "name": name}}
    return recall.accompanied(body, moved["companions"])


def _annotations(graph: Object) -> Mapping[str, str]:
    return (graph.get("metadata") or {}).get("annotations") or {}
