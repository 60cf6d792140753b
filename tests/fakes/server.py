"""An API server over real HTTP: discovery, objects of any kind, lists, watches, rights and faults."""

from __future__ import annotations

import asyncio
import json
import re
from collections import Counter
from collections.abc import AsyncIterator
from dataclasses import replace

from aiohttp import web

from tests.fakes import schema
from tests.fakes.asked import Asked, Fault, FaultHook, Json, Object, Refusal, parse
from tests.fakes.listening import Door
from tests.fakes.reading import Reads
from tests.fakes.resources import DEFINITIONS, Resource, Served
from tests.fakes.rights import Account
from tests.fakes.store import Store, name_of
from tests.fakes.writing import Writes

LARGEST = 3 * 2**20
"""Bytes of the largest body that is read, as the real server's limit."""
STORED = 1_500_000
"""Bytes of the largest object that its storage takes."""

PAIR = re.compile(r"(?<!\\)(?:\\\\)*\\u[dD][89abAB]")
"""The first half of a character that JSON escapes as a pair, which YAML does not know."""


class ApiServer:
    """Serves a store. *fault* is asked before every answer; *log* holds every request; *accounts* go by token.

    Without accounts everybody may do anything.
    """

    def __init__(self) -> None:
        self.store = Store()
        self.served = Served()
        self.reads = Reads(self.store)
        self.writer = Writes(self.store, self._collect)
        self.accounts: dict[str, Account] = {}
        self.log: list[Asked] = []
        self.fault: FaultHook = lambda _: None
        self.url = ""
        self._watchers: dict[int, tuple[str, web.Request]] = {}
        self._door = Door(LARGEST)

    async def start(self, port: int = 0) -> None:
        """Listens on the loopback, on a free port unless one is given."""
        self.url = await self._door.open(self._answer, port=port)

    async def stop(self) -> None:
        """Closes everything."""
        await self._door.close()

    async def put(self, plural: str, body: Object) -> Object:
        """Stores *body* as if an earlier release had let it in: with defaults, and otherwise unchecked."""
        kind = self.served.of(plural)
        filled = schema.defaulted(body, kind.schema) if kind and kind.schema else body
        return await self.store.put(plural, filled)

    def hang_up(self, plural: str) -> None:
        """Ends all watches of a kind in mid-air."""
        for watched, request in tuple(self._watchers.values()):
            if watched == plural:
                _cut(request)

    @property
    def writes(self) -> list[Asked]:
        """What was asked to be changed, reviews of rights and dry runs apart."""
        return [asked for asked in self.log if asked.writes]

    @property
    def counts(self) -> Counter[str]:
        """Requests by verb."""
        return Counter(asked.verb for asked in self.log)

    async def _answer(self, request: web.Request) -> web.StreamResponse:
        if request.path in ("/readyz", "/livez", "/healthz"):
            return web.Response(text="ok")
        asked = parse(request.method, request.path, request.query)
        if asked is None:
            found = self.served.discovery(request.path)
            return web.json_response(found) if found else _refused(Refusal(404, "NotFound", "404 page not found"))
        asked = replace(asked, accept=request.headers.get("Accept", ""))
        self.log.append(asked)
        fault = self.fault(asked) or Fault()
        if fault.delay:
            await asyncio.sleep(fault.delay)
        try:
            return await self._faulty(request, asked, fault)
        except Refusal as refusal:
            return _refused(refusal)

    async def _faulty(self, request: web.Request, asked: Asked, fault: Fault) -> web.StreamResponse:
        if fault.cut and not fault.after:
            return _cut(request)
        if fault.status and not fault.event:
            return _refused(Refusal(fault.status, "Fault", fault.message), fault.headers)
        answer = await self._serve(request, asked, fault)
        return _cut(request) if fault.cut else answer

    async def _serve(self, request: web.Request, asked: Asked, fault: Fault) -> web.StreamResponse:
        account = self._account(request)
        account.check(asked)
        kind = self.served.find(asked)
        if asked.verb == "watch":
            wrong = Refusal(fault.status, "Fault", fault.message) if fault.event else None
            self._watchers[id(request)] = (kind.plural, request)
            try:
                return await _streamed(request, self.reads.watch(kind, asked, request.query), wrong)
            finally:
                del self._watchers[id(request)]
        if asked.verb == "list":
            return web.json_response(_wanted(request, self.reads.listed(kind, asked, request.query)))
        if asked.verb == "get":
            return web.json_response(_wanted(request, self.writer.live(kind, asked)))
        body = await _body(request)
        if asked.verb == "review":
            return web.json_response(_reviewed(account, body), status=201)
        answer, code = self._written(request, account, asked, kind, body)
        self._define(kind, answer, gone=asked.verb == "delete")
        return web.json_response(answer, status=code)

    def _account(self, request: web.Request) -> Account:
        if not self.accounts:
            return Account()
        token = request.headers.get("Authorization", "").removeprefix("Bearer ")
        if token not in self.accounts:
            raise Refusal(401, "Unauthorized", "Unauthorized")
        return self.accounts[token]

    def _written(
        self, request: web.Request, account: Account, asked: Asked, kind: Resource, body: Json
    ) -> tuple[Object, int]:
        match asked.verb:
            case "create":
                return self.writer.create(kind, asked, body), 201
            case "update":
                return self.writer.update(kind, asked, body), 200
            case "patch":
                if not (asked.subresource or self.store.get(kind.plural, (asked.namespace, asked.name))):
                    account.check(replace(asked, verb="create"))
                force = request.query.get("force") in ("true", "1")
                made, new = self.writer.patch(kind, asked, request.content_type, body, force=force)
                return made, 201 if new else 200
            case "delete":
                return self.writer.delete(kind, asked, body if isinstance(body, dict) else {}), 200
            case "deletecollection":
                return self._delete_all(kind, asked, request), 200
        raise Refusal(405, "MethodNotAllowed", "the server does not allow this method on the requested resource")

    def _delete_all(self, kind: Resource, asked: Asked, request: web.Request) -> Object:
        listed = self.reads.listed(kind, asked, {**request.query, "limit": ""})
        for body in listed["items"]:
            namespace, name = name_of(body)
            self.writer.delete(kind, replace(asked, verb="delete", namespace=namespace, name=name), {})
        return listed

    def _define(self, kind: Resource, body: Object, *, gone: bool) -> None:
        """A definition that is written serves its kind; one that is deleted takes all objects along."""
        if kind.plural != DEFINITIONS:
            return
        if not gone:
            self.served.define(body)
            return
        self.served.withdraw(body)
        for name in tuple(self.store.objects[body["spec"]["names"]["plural"]]):
            self.store.remove(body["spec"]["names"]["plural"], name)

    def _collect(self, kind: Resource, gone: Object) -> None:
        """Deletes what lived in a namespace that is gone, and whatever has no owner left."""
        if kind.plural == "namespaces":
            self._each(lambda body: body["metadata"].get("namespace") == gone["metadata"]["name"])
            return
        uid = gone["metadata"]["uid"]
        self._each(lambda body: [one.get("uid") for one in body["metadata"].get("ownerReferences") or ()] == [uid])

    def _each(self, doomed: Json) -> None:
        for plural, shelf in tuple(self.store.objects.items()):
            kind = self.served.of(plural)
            for (namespace, name), body in tuple(shelf.items()):
                if kind and doomed(body) and (namespace, name) in shelf:
                    asked = Asked(verb="delete", resource=plural, namespace=namespace, name=name)
                    self.writer.delete(kind, asked, {})


def _reviewed(account: Account, body: Object) -> Object:
    """A SelfSubjectAccessReview with its answer."""
    said = body["spec"].get("resourceAttributes") or {}
    resource = "/".join(filter(None, (said.get("resource"), said.get("subresource"))))
    place = {"namespace": said.get("namespace", ""), "name": said.get("name", ""), "group": said.get("group", "")}
    allowed = account.may(Asked(verb=said.get("verb", ""), resource=resource, **place))
    return {**body, "status": {"allowed": allowed}}


async def _body(request: web.Request) -> Json:
    text = await request.text()
    if not text:
        return {}
    if "yaml" in request.content_type and PAIR.search(text):
        told = "error decoding YAML: error converting YAML to JSON: yaml: found invalid Unicode character escape code"
        raise Refusal(400, "BadRequest", told)
    try:
        body = json.loads(text)
    except ValueError:
        raise Refusal(400, "BadRequest", "the body of the request is not JSON") from None
    if len(text) > STORED:
        raise Refusal(500, "InternalError", "etcdserver: request is too large")
    return body


def _wanted(request: web.Request, body: Object) -> Object:
    """*body*, or its metadata alone where the client asks for no more."""
    if "as=PartialObjectMetadata" not in request.headers.get("Accept", ""):
        return body
    many = "items" in body
    partial = {"apiVersion": "meta.k8s.io/v1", "kind": f"PartialObjectMetadata{'List' if many else ''}"}
    items = {"items": [{"metadata": item["metadata"]} for item in body["items"]]} if many else {}
    return {**partial, "metadata": body["metadata"], **items}


async def _streamed(request: web.Request, events: AsyncIterator[Object], wrong: Refusal | None) -> web.StreamResponse:
    stream = web.StreamResponse(headers={"Content-Type": "application/json"})
    await stream.prepare(request)
    if wrong:
        await stream.write(_line({"type": "ERROR", "object": wrong.status()}))
        return stream
    try:
        async for event in events:
            await stream.write(_line(event))
    except ConnectionError:
        return stream
    return stream


def _line(event: Object) -> bytes:
    return json.dumps(event).encode() + b"\n"


def _refused(refusal: Refusal, headers: dict[str, str] | None = None) -> web.Response:
    return web.json_response(refusal.status(), status=refusal.code, headers=headers)


def _cut(request: web.Request) -> web.StreamResponse:
    if request.transport:
        request.transport.abort()
    return web.Response(status=500)
