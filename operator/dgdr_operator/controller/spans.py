"""What the spans say: of a reconcile, of its questions to the estimator, of its calls to the API server.

None holds a body, a query, a header or a message: what was said stands in the log, under the same trace id.
"""

import re
import traceback
from collections import OrderedDict
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, nullcontext
from dataclasses import dataclass
from time import monotonic
from typing import Any
from urllib.parse import urlsplit

from opentelemetry import trace
from opentelemetry.semconv.attributes.error_attributes import ERROR_TYPE
from opentelemetry.semconv.attributes.exception_attributes import EXCEPTION_STACKTRACE, EXCEPTION_TYPE
from opentelemetry.semconv.attributes.http_attributes import HTTP_REQUEST_METHOD, HTTP_RESPONSE_STATUS_CODE
from opentelemetry.semconv.attributes.server_attributes import SERVER_ADDRESS, SERVER_PORT
from opentelemetry.semconv.attributes.url_attributes import URL_FULL
from opentelemetry.trace import Link, Span, SpanContext, SpanKind, StatusCode, Tracer

from dgdr_operator.controller import logs
from dgdr_operator.controller.tracing import Question, unheard

URL_TEMPLATE = "url.template"
ORIGINS_KEPT = 1024
"""Answers whose making can still be pointed to by those who are told them later."""
ABANDONED = "abandoned"
"""The result of a question whose asker has ended."""
FAULTS = frozenset({"crashed", "timed-out"})
"""What the estimator says when it is at fault itself; a refusal is an answer."""
PORTS = {"http": 80, "https": 443}
PLACE = re.compile(
    r"(?P<root>/api/v1|/apis/[^/]+/[^/]+)(?:/namespaces/(?P<namespace>[^/]+)(?=/))?"
    r"/(?P<plural>[^/]+)(?:/(?P<name>[^/]+)(?:/(?P<part>[^/]+))?)?"
)
VERBS = {"POST": "create", "PUT": "update", "PATCH": "patch", "DELETE": "delete"}


@dataclass(frozen=True, slots=True)
class Flight:
    """A question on its way: its span, when it was asked, and when a process took it up."""

    span: Span
    asked: float
    began: float


class Spans:
    """Records every sampled reconcile; *deliver* takes the seconds that are left at the end."""

    def __init__(self, tracer: Tracer, deliver: Callable[[float], None]) -> None:
        self._tracer = tracer
        self._deliver = deliver
        self._flights: dict[Question, Flight] = {}
        self._origins: OrderedDict[Question, SpanContext] = OrderedDict()

    @contextmanager
    def reconcile(
        self, key: tuple[str, str], number: int, look: Callable[[], Mapping[str, Any] | None]
    ) -> Iterator[None]:
        """One span, the root of a trace whose id is in every line that is logged meanwhile."""
        attributes = {**_request(key), "dgdr.reconcile": number, **_identity(look() or {})}
        with self._tracer.start_as_current_span(
            "reconcile", attributes=attributes, record_exception=False, set_status_on_exception=False
        ) as span:
            context = span.get_span_context()
            told = (
                logs.about(trace_id=trace.format_trace_id(context.trace_id)) if span.is_recording() else nullcontext()
            )
            with told:
                try:
                    yield
                except BaseException as error:
                    self.failed(error)
                    raise
                finally:
                    span.set_attributes({"dgdr.phase.after": _phase(look() or {})})

    def failed(self, error: BaseException) -> None:
        """Marks the span in hand, and keeps where the error came from; not its words."""
        span = trace.get_current_span()
        if span.is_recording():
            span.set_attribute("dgdr.outcome", "error")
            _mark(span, error)

    @contextmanager
    def call(self, method: str, url: str) -> Iterator[Callable[[int], None]]:
        """One span per call that a reconcile makes; lists, the Lease and Events are no part of one and are left out."""
        if not trace.get_current_span().is_recording():
            yield unheard
            return
        attributes = _address(method, url)
        name = f"{method} {attributes[URL_TEMPLATE]}"
        with self._tracer.start_as_current_span(
            name,
            kind=SpanKind.CLIENT,
            attributes=attributes,
            record_exception=False,
            set_status_on_exception=False,
        ) as span:
            try:
                yield lambda status: _answered(span, method, status)
            except BaseException as error:
                _mark(span, error)
                raise

    def asked(self, question: Question) -> None:
        """Begins the span of a question, below the reconcile in hand; it may outlast that one."""
        self.answered(question, ABANDONED)
        if trace.get_current_span().is_recording():
            span = self._tracer.start_span("estimate", attributes=_estimate(question, cached=False))
            self._flights[question] = Flight(span, asked=monotonic(), began=0.0)

    def began(self, question: Question) -> None:
        """The waiting is over."""
        flight = self._flights.get(question)
        if flight:
            flight.span.add_event("planning begins")
            self._flights[question] = Flight(flight.span, flight.asked, monotonic())

    def answered(self, question: Question, result: str) -> None:
        """Ends the span of a question, with how long it waited and how long it was worked on."""
        flight = self._flights.pop(question, None)
        if flight is None:
            return
        now = monotonic()
        began = flight.began or now
        flight.span.set_attributes(
            {
                "dgdr.estimate.result": result,
                "dgdr.estimate.wait_seconds": began - flight.asked,
                "dgdr.estimate.plan_seconds": now - began,
            }
        )
        if result in FAULTS:
            flight.span.set_attribute(ERROR_TYPE, result)
            flight.span.set_status(StatusCode.ERROR)
        flight.span.end()
        self._origins[question] = flight.span.get_span_context()
        while len(self._origins) > ORIGINS_KEPT:
            self._origins.popitem(last=False)

    def recalled(self, question: Question, result: str) -> None:
        """A span that begins and ends at once, and points to the one in which the answer was found."""
        if trace.get_current_span().is_recording():
            origin = self._origins.get(question)
            attributes = {**_estimate(question, cached=True), "dgdr.estimate.result": result}
            links = [Link(origin)] if origin else []
            self._tracer.start_span("estimate", attributes=attributes, links=links).end()

    def close(self, seconds: float) -> None:
        """Ends what is open, and has it all delivered."""
        for question in list(self._flights):
            self.answered(question, ABANDONED)
        self._deliver(seconds)


def _request(key: tuple[str, str]) -> dict[str, str]:
    return {"dgdr.namespace": key[0], "dgdr.name": key[1]}


def _identity(body: Mapping[str, Any]) -> dict[str, str | int]:
    """What is known of a request before it is reconciled; less where it is gone."""
    metadata = body.get("metadata") or {}
    known = {f"dgdr.{name}": metadata[name] for name in ("uid", "generation") if metadata.get(name)}
    return {**known, "dgdr.outcome": "success", "dgdr.phase.before": _phase(body)}


def _phase(body: Mapping[str, Any]) -> str:
    """The phase of a request; "" where it has none yet, or is gone."""
    return str((body.get("status") or {}).get("phase") or "")


def _estimate(question: Question, *, cached: bool) -> dict[str, str | bool]:
    return {**_request(question[0]), "dgdr.estimate.question": question[1], "dgdr.estimate.cached": cached}


def _address(method: str, url: str) -> dict[str, str | int]:
    """Where a call goes, in the words of the conventions for HTTP clients and in those of Kubernetes' rights."""
    parts = urlsplit(url)
    host, port = parts.hostname or "", parts.port or PORTS.get(parts.scheme, 0)
    shown = f"[{host}]" if ":" in host else host
    said: dict[str, str | int] = {
        HTTP_REQUEST_METHOD: method,
        URL_FULL: f"{parts.scheme}://{shown}:{port}{parts.path}",
        URL_TEMPLATE: parts.path,
        SERVER_ADDRESS: host,
        SERVER_PORT: port,
    }
    place = PLACE.fullmatch(parts.path)
    if place:
        root, namespace, plural, name, part = place.groups()
        inside = "/namespaces/{namespace}" if namespace else ""
        said[URL_TEMPLATE] = f"{root}{inside}/{plural}" + ("/{name}" if name else "") + (f"/{part}" if part else "")
        said["dgdr.api.verb"] = VERBS.get(method) or ("get" if name else "list")
        said["dgdr.api.resource"] = f"{plural}/{part}" if part else plural
    if "dryRun=All" in parts.query:
        said["dgdr.api.dry_run"] = True
    return said


def _answered(span: Span, method: str, status: int) -> None:
    """Notes the answer. That something looked for is not there is an answer like any other."""
    span.set_attribute(HTTP_RESPONSE_STATUS_CODE, status)
    if status >= 400 and (method, status) != ("GET", 404):  # noqa: PLR2004 - the first HTTP error, and "not found"
        span.set_attribute(ERROR_TYPE, str(status))
        span.set_status(StatusCode.ERROR)


def _mark(span: Span, error: BaseException) -> None:
    """An error by its type and the lines it came through; its message may quote what a user wrote."""
    kind = f"{type(error).__module__}.{type(error).__qualname__}".removeprefix("builtins.")
    lines = "".join(traceback.format_tb(error.__traceback__))
    span.add_event("exception", {EXCEPTION_TYPE: kind, EXCEPTION_STACKTRACE: lines})
    span.set_attribute(ERROR_TYPE, kind)
    span.set_status(StatusCode.ERROR)
