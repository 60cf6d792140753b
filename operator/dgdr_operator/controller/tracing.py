"""Spans of what the controller does, where the environment names a collector; otherwise nothing, at no cost.

Who records is handed down from `run`, and is silent by default. The library behind it is imported by `otlp` alone.
"""

import logging
from collections.abc import Callable, Mapping
from contextlib import AbstractContextManager, nullcontext
from importlib import import_module
from typing import Any, Protocol
from urllib.parse import urlsplit

from dgdr_operator.errors import InvalidSetting

log = logging.getLogger(__name__)

OTLP = "dgdr_operator.controller.otlp"
ENDPOINT, ENDPOINT_OF_ALL = "OTEL_EXPORTER_OTLP_TRACES_ENDPOINT", "OTEL_EXPORTER_OTLP_ENDPOINT"
PROTOCOLS = ("OTEL_EXPORTER_OTLP_TRACES_PROTOCOL", "OTEL_EXPORTER_OTLP_PROTOCOL")
EXPORTER, DISABLED = "OTEL_TRACES_EXPORTER", "OTEL_SDK_DISABLED"
SPOKEN = "http/protobuf"
BESIDE = "http://localhost:4318"
"""The collector that the specification means where none is named: one in the same pod."""

Question = tuple[tuple[str, str], str, str]
"""What an estimate answers, as `estimation` tells questions apart."""


class Traces(Protocol):
    """What can be told of a reconcile and of what it asks others; who tells need not know whether anyone listens."""

    def reconcile(
        self, key: tuple[str, str], number: int, look: Callable[[], Mapping[str, Any] | None]
    ) -> AbstractContextManager[None]:
        """One reconcile, the *number*-th; *look* shows the request as it is known, before and afterwards."""

    def failed(self, error: BaseException) -> None:
        """The reconcile in hand ended in *error*."""

    def call(self, method: str, url: str) -> AbstractContextManager[Callable[[int], None]]:
        """One call to the API server; what it gives takes the status of the answer."""

    def asked(self, question: Question) -> None:
        """The reconcile in hand asked what nobody has asked yet."""

    def began(self, question: Question) -> None:
        """A process begins to plan."""

    def answered(self, question: Question, result: str) -> None:
        """Planning has ended, or the question was withdrawn."""

    def recalled(self, question: Question, result: str) -> None:
        """The reconcile in hand asked what had been answered before."""

    def close(self, seconds: float) -> None:
        """Delivers what was recorded, within *seconds*; nothing is recorded any more."""


class Silence:
    """Nobody listens."""

    def reconcile(
        self, key: tuple[str, str], number: int, look: Callable[[], Mapping[str, Any] | None]
    ) -> AbstractContextManager[None]:
        """Nothing."""
        del key, number, look
        return _NOTHING

    def failed(self, error: BaseException) -> None:
        """Nothing."""

    def call(self, method: str, url: str) -> AbstractContextManager[Callable[[int], None]]:
        """Nothing."""
        del method, url
        return _UNHEARD

    def asked(self, question: Question) -> None:
        """Nothing."""

    def began(self, question: Question) -> None:
        """Nothing."""

    def answered(self, question: Question, result: str) -> None:
        """Nothing."""

    def recalled(self, question: Question, result: str) -> None:
        """Nothing."""

    def close(self, seconds: float) -> None:
        """Nothing."""


def unheard(status: int) -> None:
    """Takes the status of an answer that nobody asked about."""
    del status


_NOTHING = nullcontext()
_UNHEARD = nullcontext(unheard)
SILENT: Traces = Silence()


def begin(environ: Mapping[str, str]) -> Traces:
    """Who records, as *environ* says. What is wrong with that is said once: requests are served without traces, too."""
    try:
        url = collector(environ)
        if url is None:
            return SILENT
        recording: Traces = import_module(OTLP).begin(url)
    except ModuleNotFoundError as error:
        log.error("no traces: %s; `pip install 'dgdr-operator[tracing]'` brings it", error)  # noqa: TRY400 - a sentence for people, no traceback
    except (InvalidSetting, ValueError, RuntimeError, OSError) as error:
        log.error("no traces: %s", error)  # noqa: TRY400 - a sentence for people, no traceback
    else:
        return recording
    return SILENT


def collector(environ: Mapping[str, str]) -> str | None:
    """Where spans go, None for nowhere. Raises InvalidSetting, which repeats no value: an address may hold a secret."""
    chosen = environ.get(EXPORTER, "").strip().lower()
    if environ.get(DISABLED, "").strip().lower() == "true" or chosen == "none":
        return None
    exact, general = environ.get(ENDPOINT, "").strip(), environ.get(ENDPOINT_OF_ALL, "").strip()
    if not (exact or general or chosen):
        return None
    if chosen not in ("", "otlp"):
        raise InvalidSetting(EXPORTER, "must be otlp or none")
    protocol = next((name for name in PROTOCOLS if environ.get(name)), "")
    if protocol and environ[protocol] != SPOKEN:
        raise InvalidSetting(protocol, f"must be {SPOKEN}, the only protocol that is spoken here")
    _check(ENDPOINT if exact else ENDPOINT_OF_ALL, exact or general or BESIDE)
    return exact or f"{(general or BESIDE).rstrip('/')}/v1/traces"


def _check(name: str, url: str) -> None:
    try:
        parts = urlsplit(url)
        sound = parts.scheme in ("http", "https") and bool(parts.hostname) and parts.port != 0
    except ValueError:
        sound = False
    if not sound:
        raise InvalidSetting(name, "must be an address such as http://collector.observability:4318")
