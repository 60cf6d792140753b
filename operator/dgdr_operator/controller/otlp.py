"""Has spans delivered to a collector, over HTTP as protobuf: from a thread of its own, out of a queue with an end.

Nothing here is ever waited for but the farewell, and that has a limit. What the library has to complain about is
said once, in our words: its own come with every batch, and may repeat a header.
"""

import logging
import os
import socket
import threading
from collections.abc import Callable, Sequence
from time import monotonic
from urllib.parse import urlsplit

from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
from opentelemetry.sdk.resources import OTELResourceDetector, Resource
from opentelemetry.sdk.trace import ReadableSpan, TracerProvider
from opentelemetry.sdk.trace.export import BatchSpanProcessor, SpanExporter, SpanExportResult

from dgdr_operator import __version__
from dgdr_operator.controller.spans import Spans

log = logging.getLogger(__name__)

LIBRARY = "opentelemetry"
HEADERS = "opentelemetry.util.re"
"""The library's logger that repeats headers which it cannot read, with what is in them."""
TIMEOUTS = ("OTEL_EXPORTER_OTLP_TRACES_TIMEOUT", "OTEL_EXPORTER_OTLP_TIMEOUT")
TIMEOUT = 5.0
"""Seconds for one delivery, its repetitions included, unless the environment says otherwise."""
WORDS = 4
"""Messages of the library that are kept at a time."""
QUIET = 600.0
"""Seconds between two complaints, however often a collector comes and goes."""


class Complaints(logging.Handler):
    """Keeps what the library says to itself, for whoever asks why; of that never what *hidden* says."""

    def __init__(self, hidden: str = "") -> None:
        super().__init__(logging.WARNING)
        self._hidden = hidden
        self.words: list[str] = []

    def emit(self, record: logging.LogRecord) -> None:
        """Remembers one message, without the value of a header; the first ones tell what the matter is."""
        said = "a header must look like name=value" if record.name == HEADERS else record.getMessage()
        if len(self.words) < WORDS:
            self.words = [*self.words, said.replace(self._hidden, "...") if self._hidden else said]

    def listen(self) -> None:
        """From here on the library speaks to this one alone."""
        library = logging.getLogger(LIBRARY)
        library.handlers, library.propagate = [self], False

    def taken(self) -> list[str]:
        """What was said since the last time."""
        said, self.words = self.words, []
        return said


class Delivery(SpanExporter):
    """Hands batches to *exporter*, and says once when they do not arrive, and when they do again."""

    def __init__(
        self, exporter: SpanExporter, where: str, complaints: Complaints, seconds: Callable[[], float] = monotonic
    ) -> None:
        self._exporter = exporter
        self._where = where
        self._complaints = complaints
        self._seconds = seconds
        self._complained: float | None = None
        self._failing = self._told = False

    def export(self, spans: Sequence[ReadableSpan]) -> SpanExportResult:
        """One batch; what does not arrive is gone."""
        result = self._exporter.export(spans)
        said, failing = self._complaints.taken(), result is not SpanExportResult.SUCCESS
        if failing and not self._failing:
            self._told = self._complain("are dropped", said)
        elif said and not failing:
            self._complain("arrive late or not at all", said)
        if self._told and not failing:
            self._told = False
            log.info("traces reach %s again", self._where)
        self._failing = failing
        return result

    def _complain(self, what: str, said: Sequence[str]) -> bool:
        """Says what becomes of the traces, and why, unless something of the kind was said a moment ago."""
        now = self._seconds()
        if self._complained is not None and now - self._complained < QUIET:
            return False
        self._complained = now
        why = said[0] if said else "no answer"
        log.warning("traces for %s %s, which is said once: %s", self._where, what, why)
        return True

    def shutdown(self) -> None:
        """Gives up what is being tried."""
        self._exporter.shutdown()

    def force_flush(self, timeout_millis: int = 30_000) -> bool:
        """Nothing is held back here."""
        return self._exporter.force_flush(timeout_millis)


def begin(url: str) -> Spans:
    """Records from here on, and delivers to *url*; all else comes from the environment, as the specification names it.

    Raises ValueError or RuntimeError where that makes no sense.
    """
    parts = urlsplit(url)
    complaints = Complaints(hidden=parts.query)
    complaints.listen()
    where = f"{parts.scheme}://{parts.netloc.rpartition('@')[2]}"
    timeout = None if any(os.environ.get(name) for name in TIMEOUTS) else TIMEOUT
    provider = TracerProvider(resource=_ourselves(), shutdown_on_exit=False)
    delivery = Delivery(OTLPSpanExporter(endpoint=url, timeout=timeout), where, complaints)
    provider.add_span_processor(BatchSpanProcessor(delivery))
    for said in complaints.taken():
        log.warning("traces: %s", said)
    log.info("traces go to %s", where)
    return Spans(provider.get_tracer("dgdr_operator", __version__), lambda seconds: deliver(provider, seconds))


def _ourselves() -> Resource:
    """Who speaks: our name, release and host, unless OTEL_SERVICE_NAME and OTEL_RESOURCE_ATTRIBUTES know better."""
    ours = {
        "service.name": "dgdr-operator",
        "service.version": __version__,
        "service.instance.id": socket.gethostname(),
    }
    return Resource.create({**ours, **OTELResourceDetector().detect().attributes})


def deliver(provider: TracerProvider, seconds: float) -> None:
    """Sends what is left; what has not arrived within *seconds* never will."""
    farewell = threading.Thread(target=provider.shutdown, name="traces", daemon=True)
    farewell.start()
    farewell.join(seconds)
    if farewell.is_alive():
        log.warning("the last traces did not arrive within %g s, and are lost", seconds)
