"""Someone who writes requests, edits graphs, and waits to see what becomes of them."""

from __future__ import annotations

import asyncio
import copy
from collections.abc import Callable, Mapping
from typing import Any

from tests.fakes.asked import Object
from tests.fakes.server import ApiServer

GRAPHS = "dynamographdeployments"
REQUESTS = "dynamographdeploymentrequests"
NAMESPACE = "team"
PATIENCE = 40.0
"""Seconds until a test gives up; a healthy run needs one."""


class User:
    """Works directly on what the API server remembers."""

    def __init__(self, server: ApiServer) -> None:
        self._server = server

    async def ask(self, name: str, **spec: object) -> None:
        """Writes, or overwrites, a request that is feasible unless *spec* says otherwise."""
        hardware = {"gpuSku": "h200_sxm", "totalGpus": 8, "numGpusPerNode": 8}
        before = self._server.store.objects[REQUESTS].get((NAMESPACE, name), {"metadata": {}})
        body = {
            "apiVersion": "nvidia.com/v1beta1",
            "kind": "DynamoGraphDeploymentRequest",
            **copy.deepcopy(before),
            "metadata": {**before["metadata"], "name": name, "namespace": NAMESPACE},
            "spec": {"model": "Qwen/Qwen3-32B-FP8", "backend": "vllm", "hardware": hardware, **spec},
        }
        await self._server.put(REQUESTS, body)

    def request(self, name: str) -> Object:
        """The request."""
        return self._server.store.objects[REQUESTS][NAMESPACE, name]

    def status(self, name: str) -> Mapping[str, Any]:
        """Its status."""
        found: Mapping[str, Any] = self.request(name).get("status") or {}
        return found

    def condition(self, name: str, kind: str) -> Mapping[str, Any]:
        """One of its conditions."""
        return next((c for c in self.status(name).get("conditions", ()) if c["type"] == kind), {})

    def graph(self, name: str) -> Object | None:
        """The graph."""
        return self._server.store.objects[GRAPHS].get((NAMESPACE, name))

    async def edit_graph(self, name: str, change: Callable[[Object], object]) -> None:
        """Changes a copy of the graph and writes it."""
        body = copy.deepcopy(self.graph(name) or {})
        change(body)
        await self._server.put(GRAPHS, body)

    async def delete_graph(self, name: str, *, silently: bool = False) -> None:
        """Deletes the graph; *silently*: no watch says so."""
        await self._server.store.delete(GRAPHS, (NAMESPACE, name), silently=silently)

    async def report(self, name: str, state: str) -> None:
        """Writes the graph's status, as the Dynamo operator does."""
        body = copy.deepcopy(self.graph(name) or {})
        body["status"] = {"state": state, "observedGeneration": body["metadata"]["generation"]}
        await self._server.put(GRAPHS, body)

    async def wait(self, look: Callable[[], object], what: str) -> None:
        """Until *look* answers something true; AssertionError otherwise."""
        try:
            async with asyncio.timeout(PATIENCE):
                while not look():  # noqa: ASYNC110 - the world is polled, as people do
                    await asyncio.sleep(0.02)
        except TimeoutError:
            raise AssertionError(f"waited {PATIENCE:g} s for {what}") from None

    async def wait_phase(self, name: str, phase: str) -> None:
        """Until the request is in *phase*."""
        await self.wait(lambda: self.status(name).get("phase") == phase, f"{name} to be {phase}")
