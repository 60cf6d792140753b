"""A stand-in for the Dynamo operator: moves graphs through the states that the real one reports, and starts no pods."""

from __future__ import annotations

import threading
from typing import Any

from kubernetes import client, config, watch

from e2e.cluster import Identity

GROUP, PLURAL = "nvidia.com", "dynamographdeployments"
NEXT = {"": "initializing", "initializing": "pending", "pending": "successful"}
REASONS = {"successful": "all_resources_are_ready", "failed": "some_resources_are_not_ready"}

Graph = dict[str, Any]

# The client package types its models and its calls, but not these two.
connect: Any = config.new_client_from_config
Watch: Any = watch.Watch


class DynamoOperator:
    """Watches the graphs of one namespace and writes their status with a plain update, as the real operator does.

    *slow*: seconds between one state and the next. *fail*: graphs end in failed instead of successful. Both may be
    changed while it runs.
    """

    def __init__(self, identity: Identity, namespace: str, version: str) -> None:
        self.slow = 0.0
        self.fail = False
        self.version = version
        self._place = (GROUP, version, namespace, PLURAL)
        self._counts_key = "components" if version == "v1beta1" else "services"
        connection = connect(config_file=str(identity.kubeconfig))
        self._api = client.CustomObjectsApi(connection)
        self._closed = threading.Event()
        self._thread = threading.Thread(target=self._run, name="dynamo-operator", daemon=True)

    def start(self) -> None:
        """Begins to watch."""
        self._thread.start()

    def stop(self) -> None:
        """Ends the watch, within about a second."""
        self._closed.set()
        self._thread.join()
        self._api.api_client.close()

    def _run(self) -> None:
        while not self._closed.is_set():
            for event in Watch().stream(self._api.list_namespaced_custom_object, *self._place, timeout_seconds=1):
                if event["type"] in ("ADDED", "MODIFIED"):
                    self._heard(event["object"])

    def _heard(self, graph: Graph) -> None:
        state = self.next_state(graph)
        if state is not None:
            timer = threading.Timer(self.slow, self._write, (graph, state))
            timer.daemon = True
            timer.start()

    def next_state(self, graph: Graph) -> str | None:
        """The state that follows what *graph* reports; None when it has arrived. A new generation starts over."""
        status = graph.get("status", {})
        current = status.get("observedGeneration") == graph["metadata"]["generation"]
        state = NEXT.get(status.get("state", "")) if current else "initializing"
        return "failed" if state == "successful" and self.fail else state

    def _write(self, graph: Graph, state: str) -> None:
        name = graph["metadata"]["name"]
        try:
            self._api.replace_namespaced_custom_object_status(
                *self._place, name, {**graph, "status": self.status(graph, state)}
            )
        except client.ApiException as error:
            if error.status not in (404, 409):  # gone, or changed meanwhile: the watch tells the newer story
                raise

    def status(self, graph: Graph, state: str) -> dict[str, Any]:
        """The whole status of *graph* in *state*; fields and reasons as in the kind's own definition."""
        ready = state == "successful"
        condition = {
            "type": "Ready",
            "status": "True" if ready else "False",
            "reason": REASONS.get(state, "pods_not_ready"),
            "message": f"the graph is {state}",
            "lastTransitionTime": graph["metadata"]["creationTimestamp"],
        }
        counts = {name: self._counts(name, wanted, ready=ready) for name, wanted in self._components(graph).items()}
        return {
            "state": state,
            "observedGeneration": graph["metadata"]["generation"],
            "conditions": [condition],
            self._counts_key: counts,
        }

    def _components(self, graph: Graph) -> dict[str, int]:
        if self._counts_key == "services":
            return {name: service.get("replicas", 1) for name, service in graph["spec"].get("services", {}).items()}
        return {component["name"]: component.get("replicas", 1) for component in graph["spec"].get("components", [])}

    def _counts(self, name: str, wanted: int, *, ready: bool) -> dict[str, Any]:
        up = wanted if ready else 0
        named = {"componentName": name} if self._counts_key == "services" else {"componentNames": [name]}
        kind = {"componentKind": "Deployment", **named}
        return {**kind, "replicas": wanted, "updatedReplicas": wanted, "readyReplicas": up, "availableReplicas": up}
