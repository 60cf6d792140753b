"""Requests, plans and graphs as small as they can be, and a world that does as it is told, for the laws of deciding."""

from __future__ import annotations

import copy
import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

from dgdr_operator.controller import decide, handover, recall, review
from dgdr_operator.controller.answers import Answer
from dgdr_operator.controller.safety import Gap
from dgdr_operator.controller.world import (
    Action,
    Announce,
    ApplyGraph,
    ApplyRecord,
    ApplyStatus,
    DeleteGraph,
    LookAgain,
    Trouble,
    World,
    is_ours,
)
from dgdr_operator.planned import Planned

Object = dict[str, Any]

NAMESPACE, NAME, GRAPH = "team", "chat", "chat-dgd"
NOW = "2026-01-01T00:00:00Z"


def request(*, generation: int = 1, annotations: Mapping[str, str] | None = None, auto_apply: bool = True) -> Object:
    """A request without a status."""
    metadata = {"name": NAME, "namespace": NAMESPACE, "uid": "u-1", "generation": generation}
    return {
        "apiVersion": "nvidia.com/v1beta1",
        "kind": "DynamoGraphDeploymentRequest",
        "metadata": {**metadata, "annotations": dict(annotations or {})},
        "spec": {"model": "a/model", "autoApply": auto_apply, "workload": {"isl": 1000 * generation}},
    }


def component(name: str, replicas: int) -> Object:
    """One component of a graph."""
    main = {"name": "main", "image": "engine:1.2.3", "args": ["--tp", "2"], "env": [{"name": "HF_HOME", "value": "/m"}]}
    return {"name": name, "replicas": replicas, "podTemplate": {"spec": {"containers": [main]}}}


def graph(
    *,
    name: str = GRAPH,
    replicas: int = 2,
    workers: Iterable[str] = ("worker",),
    engine: str = "vllm",
    owner: str = NAME,
) -> Object:
    """A planned graph, as small as the controller's interest in it."""
    labels = {"dgdr.nvidia.com/namespace": NAMESPACE, "dgdr.nvidia.com/name": owner}
    annotations = {"dgdr-operator.io/inputs-hash": f"{engine}-{replicas}"}
    components = [component("Frontend", 1), *(component(worker, replicas) for worker in workers)]
    return {
        "apiVersion": "nvidia.com/v1beta1",
        "kind": "DynamoGraphDeployment",
        "metadata": {"name": name, "namespace": NAMESPACE, "labels": labels, "annotations": annotations},
        "spec": {"backendFramework": engine, "components": components},
    }


def as_json(value: object) -> str:
    """*value* as an annotation holds it."""
    return json.dumps(value)


def planned(body: Object, for_request: Object, summary: str = "agg tp2 x4") -> Planned:
    """The answer that plans *body* for *for_request*."""
    stamped = recall.stamped(body, recall.request_hash(for_request))
    return Planned(graph=stamped, summary=summary, fabric=(True, "NotRequired", "no RDMA needed"))


@dataclass
class Model:
    """What stands in the cluster, and the rules of the API server that matter here."""

    request: Object = field(default_factory=request)
    standing: dict[str, Object] = field(default_factory=dict)
    trouble: Trouble | None = None
    pending: Planned | None = None
    room: int | None = None
    held: tuple[str, str] | None = None
    unheeded: frozenset[str] = frozenset()
    gaps: tuple[Gap, ...] = ()
    records: list[ApplyRecord] = field(default_factory=list)
    told: list[Announce] = field(default_factory=list)
    phases: list[str] = field(default_factory=list)

    @property
    def graph(self) -> Object | None:
        """The graph of the status, or the only one that stands."""
        named = self.standing.get(self.status.get("dgdName") or GRAPH)
        return named or next(iter(self.standing.values()), None)

    @graph.setter
    def graph(self, body: Object | None) -> None:
        self.standing = {} if body is None else {body["metadata"]["name"]: body}

    @property
    def status(self) -> Mapping[str, Any]:
        """The request's status."""
        found: Mapping[str, Any] = self.request.get("status") or {}
        return found

    @property
    def phase(self) -> str | None:
        """The request's phase."""
        return self.status.get("phase")

    def condition(self, kind: str) -> Mapping[str, Any]:
        """One condition of the status."""
        return next(c for c in self.status["conditions"] if c["type"] == kind)

    def world(self, answer: Answer) -> World:
        """What the controller would find: the graph under its name, or one that is ours; and the one it replaces."""
        alone = World(request=self.request)
        named = self.standing.get(decide.graph_name(self.request, answer) or "")
        ours = [body for _, body in sorted(self.standing.items()) if is_ours(body, self.request)]
        graph, old = handover.pair(alone, named, ours)
        return World(
            request=self.request,
            graph=graph,
            trouble=self.trouble,
            old=old,
            pending=self.pending,
            room=self.room,
            held=self.held,
            unheeded=self.unheeded,
            gaps=self.gaps,
        )

    def decide(self, answer: Answer) -> list[Action]:
        """What the controller would do now."""
        return decide.actions(self.world(answer), answer, NOW)

    def perform(self, action: Action) -> None:
        """The effect of one action."""
        match action:
            case ApplyStatus(status=status):
                self.request = {**self.request, "status": copy.deepcopy(dict(status))}
                self.phases.append(status["phase"])
            case ApplyGraph(graph=body):
                self._apply(copy.deepcopy(dict(body)))
            case ApplyRecord():
                self.records.append(action)
            case DeleteGraph(graph=body):
                del self.standing[body["metadata"]["name"]]
            case Announce():
                self.told.append(action)

    def _apply(self, body: Object) -> None:
        name = body["metadata"]["name"]
        before = self.standing.get(name, {})
        kept: Object = {"generation": before.get("metadata", {}).get("generation", 0) + 1, "uid": f"u-{name}"}
        if review.goes_along(self.request):
            kept["ownerReferences"] = [{"uid": self.request["metadata"]["uid"]}]
        status = {"status": before["status"]} if "status" in before else {}
        self.standing[name] = {**body, "metadata": {**body["metadata"], **kept}, **status}

    def settle(self, answer: Answer, rounds: int = 6) -> int:
        """Decides and acts until nothing is left to do; answers with the number of rounds that took."""
        for count in range(rounds):
            wanted = [action for action in self.decide(answer) if not isinstance(action, LookAgain)]
            if not wanted:
                return count
            for action in wanted:
                self.perform(action)
        message = f"no rest after {rounds} rounds: {self.decide(answer)}"
        raise AssertionError(message)

    def serve(self, plan: Planned) -> None:
        """The graph of *plan* is made, begins to serve, and that is told."""
        self.settle(plan)
        self.report("successful")
        self.settle(plan)

    def delete_graph(self) -> None:
        """Somebody deletes it by hand."""
        self.graph = None

    def report(self, state: str, *, current: bool = True, rolling: bool = False) -> None:
        """The Dynamo operator writes the graph's status."""
        assert self.graph is not None
        generation = self.graph["metadata"]["generation"]
        ready = {"type": "Ready", "status": "True" if state == "successful" else "False", "reason": "because"}
        counts = {"worker": {"replicas": 2, "availableReplicas": 2 if state == "successful" else 0}}
        self.graph["status"] = {
            "state": state,
            "observedGeneration": generation if current else generation - 1,
            "conditions": [ready],
            "components": counts,
            **({"rollingUpdate": {"phase": "InProgress"}} if rolling else {}),
        }


def served(model: Model) -> Model:
    """*model* when its graph serves and nothing is left to tell."""
    model.serve(planned(graph(), model.request))
    model.told.clear()
    return model


def edited(model: Model, body: Object) -> Planned:
    """The user edits the spec, and *body* is what is planned for it."""
    generation = model.request["metadata"]["generation"] + 1
    annotations, auto_apply = model.request["metadata"]["annotations"], model.request["spec"]["autoApply"]
    fresh = request(generation=generation, annotations=annotations, auto_apply=auto_apply)
    model.request = {**fresh, "status": model.status}
    return planned(body, model.request)
