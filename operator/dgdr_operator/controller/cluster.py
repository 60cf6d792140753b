"""The API server behind a dozen calls; the only module that knows the client library.

The library connects, authenticates and renews tokens; requests and answers stay plain JSON, since its typed models
take seconds for a list of five thousand nodes, and know nothing of custom resources.
"""

import asyncio
import os
from collections.abc import AsyncGenerator, Callable, Mapping
from dataclasses import dataclass, field, replace
from time import monotonic
from typing import Any
from urllib.parse import urlencode
from urllib.request import getproxies_environment

from aiohttp import ClientError
from kubernetes.aio import config
from kubernetes.aio.client.api_client import ApiClient
from kubernetes.aio.client.configuration import Configuration

from dgdr_operator.controller import errors, forms, metrics
from dgdr_operator.controller.forms import Form, Object, Page
from dgdr_operator.controller.pace import Bucket
from dgdr_operator.controller.tracing import SILENT, Traces

GROUP = "nvidia.com"
REQUEST_PLURAL = "dynamographdeploymentrequests"
GRAPH_PLURAL = "dynamographdeployments"
APPLY = "application/apply-patch+yaml; charset=utf-8"
MERGE = "application/merge-patch+json"
JSON = "application/json"
PLAIN = "identity"
"""Nothing is compressed on its way: a network inside a cluster is faster than either side can squeeze a list."""
METADATA = "application/json;as=PartialObjectMetadata;g=meta.k8s.io;v=v1"
"""Asks for an object without its content: of a Secret, that is all we ever see."""
PAGE = 500
TIMEOUT = 15.0
"""Seconds for one call; a reconcile has 30."""
MANAGER = "dgdr-operator"
STATUS_MANAGER = "dgdr-operator-status"
"""Field managers: their names are part of every object we ever wrote, so they never change."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Kind:
    """One resource of the API, as its URLs spell it."""

    group: str
    version: str
    plural: str

    def path(self, namespace: str = "", name: str = "", subresource: str = "") -> str:
        """The URL path of the collection, of one object, or of a part of it."""
        root = f"/apis/{self.group}/{self.version}" if self.group else f"/api/{self.version}"
        place = f"/namespaces/{namespace}" if namespace else ""
        return root + place + "".join(f"/{part}" for part in (self.plural, name, subresource) if part)


NODES = Kind(group="", version="v1", plural="nodes")
PODS = Kind(group="", version="v1", plural="pods")
CLAIMS = Kind(group="", version="v1", plural="persistentvolumeclaims")
SECRETS = Kind(group="", version="v1", plural="secrets")
NAMESPACES = Kind(group="", version="v1", plural="namespaces")
QUOTAS = Kind(group="", version="v1", plural="resourcequotas")
CONFIG_MAPS = Kind(group="", version="v1", plural="configmaps")
EVENTS = Kind(group="events.k8s.io", version="v1", plural="events")
LEASES = Kind(group="coordination.k8s.io", version="v1", plural="leases")
JOBS = Kind(group="batch", version="v1", plural="jobs")
DEPLOYMENTS = Kind(group="apps", version="v1", plural="deployments")
WEBHOOKS = Kind(group="admissionregistration.k8s.io", version="v1", plural="validatingwebhookconfigurations")
REVIEWS = Kind(group="authorization.k8s.io", version="v1", plural="selfsubjectaccessreviews")


@dataclass(frozen=True, slots=True)
class _Sent:
    """One call: what is asked for, and in which form."""

    method: str
    path: str
    query: Mapping[str, str] = field(default_factory=dict)
    body: Mapping[str, Any] | None = None
    content_type: str = JSON
    accept: str = field(default=JSON, kw_only=True)

    @property
    def url(self) -> str:
        """The path with what is asked of it."""
        return f"{self.path}?{urlencode(self.query)}" if self.query else self.path

    def __str__(self) -> str:
        return f"{self.method} {self.path}"


class Cluster:
    """One connection to an API server. Every method raises ClusterError, and nothing else, when it fails.

    may_write is asked before every write, those of the Lease apart: who does not lead does not write.
    """

    def __init__(self, client: ApiClient, pace: Bucket | None = None, traces: Traces = SILENT) -> None:
        self._client = client
        self._pace = pace or Bucket()
        self.traces = traces
        self.may_write: Callable[[], bool] = lambda: True

    @classmethod
    async def connect(cls, pace: Bucket | None = None, traces: Traces = SILENT) -> "Cluster":
        """As the service account of this pod, or as KUBECONFIG says."""
        configuration = Configuration()
        # otherwise the library asks the environment for a proxy, and the disk for passwords, at every call
        configuration.client_session_kwargs = {"trust_env": bool(getproxies_environment())}
        try:
            if os.environ.get("KUBERNETES_SERVICE_HOST") and not os.environ.get("KUBECONFIG"):
                config.load_incluster_config(client_configuration=configuration)
            else:
                named = os.environ.get("KUBECONFIG")  # the library looks at it once, when it is imported
                await config.load_kube_config(config_file=named, client_configuration=configuration)
        except config.ConfigException as error:
            raise errors.Unauthenticated(f"no way to a cluster: {error}") from error
        return cls(ApiClient(configuration), pace, traces)

    async def close(self) -> None:
        """Closes the connections."""
        await self._client.close()

    async def served(self, group: str = GROUP) -> dict[str, tuple[str, ...]]:
        """The versions in which each kind (plural) of *group* is served; empty if the group is not."""
        try:
            found = await self._call(_Sent("GET", f"/apis/{group}"))
        except errors.NotFound:
            return {}
        plurals: dict[str, tuple[str, ...]] = {}
        for version in (entry["version"] for entry in found.get("versions") or ()):
            for resource in (await self._call(_Sent("GET", f"/apis/{group}/{version}"))).get("resources") or ():
                plurals[resource["name"]] = (*plurals.get(resource["name"], ()), version)
        return plurals

    async def groups(self) -> frozenset[str] | None:
        """Names of all API groups; None where the server does not list them."""
        try:
            found = await self._call(_Sent("GET", "/apis"))
        except errors.NotFound:
            return None
        return frozenset(str(entry.get("name")) for entry in found.get("groups") or ())

    async def get(self, kind: Kind, namespace: str, name: str) -> Object:
        """One object."""
        return await self._call(_Sent("GET", kind.path(namespace, name)))

    async def metadata(self, kind: Kind, namespace: str, name: str) -> Object:
        """The metadata of one object; its content does not even travel."""
        return await self._call(_Sent("GET", kind.path(namespace, name), accept=METADATA))

    async def pages(
        self, kind: Kind, form: type[Form], namespace: str = "", **query: str
    ) -> AsyncGenerator[tuple[list[Form], str], None]:
        """All objects, page by page, each page with the version of the list. Raises Gone when the list has expired.

        form: what of each object is read. The server makes the next page while the caller looks at this one.
        """
        path, asked = kind.path(namespace), {"limit": str(PAGE), **query}
        coming = asyncio.ensure_future(self._page(path, form, asked))
        try:
            while True:
                page = await coming
                token = page.metadata.token
                if token:
                    coming = asyncio.ensure_future(self._page(path, form, {**asked, "continue": token}))
                yield page.items or [], page.metadata.resource_version
                if not token:
                    return
        finally:
            coming.add_done_callback(lambda page: page.cancelled() or page.exception())  # it concerns nobody any more
            coming.cancel()  # without waiting: who stops in the middle is closed by the event loop as that ends

    async def apply(self, kind: Kind, body: Mapping[str, Any], *, manager: str, subresource: str = "") -> Object:
        """Server-side apply of exactly the fields in *body*; fields of others that we name become ours."""
        metadata = body["metadata"]
        path = kind.path(metadata["namespace"], metadata["name"], subresource)
        query = {"fieldManager": manager, "force": "true"}
        return await self._write(_Sent("PATCH", path, query, body, APPLY, accept=_answered(kind)))

    async def try_out(self, kind: Kind, body: Mapping[str, Any], *, manager: str) -> Object:
        """What `apply` would leave behind, defaults and the fields of others included; nothing is written."""
        metadata = body["metadata"]
        query = {"fieldManager": manager, "force": "true", "dryRun": "All"}
        return await self._call(_Sent("PATCH", kind.path(metadata["namespace"], metadata["name"]), query, body, APPLY))

    async def delete(self, kind: Kind, body: Mapping[str, Any]) -> None:
        """Deletes *body*, and no later object of its name: that is a Conflict. What it owns goes along."""
        metadata = body["metadata"]
        path = kind.path(metadata["namespace"], metadata["name"])
        options = {"apiVersion": "v1", "kind": "DeleteOptions", "preconditions": {"uid": metadata["uid"]}}
        await self._write(_Sent("DELETE", path, {}, {**options, "propagationPolicy": "Background"}))

    async def create(self, kind: Kind, namespace: str, body: Mapping[str, Any]) -> Object:
        """A new object. Raises Conflict if there is one of that name."""
        query = {"fieldManager": MANAGER}
        return await self._write(_Sent("POST", kind.path(namespace), query, body, accept=_answered(kind)))

    async def merge(self, kind: Kind, namespace: str, name: str, changes: Mapping[str, Any]) -> Object:
        """Changes single fields of an object that is wholly ours."""
        query = {"fieldManager": MANAGER}
        return await self._write(
            _Sent("PATCH", kind.path(namespace, name), query, changes, MERGE, accept=_answered(kind))
        )

    async def write_lease(self, namespace: str, body: Mapping[str, Any]) -> Object:
        """A new Lease, or the one that was read, changed. Raises Conflict if somebody else was quicker."""
        metadata = body["metadata"]
        if "resourceVersion" in metadata:
            return await self._call(_Sent("PUT", LEASES.path(namespace, metadata["name"]), {}, body))
        return await self._call(_Sent("POST", LEASES.path(namespace), {}, body))

    async def may(self, verb: str, kind: Kind, namespace: str = "", subresource: str = "") -> bool:
        """Whether our own rights allow *verb* on *kind*, in *namespace* or everywhere."""
        asked = {"verb": verb, "group": kind.group, "resource": kind.plural, "subresource": subresource}
        spec = {"resourceAttributes": {**asked, **({"namespace": namespace} if namespace else {})}}
        body = {"apiVersion": "authorization.k8s.io/v1", "kind": "SelfSubjectAccessReview", "spec": spec}
        answer = await self._call(_Sent("POST", REVIEWS.path(), {}, body))
        return bool((answer.get("status") or {}).get("allowed"))

    async def _write(self, sent: _Sent) -> Object:
        """One write, at the pace of all writes, and only while we lead."""
        wait = self._pace.take(monotonic())
        metrics.PACE_SECONDS.observe(wait)
        if wait:
            await asyncio.sleep(wait)
        if not self.may_write():
            raise errors.NotLeading(f"{sent}: not written, since this replica does not lead")
        return await self._call(sent)

    async def _page(self, path: str, form: type[Form], query: Mapping[str, str]) -> Page[Form]:
        sent = _Sent("GET", path, query)
        text = await self._answer(sent)
        try:
            return forms.page(text, form)
        except ValueError as error:
            raise errors.Unavailable(f"{sent}: this is no list: {error}") from error

    async def _call(self, sent: _Sent) -> Object:
        found = forms.parsed(await self._answer(sent))
        if isinstance(found, dict):
            return found
        raise errors.Rejected(f"{sent}: this is no object of the API: {str(found)[:200]}")

    async def _answer(self, sent: _Sent) -> bytes:
        try:
            with self.traces.call(sent.method, self._client.configuration.host + sent.url) as heard:
                status, answered, text = await self._exchange(sent)
                heard(status)
        except (ClientError, TimeoutError, OSError) as error:
            metrics.API_CALLS.labels("<error>", sent.method).inc()
            raise errors.Unavailable(f"{sent}: {error or type(error).__name__}") from error
        metrics.API_CALLS.labels(str(status), sent.method).inc()
        if status < 400:  # noqa: PLR2004 - the first HTTP error
            return text
        raise errors.of(status, forms.parsed(text), _seconds(answered.get("Retry-After")))

    async def _exchange(self, sent: _Sent) -> tuple[int, Mapping[str, str], bytes]:
        headers = {"Accept": sent.accept, "Content-Type": sent.content_type, "Accept-Encoding": PLAIN}
        async with asyncio.timeout(TIMEOUT):
            request = await self._client.param_serialize(
                sent.method, sent.url, header_params=headers, auth_settings=["BearerToken"]
            )
            body = forms.yaml(sent.body) if sent.content_type == APPLY else sent.body
            answer = await self._client.call_api(*request[:3], body=body)
            return answer.status, answer.headers, await answer.read()


def preferred(kinds: Mapping[str, tuple[str, ...]], plural: str) -> Kind | None:
    """The kind in v1beta1 where that is served, else in v1alpha1; None where it is not served at all."""
    for version in ("v1beta1", "v1alpha1"):
        if version in kinds.get(plural, ()):
            return Kind(group=GROUP, version=version, plural=plural)
    return None


def kind_of(kind: Kind, body: Mapping[str, Any]) -> Kind:
    """*kind* in the version that *body* is written in."""
    return replace(kind, version=str(body["apiVersion"]).rpartition("/")[2])


def _answered(kind: Kind) -> str:
    """How a write is to be answered: with the object, of a ConfigMap without its data: it is large, and we wrote it."""
    return METADATA if kind == CONFIG_MAPS else JSON


def _seconds(header: str | None) -> float:
    return float(header) if header and header.isdigit() else 0.0
