"""A small API server over real HTTP: discovery, lists in pages, watches, apply, status apart from spec, and faults.

It knows what the controller and its watch library ask for, and answers 404 to all else.
"""

from __future__ import annotations

import asyncio
import json
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from aiohttp import web

from tests.cluster.store import Happened, Object, Store

GROUP = "nvidia.com"
REQUESTS, GRAPHS = "dynamographdeploymentrequests", "dynamographdeployments"
KINDS = {REQUESTS: "DynamoGraphDeploymentRequest", GRAPHS: "DynamoGraphDeployment"}
DEPTH = {"api": 3, "apis": 4}
"""Segments of the shortest path to a collection."""
VERBS = ["create", "delete", "get", "list", "patch", "update", "watch"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Asked:
    """One request: verb as RBAC names it, plural with its subresource, namespace and name ("" where there is none)."""

    verb: str
    resource: str
    namespace: str
    name: str
    manager: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Fault:
    """An answer in place of the right one; *event*: status 200, and then this ERROR on the watch."""

    status: int
    message: str = "no"
    headers: dict[str, str] = field(default_factory=dict)
    event: bool = False


FaultHook = Callable[[Asked], Fault | None]


class ApiServer:
    """Serves a store. *fault* is asked before every answer; *log* holds every request."""

    def __init__(self) -> None:
        self.store = Store()
        self.log: list[Asked] = []
        self.fault: FaultHook = lambda _: None
        self.versions = ["v1beta1"]
        self.page = 1000
        self.url = ""
        self._runner: web.AppRunner | None = None

    async def start(self) -> None:
        """Listens on a free port of the loopback."""
        application = web.Application()
        application.router.add_route("*", "/{path:.*}", self._answer)
        self._runner = web.AppRunner(application, access_log=None, shutdown_timeout=0.1)
        await self._runner.setup()
        site = web.TCPSite(self._runner, "127.0.0.1", 0)
        await site.start()
        self.url = f"http://127.0.0.1:{self._runner.addresses[0][1]}"

    async def stop(self) -> None:
        """Closes everything."""
        if self._runner:
            await self._runner.cleanup()

    @property
    def writes(self) -> list[Asked]:
        """What was asked to be changed, reviews of rights apart."""
        reading = ("get", "list", "watch", "review")
        return [asked for asked in self.log if asked.verb not in reading]

    async def _answer(self, request: web.Request) -> web.StreamResponse:
        discovered = self._discovery(request.path)
        if discovered is not None:
            return web.json_response(discovered)
        parts = request.path.strip("/").split("/")
        if len(parts) < DEPTH[parts[0]]:
            return _status(404, f"there is no {request.path}")
        place = parts[2:] if parts[0] == "api" else parts[3:]
        namespace, rest = (place[1], place[2:]) if place[:1] == ["namespaces"] and len(place) > 2 else ("", place)
        plural, name, subresource = (*rest, "", "", "")[:3]
        asked = Asked(
            verb=_verb(request, plural, name),
            resource="/".join(filter(None, (plural, subresource))),
            namespace=namespace,
            name=name,
            manager=request.query.get("fieldManager", ""),
        )
        self.log.append(asked)
        fault = self.fault(asked)
        if fault and not fault.event:
            return _status(fault.status, fault.message, fault.headers)
        return await self._serve(request, asked, fault)

    async def _serve(self, request: web.Request, asked: Asked, fault: Fault | None) -> web.StreamResponse:
        plural = asked.resource.partition("/")[0]
        if asked.verb == "watch":
            return await self._watch(request, plural, asked.namespace, fault)
        if asked.verb == "list":
            return self._list(request, plural, asked.namespace)
        found = self.store.objects[plural].get((asked.namespace, asked.name))
        answer: Object | None = found
        match asked.verb:
            case "review":
                answer = {"status": {"allowed": True}}
            case "create":
                answer = await self.store.put(plural, await request.json())
            case "patch" if found or "/" not in asked.resource:
                answer = await self._apply(request, plural, asked)
        return web.json_response(answer) if answer else _status(404, f"{plural} {asked.name!r} not found")

    async def _apply(self, request: web.Request, plural: str, asked: Asked) -> Object:
        """Status and the rest are apart: what a body says about the other one is ignored."""
        body = json.loads(await request.text())
        only = {"status"} if asked.resource.endswith("/status") else set(body) - {"status"}
        names = {key: value for key, value in body["metadata"].items() if only != {"status"} or key != "uid"}
        said = {key: value for key, value in body.items() if key in only | {"apiVersion", "kind"}} | {"metadata": names}
        return await self.store.apply(plural, (asked.namespace, asked.name), said, asked.manager + asked.resource)

    def _list(self, request: web.Request, plural: str, namespace: str) -> web.Response:
        found = [body for (where, _), body in sorted(self.store.objects[plural].items()) if namespace in ("", where)]
        begin = int(request.query.get("continue", 0))
        end = begin + min(self.page, int(request.query.get("limit", 0)) or self.page)
        metadata = {"resourceVersion": str(self.store.version), **({"continue": str(end)} if end < len(found) else {})}
        kind = KINDS.get(plural, "")
        listed = {"apiVersion": f"{GROUP}/v1beta1", "kind": f"{kind}List", "metadata": metadata}
        return web.json_response({**listed, "items": found[begin:end]})

    async def _watch(
        self, request: web.Request, plural: str, namespace: str, fault: Fault | None
    ) -> web.StreamResponse:
        stream = web.StreamResponse(headers={"Content-Type": "application/json"})
        await stream.prepare(request)
        version = int(request.query.get("resourceVersion") or self.store.version)
        wrong = fault.status if fault else 410 if version < self.store.compacted else 0
        if wrong:
            await stream.write(_line("ERROR", {"kind": "Status", "code": wrong, "message": "the watch is over"}))
            return stream
        try:
            async with asyncio.timeout(float(request.query.get("timeoutSeconds", 20))):
                while True:
                    for event in await self.store.since(plural, version):
                        version = event.version
                        if namespace in ("", event.body["metadata"].get("namespace", "")):
                            await stream.write(_line(event.type, event.body))
        except (TimeoutError, ConnectionError):
            return stream

    def _discovery(self, path: str) -> Object | None:
        """What there is: our two kinds in every served version, and of the core API only nodes and namespaces."""
        if path == f"/apis/{GROUP}" and self.versions:
            versions = [{"groupVersion": f"{GROUP}/{version}", "version": version} for version in self.versions]
            return {"kind": "APIGroup", "name": GROUP, "versions": versions, "preferredVersion": versions[0]}
        if path == "/apis":
            return {"kind": "APIGroupList", "groups": [self._discovery(f"/apis/{GROUP}")]}
        if path == "/api":
            return {"kind": "APIVersions", "versions": ["v1"]}
        if path == "/api/v1":
            return {
                "kind": "APIResourceList",
                "groupVersion": "v1",
                "resources": [_resource("namespaces", "Namespace")],
            }
        if path.removeprefix(f"/apis/{GROUP}/") in self.versions:
            resources = [_resource(plural, kind, namespaced=True) for plural, kind in KINDS.items()]
            return {"kind": "APIResourceList", "groupVersion": path.removeprefix("/apis/"), "resources": resources}
        return None


def _verb(request: web.Request, plural: str, name: str) -> str:
    if plural.endswith("reviews"):
        return "review"
    if request.method == "GET" and not name:
        return "watch" if request.query.get("watch") in ("true", "1") else "list"
    return {"GET": "get", "POST": "create", "PATCH": "patch", "PUT": "update", "DELETE": "delete"}[request.method]


def _resource(plural: str, kind: str, *, namespaced: bool = False) -> Object:
    return {"name": plural, "singularName": kind.lower(), "kind": kind, "namespaced": namespaced, "verbs": VERBS}


def _line(kind: str, body: Any) -> bytes:  # noqa: ANN401 - JSON
    return json.dumps({"type": kind, "object": body}).encode() + b"\n"


def _status(code: int, message: str, headers: dict[str, str] | None = None) -> web.Response:
    body = {"kind": "Status", "apiVersion": "v1", "status": "Failure", "message": message, "code": code}
    return web.json_response(body, status=code, headers=headers)


__all__ = ["GRAPHS", "REQUESTS", "ApiServer", "Asked", "Fault", "Happened"]
