"""A stand-in for the Dynamo operator in all namespaces: brings every graph to `successful`, and starts no pods."""

from __future__ import annotations

import contextlib
import threading
import time

from tests.cluster.user import GRAPHS
from tests.fakes.api import Api, Refused
from tests.fakes.asked import Object

NEXT = {"": "pending", "pending": "successful"}


class Dynamo:
    """Watches the graphs, and writes their status with a plain update. *idle*: it does nothing for a while.

    *fail*: graphs end in failed instead of successful.
    """

    def __init__(self, api: Api) -> None:
        self.idle = False
        self.fail = False
        self._api = api
        self._closed = threading.Event()
        self._thread = threading.Thread(target=self._run, name="dynamo", daemon=True)

    def start(self) -> None:
        """Begins to watch."""
        self._thread.start()

    def close(self) -> None:
        """Ends with the present watch."""
        self._closed.set()

    def _run(self) -> None:
        while not self._closed.is_set():
            with contextlib.suppress(Refused, OSError):
                for event in self._api.watch(GRAPHS, timeoutSeconds=2):
                    if event["type"] in ("ADDED", "MODIFIED") and not self.idle:
                        self._heard(event["object"])
            time.sleep(0.1)

    def touch(self, graph: Object) -> None:
        """Looks at one graph again: what it heard while idle it has missed."""
        if graph:
            self._heard(graph)

    def _heard(self, graph: Object) -> None:
        status = graph.get("status") or {}
        current = status.get("observedGeneration") == graph["metadata"]["generation"]
        state = NEXT.get(status.get("state", "")) if current else "pending"
        if state is None or graph["metadata"].get("deletionTimestamp"):
            return
        state = "failed" if state == "successful" and self.fail else state
        with contextlib.suppress(Refused):  # gone, or changed meanwhile: the watch tells the newer story
            self._api.replace(GRAPHS, {**graph, "status": report(graph, state)}, "status")


def report(graph: Object, state: str) -> Object:
    """The whole status of *graph* in *state*."""
    ready = state == "successful"
    condition = {
        "type": "Ready",
        "status": "True" if ready else "False",
        "reason": "all_resources_are_ready" if ready else "some_resources_are_not_ready",
        "message": f"the graph is {state}",
        "lastTransitionTime": graph["metadata"]["creationTimestamp"],
    }
    counts = {one["name"]: _counts(one, ready=ready) for one in graph["spec"].get("components") or ()}
    generation = graph["metadata"]["generation"]
    return {"state": state, "observedGeneration": generation, "conditions": [condition], "components": counts}


def _counts(component: Object, *, ready: bool) -> Object:
    wanted = component.get("replicas", 1)
    up = wanted if ready else 0
    named = {"componentKind": "Deployment", "componentNames": [component["name"]]}
    return {**named, "replicas": wanted, "updatedReplicas": wanted, "readyReplicas": up, "availableReplicas": up}
