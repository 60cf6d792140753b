"""A collector of traces over real HTTP: takes what OTLP sends as protobuf, and remembers it as plain values."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from aiohttp import web
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceResponse as Thanks
from opentelemetry.proto.common.v1.common_pb2 import KeyValue
from opentelemetry.proto.trace.v1.trace_pb2 import Span as Sent

from tests.fakes.listening import Door

PROTOBUF = "application/x-protobuf"


@dataclass(frozen=True, slots=True, kw_only=True)
class Event:
    """Something that happened during a span."""

    name: str
    attributes: Mapping[str, object]


@dataclass(frozen=True, slots=True, kw_only=True)
class Span:
    """One span, as it arrived. failed: whether its status is an error; links: ids of the spans it points to."""

    name: str
    trace: str
    id: str
    parent: str
    attributes: Mapping[str, object]
    events: Sequence[Event]
    links: Sequence[str]
    failed: bool
    remark: str


class Collector:
    """Listens on the loopback. *status* is its answer to everything; *silent*: it hears everything and says nothing."""

    def __init__(self) -> None:
        self.spans: list[Span] = []
        self.resources: list[Mapping[str, object]] = []
        self.headers: list[Mapping[str, str]] = []
        self.raw = b""
        self.status = 200
        self.silent = False
        self.asked = 0
        self.url = ""
        self._door = Door()

    async def start(self, port: int = 0) -> None:
        """Listens, on a free port unless one is given."""
        self.url = await self._door.open(self._take, path="/v1/traces", port=port)

    async def stop(self) -> None:
        """Closes everything."""
        await self._door.close()

    def named(self, name: str, **attributes: object) -> list[Span]:
        """The spans of that name and those *attributes*, whose names have _ for each dot."""
        wanted = attributes.items()
        return [
            span
            for span in self.spans
            if span.name == name and wanted <= {key.replace(".", "_"): v for key, v in span.attributes.items()}.items()
        ]

    @property
    def orphans(self) -> list[Span]:
        """The spans whose parents have not arrived yet."""
        known = {span.id for span in self.spans}
        return [span for span in self.spans if span.parent and span.parent not in known]

    def children(self, parent: Span) -> list[Span]:
        """The spans right below *parent*."""
        return [span for span in self.spans if (span.trace, span.parent) == (parent.trace, parent.id)]

    async def _take(self, request: web.Request) -> web.Response:
        self.asked += 1
        if self.silent:
            await asyncio.sleep(60)
        if self.status != 200:
            return web.Response(status=self.status)
        assert request.content_type == PROTOBUF
        body = await request.read()
        self.raw += body
        self.headers.append(request.headers)
        for resource in ExportTraceServiceRequest.FromString(body).resource_spans:
            self.resources.append(_plain(resource.resource.attributes))
            self.spans += [_span(span) for scope in resource.scope_spans for span in scope.spans]
        return web.Response(body=Thanks().SerializeToString(), content_type=PROTOBUF)


def _span(sent: Sent) -> Span:
    return Span(
        name=sent.name,
        trace=sent.trace_id.hex(),
        id=sent.span_id.hex(),
        parent=sent.parent_span_id.hex(),
        attributes=_plain(sent.attributes),
        events=[Event(name=event.name, attributes=_plain(event.attributes)) for event in sent.events],
        links=[link.span_id.hex() for link in sent.links],
        failed=sent.status.code == sent.status.STATUS_CODE_ERROR,
        remark=sent.status.message,
    )


def _plain(pairs: Sequence[KeyValue]) -> Mapping[str, object]:
    return {pair.key: getattr(pair.value, str(pair.value.WhichOneof("value"))) for pair in pairs}
