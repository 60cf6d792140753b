"""A plain client of any API server, ours or a real one: what it asks is what is sent, every answer can be looked at.

It is synchronous, opens a connection per request, and knows no types: tests compare the servers themselves with it.
"""

from __future__ import annotations

import http.client
import json
import ssl
from collections.abc import Iterator
from dataclasses import dataclass
from urllib.parse import urlencode, urlsplit

from tests.fakes.asked import Json, Object

APPLY, MERGE, STEPS = "application/apply-patch+yaml", "application/merge-patch+json", "application/json-patch+json"
JSON = "application/json"
GROUPS = {
    "dynamographdeploymentrequests": "/apis/nvidia.com/v1beta1",
    "dynamographdeployments": "/apis/nvidia.com/v1beta1",
    "customresourcedefinitions": "/apis/apiextensions.k8s.io/v1",
    "events": "/apis/events.k8s.io/v1",
    "jobs": "/apis/batch/v1",
    "leases": "/apis/coordination.k8s.io/v1",
    "validatingwebhookconfigurations": "/apis/admissionregistration.k8s.io/v1",
}
"""Plural -> where it is served; the core group for all else."""


class Refused(Exception):
    """The server said no."""

    def __init__(self, code: int, body: Json) -> None:
        super().__init__(code, body)
        self.code = code
        self.body = body

    @property
    def reason(self) -> str:
        """The reason in the Status object, "" where there is none."""
        return str(self.body.get("reason", "")) if isinstance(self.body, dict) else ""

    def __str__(self) -> str:
        said = self.body.get("message") if isinstance(self.body, dict) else self.body
        return f"{self.code} {self.reason}: {said}"


@dataclass(frozen=True, slots=True, kw_only=True)
class Answer:
    """Code and body of one answer."""

    code: int
    body: Json


class Api:
    """Speaks to *url*, as the bearer of *token*; *authority*: the PEM text that vouches for a TLS server."""

    def __init__(self, url: str, token: str = "", authority: str = "") -> None:
        self.url = url
        self.token = token
        self.authority = authority

    def call(
        self, method: str, path: str, body: Json = None, content_type: str = JSON, accept: str = JSON, **query: Json
    ) -> Answer:
        """One request. Raises Refused from 400 on, OSError where nobody answers."""
        target = f"{path}?{urlencode(query)}" if query else path
        sent = None if body is None else json.dumps(body)
        connection = self._connect(timeout=30)
        try:
            connection.request(method, target, sent, self._headers(content_type, accept))
            answer = connection.getresponse()
            code, text = answer.status, answer.read()
        finally:
            connection.close()
        found = _parsed(text)
        if code >= 400:
            raise Refused(code, found)
        return Answer(code=code, body=found)

    def path(self, plural: str, namespace: str = "", name: str = "", subresource: str = "") -> str:
        """Where objects of the kind are found."""
        place = f"/namespaces/{namespace}" if namespace else ""
        return GROUPS.get(plural, "/api/v1") + place + "".join(f"/{p}" for p in (plural, name, subresource) if p)

    def get(self, plural: str, namespace: str, name: str) -> Object | None:
        """The object, or None."""
        try:
            found: Object = self.call("GET", self.path(plural, namespace, name)).body
        except Refused as refused:
            if refused.code == 404:
                return None
            raise
        return found

    def list(self, plural: str, namespace: str = "", **query: Json) -> Object:
        """One page."""
        found: Object = self.call("GET", self.path(plural, namespace), **query).body
        return found

    def create(self, plural: str, body: Object) -> Object:
        """A new object."""
        found: Object = self.call("POST", self.path(plural, body["metadata"].get("namespace", "")), body).body
        return found

    def apply(self, plural: str, body: Object, manager: str = "user", subresource: str = "", **query: Json) -> Object:
        """Server-side apply, by force unless *query* says otherwise."""
        metadata = body["metadata"]
        path = self.path(plural, metadata.get("namespace", ""), metadata["name"], subresource)
        wanted: Object = {"fieldManager": manager, "force": "true", **query}
        found: Object = self.call("PATCH", path, body, APPLY, **wanted).body
        return found

    def replace(self, plural: str, body: Object, subresource: str = "") -> Object:
        """A plain update."""
        metadata = body["metadata"]
        path = self.path(plural, metadata.get("namespace", ""), metadata["name"], subresource)
        found: Object = self.call("PUT", path, body).body
        return found

    def patch(self, plural: str, namespace: str, name: str, body: Json, content_type: str = MERGE) -> Object:
        """A merge patch, or a JSON patch."""
        found: Object = self.call("PATCH", self.path(plural, namespace, name), body, content_type).body
        return found

    def delete(self, plural: str, namespace: str, name: str, **options: object) -> None:
        """Deletes; nothing happens where there is nothing."""
        try:
            self.call("DELETE", self.path(plural, namespace, name), options or None)
        except Refused as refused:
            if refused.code != 404:
                raise

    def watch(self, plural: str, namespace: str = "", **query: Json) -> Iterator[Object]:
        """Events until the server ends the watch."""
        asked = urlencode({"watch": "true", **query})
        connection = self._connect(timeout=None)
        connection.request("GET", f"{self.path(plural, namespace)}?{asked}", headers=self._headers(JSON))
        answer = connection.getresponse()
        try:
            if answer.status >= 400:
                raise Refused(answer.status, _parsed(answer.read()))
            for line in answer:
                yield json.loads(line)
        except (http.client.HTTPException, ConnectionError, ValueError):
            return
        finally:
            answer.close()
            connection.close()

    def _headers(self, content_type: str, accept: str = JSON) -> dict[str, str]:
        bearer = {"Authorization": f"Bearer {self.token}"} if self.token else {}
        return {"Content-Type": content_type, "Accept": accept, **bearer}

    def _connect(self, *, timeout: float | None) -> http.client.HTTPConnection:
        parts = urlsplit(self.url)
        host, port = parts.hostname or "", parts.port
        if parts.scheme == "http":
            return http.client.HTTPConnection(host, port, timeout=timeout)
        trust = ssl.create_default_context(cadata=self.authority)
        return http.client.HTTPSConnection(host, port, timeout=timeout, context=trust)


def _parsed(text: bytes) -> Json:
    try:
        return json.loads(text)
    except ValueError:
        return text.decode(errors="replace")
