"""A replica behind a chaos proxy, a stand-in for Dynamo, a witness, and somebody who asks for things."""

from __future__ import annotations

import copy
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Any, Literal

import pytest
import yaml

from dgdr_operator.controller import covers
from e2e.upstream import WITHOUT_PODS, Upstream, at_work, output_name
from e2e.waiting import eventually
from tests.cluster.stage.dynamo import Dynamo
from tests.cluster.stage.ground import Ground
from tests.cluster.stage.replica import HURRY, Replica
from tests.cluster.stage.witness import Witness
from tests.cluster.user import GRAPHS, REQUESTS
from tests.fakes.api import Api
from tests.fakes.asked import Asked, Fault, FaultHook, Json, Object
from tests.fakes.proxy import Proxy

PATIENCE = 60.0
"""Seconds until a test gives up, on a machine that does other things as well."""
SLACK = 4.0
"""How much longer than promised the always-run tests let things take: a busy machine breaks no promise of ours."""
SPEC: Object = {
    "model": "Qwen/Qwen3-32B-FP8",
    "backend": "vllm",
    "hardware": {"gpuSku": "h200_sxm", "totalGpus": 8, "numGpusPerNode": 8},
}
PLUGGABLE: Object = {"profilingJob": WITHOUT_PODS}
"""Overrides of a request that we may plan for the platform's own controller."""
Mode = Literal["auto", "owner", "plugin"]


def in_modes(*modes: Mode) -> pytest.MarkDecorator:
    """Plays a test once in each of *modes*; without it a test is played in auto, where the platform is not seen."""
    return pytest.mark.parametrize("cast", modes, indirect=True)


@dataclass(frozen=True, slots=True, kw_only=True)
class Cast:
    """Who lives through all tests of a session: the ground, and those who work on it.

    mode: what the replica is told to be; platform: the platform's own controller, at work in the mode plugin.
    """

    ground: Ground
    mode: Mode
    platform: Upstream | None
    proxy: Proxy
    replica: Replica
    dynamo: Dynamo
    witness: Witness
    folder: Path

    def another(self, proxy: Proxy, *flags: str, **hurry: float) -> Replica:
        """One more replica, behind *proxy*; hurry: more waits made short, by room and constant: `lease__DURATION`."""
        changes = {name.replace("__", "."): value for name, value in hurry.items()}
        told = (f"--mode={self.mode}", *flags)
        return Replica(self.folder, proxy.url, self.ground.token, told, {**HURRY, **changes})


@dataclass(slots=True)
class Stage:
    """What one test plays on: its own namespace, and the cast."""

    cast: Cast
    namespace: str
    began: float = field(default_factory=time.monotonic)

    @property
    def api(self) -> Api:
        """The API server, past the proxy."""
        return self.cast.ground.api

    @property
    def proxy(self) -> Proxy:
        """What stands between the replica and the API server."""
        return self.cast.proxy

    @property
    def replica(self) -> Replica:
        """The controller."""
        return self.cast.replica

    @property
    def plugin(self) -> bool:
        """Whether the platform's own controller reconciles, and asks the replica for plans."""
        return self.cast.mode == "plugin"

    @contextmanager
    def alone(self, **hurry: float) -> Iterator[Replica]:
        """A replica that looks at this namespace only, in the place of the usual one; *hurry* as for `another`."""
        self.replica.stop()
        replica = self.cast.another(self.proxy, "--namespace", self.namespace, **hurry)
        try:
            replica.start()
            yield replica
            assert replica.faults() == []
        finally:
            replica.close()

    @contextmanager
    def visited(self) -> Iterator[None]:
        """The platform's own controller is at work in this namespace, for a while."""
        with at_work(self.api, self.namespace, finishes=self.cast.ground.which == "fake") as platform:
            yield
        assert platform.faults == []

    def ask(
        self, name: str = "chat", *, namespace: str = "", annotations: Mapping[str, str] | None = None, **spec: Json
    ) -> Object:
        """Applies a request that is feasible unless *spec* says otherwise, in the mode plugin one that asks for us."""
        if self.plugin:
            spec = {"overrides": PLUGGABLE, **spec}
        metadata = {"name": name, "namespace": namespace or self.namespace, "annotations": dict(annotations or {})}
        body = {"apiVersion": "nvidia.com/v1beta1", "kind": "DynamoGraphDeploymentRequest", "metadata": metadata}
        return self.api.apply(REQUESTS, {**body, "spec": {**copy.deepcopy(SPEC), **spec}})

    def request(self, name: str = "chat", namespace: str = "") -> Object:
        """The live request, {} where there is none."""
        return self.api.get(REQUESTS, namespace or self.namespace, name) or {}

    def status(self, name: str = "chat", namespace: str = "") -> Mapping[str, Any]:
        """Its status."""
        return self.request(name, namespace).get("status") or {}

    def phase(self, name: str = "chat") -> str:
        """Its phase."""
        return str(self.status(name).get("phase", ""))

    def condition(self, name: str, kind: str) -> Mapping[str, Any]:
        """One of its conditions."""
        return next((one for one in self.status(name).get("conditions", ()) if one["type"] == kind), {})

    def graph(self, name: str = "chat", namespace: str = "") -> Object | None:
        """The graph that the request's status names."""
        named = self.status(name, namespace).get("dgdName")
        return self.api.get(GRAPHS, namespace or self.namespace, named) if named else None

    def graphs(self, namespace: str = "") -> list[Object]:
        """All graphs of the namespace."""
        found: list[Object] = self.api.list(GRAPHS, namespace or self.namespace)["items"]
        return found

    def answer(self, name: str = "chat") -> Mapping[str, str]:
        """What the replica handed to the platform's own controller, {} before it did."""
        found = self.api.get("configmaps", self.namespace, output_name({"metadata": {"name": name}})) or {}
        return found.get("data") or {}

    def reasons(self) -> list[str]:
        """The reasons of the namespace's Events."""
        return [event["reason"] for event in self.api.list("events", self.namespace)["items"]]

    def eventually(self, look: Callable[[], Any], what: str, seconds: float = PATIENCE) -> Any:  # noqa: ANN401 - whatever is looked at
        """Waits until *look* answers something true."""
        return eventually(look, what, seconds=seconds)

    def until(self, phase: str, name: str = "chat", seconds: float = PATIENCE) -> Mapping[str, Any]:
        """Waits until the request is in *phase*, and answers with its status."""
        self.eventually(lambda: self.phase(name) == phase, f"{name} to be {phase}", seconds)
        return self.status(name)

    def until_frozen(self, name: str = "chat") -> None:
        """Waits until the replica leaves the request, which it served, to the platform's own controller."""
        self.eventually(lambda: self.condition(name, "Synced").get("reason") == "ForeignController", f"{name} frozen")

    def right(self, name: str = "chat", namespace: str = "") -> bool:
        """Whether the world is as the request wants it: P2's model."""
        status, graph = self.status(name, namespace), self.graph(name, namespace)
        if graph is None or status.get("phase") != "Deployed":
            return False
        wanted = (status.get("profilingResults") or {}).get("selectedConfig") or {}
        if self.plugin and _planned(self.answer(name)) != wanted.get("spec"):
            return False
        return covers.covers(graph, {"spec": wanted.get("spec")}) and len(self.graphs(namespace)) >= 1

    def settled(self, *names: str, seconds: float = PATIENCE) -> None:
        """Waits until the world is as every request wants it."""
        for name in names or ("chat",):
            self.eventually(partial(self.right, name), f"{name} to be served as planned", seconds)

    def writes(self, namespace: str = "") -> list[Asked]:
        """What the replica wrote into the namespace."""
        return [asked for asked in self.proxy.writes if asked.namespace == (namespace or self.namespace)]

    def quiet(self, seconds: float = 1.3) -> list[Asked]:
        """What the replica writes while nothing happens for *seconds*, of which some is the last of what happened."""
        self.eventually(lambda: self._still(0.4), "the replica to come to rest")
        before = len(self.writes())
        time.sleep(seconds)
        return self.writes()[before:]

    def _still(self, seconds: float) -> bool:
        before = len(self.writes())
        time.sleep(seconds)
        return len(self.writes()) == before


def _planned(answer: Mapping[str, str]) -> Json:
    """The spec of the graph that the answer contains."""
    *_, graph = yaml.safe_load_all(answer.get("final_config.yaml", "{}"))
    return graph.get("spec")


def only(hook: FaultHook, *, namespace: str) -> FaultHook:
    """*hook*, for what concerns one namespace."""
    return lambda asked: hook(asked) if asked.namespace == namespace else None


def first(count: int, fault: Fault, which: Callable[[Asked], bool]) -> FaultHook:
    """*fault* for the first *count* requests that are *which*."""
    left = [fault] * count
    return lambda asked: left.pop() if which(asked) and left else None
