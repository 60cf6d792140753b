"""A user of the controller: applies requests with kubectl, and looks at what became of them."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any, cast

import yaml
from kubernetes import client, config

from e2e.cluster import Cluster
from e2e.waiting import eventually

ROOT = Path(__file__).resolve().parents[1]
GROUP, VERSION = "nvidia.com", "v1beta1"
REQUESTS, GRAPHS = "dynamographdeploymentrequests", "dynamographdeployments"

Object = dict[str, Any]


def example(number: str, name: str | None = None) -> Object:
    """The request of examples/<number>-*.yaml, under another name if one is given."""
    (path,) = (ROOT / "examples").glob(f"{number}-*.yaml")
    body: Object = yaml.safe_load(path.read_text())
    if name:
        body["metadata"]["name"] = name
    return body


def with_spec(body: Object, **fields: object) -> Object:
    """*body* with other values for some fields of its spec."""
    return {**body, "spec": {**body["spec"], **fields}}


def synced(request: Mapping[str, Any]) -> bool:
    """Whether *request* says that its graph stands as planned."""
    conditions = (request.get("status") or {}).get("conditions") or ()
    return any(one["type"] == "Synced" and one["status"] == "True" for one in conditions)


class User:
    """Someone who may do anything in *namespace*."""

    def __init__(self, cluster: Cluster, namespace: str, api: client.CustomObjectsApi) -> None:
        self.namespace = namespace
        self._cluster = cluster
        self._api = api

    def apply(self, *bodies: Object) -> None:
        """`kubectl apply` of all of them at once; raises KubectlFailed."""
        items = [{**body, "metadata": {**body["metadata"], "namespace": self.namespace}} for body in bodies]
        listed = json.dumps({"apiVersion": "v1", "kind": "List", "items": items})
        self._cluster.kubectl("apply", "--server-side", "--force-conflicts", "-f", "-", input=listed)

    def request(self, name: str) -> Object:
        """The live request."""
        return self._get(REQUESTS, name) or {}

    def status(self, name: str) -> Mapping[str, Any]:
        """The live request's status."""
        return self.request(name).get("status") or {}

    def synced(self, name: str) -> bool:
        """Whether the request says that its graph stands as planned."""
        return synced(self.request(name))

    def message(self, name: str) -> str:
        """What `kubectl get` shows for the request."""
        messages = (c["message"] for c in self.status(name).get("conditions", ()) if c["type"] == "Succeeded")
        return str(next(messages, ""))

    def graph(self, name: str) -> Object | None:
        """The live graph, or None."""
        return self._get(GRAPHS, name)

    def wait_graph(self, name: str, *, pause: float = 0.05, other_than: str = "") -> Object:
        """The live graph as soon as it stands; *other_than*: the uid of one that does not count."""

        def look() -> Object | None:
            found = self.graph(name)
            return found if found and found["metadata"]["uid"] != other_than else None

        return cast("Object", eventually(look, f"the graph {name}", pause=pause))

    def graphs(self) -> list[Object]:
        """All graphs of the namespace."""
        listed = cast("Object", self._api.list_namespaced_custom_object(GROUP, VERSION, self.namespace, GRAPHS))
        return list(listed["items"])

    def wait(self, name: str, phase: str, *, seconds: float = 30.0) -> Mapping[str, Any]:
        """The request's status once it is in *phase*."""
        eventually(lambda: self.status(name).get("phase") == phase, f"{name} to be {phase}", seconds=seconds)
        return self.status(name)

    def patch_graph(self, name: str, changes: Iterable[Mapping[str, object]]) -> None:
        """Edits the graph by a JSON patch."""
        self._cluster.kubectl(
            "-n", self.namespace, "patch", "dgd", name, "--type=json", "-p", json.dumps(list(changes))
        )

    def delete_graph(self, name: str) -> None:
        """Deletes the graph."""
        self._cluster.kubectl("-n", self.namespace, "delete", "dgd", name, "--wait=false")

    def events(self) -> list[str]:
        """The reasons of the Events of the namespace."""
        said = self._cluster.kubectl("-n", self.namespace, "get", "events", "-o", "jsonpath={.items[*].reason}")
        return said.split()

    def _get(self, plural: str, name: str) -> Object | None:
        try:
            found = self._api.get_namespaced_custom_object(GROUP, VERSION, self.namespace, plural, name)
        except client.ApiException as error:
            if error.status == 404:
                return None
            raise
        return cast("Object", found)


@contextmanager
def user_of(cluster: Cluster, namespace: str) -> Iterator[User]:
    """A user while the context lasts."""
    with config.new_client_from_config(config_file=str(cluster.kubeconfig)) as connection:
        yield User(cluster, namespace, client.CustomObjectsApi(connection))
