"""What a DynamoGraphDeployment says about itself: its state, its replicas, its shape. Pure, for both API versions."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

Graph = Mapping[str, Any]


@dataclass(frozen=True, slots=True, kw_only=True)
class State:
    """What the Dynamo operator reports.

    word: initializing, pending, successful or failed, "" before the first report; reason: of its Ready condition;
    why: that and its message; current: the report is about the present spec; rolling: a rolling update is under way.
    """

    word: str
    reason: str
    why: str
    current: bool
    rolling: bool

    @property
    def serving(self) -> bool:
        """Successful, about the present spec, and not in the middle of a change."""
        return self.word == "successful" and self.current and not self.rolling


def state(graph: Graph) -> State:
    """The state of *graph*; a report that does not name a generation counts as current."""
    status = graph.get("status") or {}
    generation = graph["metadata"].get("generation")
    observed = status.get("observedGeneration")
    ready: Mapping[str, Any] = next((c for c in status.get("conditions") or () if c.get("type") == "Ready"), {})
    return State(
        word=status.get("state") or "",
        reason=str(ready.get("reason") or ""),
        why=": ".join(filter(None, (ready.get("reason"), ready.get("message")))),
        current=observed is None or observed == generation,
        rolling=(status.get("rollingUpdate") or {}).get("phase") in ("Pending", "InProgress"),
    )


def replicas(graph: Graph) -> tuple[int, int]:
    """Replicas wanted and available, summed over the components; as the spec wants them before the first report."""
    status = graph.get("status") or {}
    reported = (status.get("components") or status.get("services") or {}).values()
    if not reported:
        return sum(int(component.get("replicas", 1)) for component in components(graph).values()), 0
    return sum(c.get("replicas") or 0 for c in reported), sum(_available(c) for c in reported)


def _available(component: Mapping[str, Any]) -> int:
    """Some component kinds report only ready replicas."""
    return int(component.get("availableReplicas", component.get("readyReplicas")) or 0)


def components(graph: Graph) -> dict[str, Mapping[str, Any]]:
    """The components by name: a list in v1beta1, a map called services in v1alpha1."""
    spec = graph.get("spec") or {}
    listed = {component["name"]: component for component in spec.get("components") or ()}
    return listed or dict(spec.get("services") or {})


def obstacle(live: Graph, planned: Graph) -> str | None:
    """Why *live* cannot be changed into *planned* in place, or None: names, engine and node layout are fixed."""
    if live["metadata"]["name"] != planned["metadata"]["name"]:
        return f"the plan is called {planned['metadata']['name']}"
    before, after = components(live), components(planned)
    if before.keys() != after.keys():
        return f"the plan has the components {', '.join(after)} instead of {', '.join(before)}"
    engines = [graph["spec"].get("backendFramework") for graph in (live, planned)]
    if engines[0] and engines[0] != engines[1]:
        return f"the plan runs {engines[1]} instead of {engines[0]}"
    changed = [name for name in after if spans_nodes(before[name]) != spans_nodes(after[name])]
    return f"{', '.join(changed)} would change between one node and several" if changed else None


def spans_nodes(component: Mapping[str, Any]) -> bool:
    """Whether a worker of *component* takes more than one node."""
    return ((component.get("multinode") or {}).get("nodeCount") or 1) > 1
