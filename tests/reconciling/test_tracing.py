"""Traces without a cluster: when there are any, what a span says, how little is heard of a collector that is away."""

from __future__ import annotations

import asyncio
import json
import logging
import subprocess
import sys
import threading
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest
from opentelemetry.sdk.trace import ReadableSpan, TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor, SpanExporter, SpanExportResult
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter
from opentelemetry.trace import StatusCode

from dgdr_operator.controller import otlp, tracing
from dgdr_operator.controller.clock import Clock
from dgdr_operator.controller.estimation import Estimation, Slot
from dgdr_operator.controller.spans import Spans
from dgdr_operator.errors import InvalidSetting
from dgdr_operator.settings import Settings
from tests.reconciling import errands, worlds

ALL, EXACT = "OTEL_EXPORTER_OTLP_ENDPOINT", "OTEL_EXPORTER_OTLP_TRACES_ENDPOINT"
NAMED = {ALL: "http://c:4318"}
KEY = (worlds.NAMESPACE, worlds.NAME)
LOADED = """
import json, os, sys
from dgdr_operator.controller import run, tracing
silent = tracing.begin(os.environ) is tracing.SILENT
print(json.dumps([silent, [name for name in sys.modules if name.startswith("opentelemetry")]]))
"""


@pytest.mark.parametrize(
    ("environment", "where"),
    [
        ({}, None),
        (NAMED, "http://c:4318/v1/traces"),
        ({ALL: "https://c/otel/"}, "https://c/otel/v1/traces"),
        ({EXACT: "http://c:4318/mine"}, "http://c:4318/mine"),
        ({**NAMED, EXACT: "http://other:1/x"}, "http://other:1/x"),
        ({"OTEL_TRACES_EXPORTER": "otlp"}, "http://localhost:4318/v1/traces"),
        ({**NAMED, "OTEL_TRACES_EXPORTER": "none"}, None),
        ({**NAMED, "OTEL_SDK_DISABLED": "TRUE"}, None),
        ({**NAMED, "OTEL_SDK_DISABLED": "false"}, "http://c:4318/v1/traces"),
        ({**NAMED, "OTEL_EXPORTER_OTLP_PROTOCOL": "http/protobuf"}, "http://c:4318/v1/traces"),
        ({"OTEL_SERVICE_NAME": "planner"}, None),
    ],
)
def test_spans_go_where_the_standard_variables_say(environment: dict[str, str], where: str | None) -> None:
    assert tracing.collector(environment) == where


@pytest.mark.parametrize(
    ("environment", "name"),
    [
        ({ALL: "c:4318"}, ALL),
        ({ALL: "https://"}, ALL),
        ({ALL: "http://c:port"}, ALL),
        ({ALL: "http://[::1"}, ALL),
        ({EXACT: "grpc://c:4317"}, EXACT),
        ({**NAMED, "OTEL_EXPORTER_OTLP_PROTOCOL": "grpc"}, "OTEL_EXPORTER_OTLP_PROTOCOL"),
        ({**NAMED, "OTEL_EXPORTER_OTLP_TRACES_PROTOCOL": "http/json"}, "OTEL_EXPORTER_OTLP_TRACES_PROTOCOL"),
        ({**NAMED, "OTEL_TRACES_EXPORTER": "jaeger"}, "OTEL_TRACES_EXPORTER"),
    ],
)
def test_a_wrong_variable_is_named_and_its_value_is_not(environment: dict[str, str], name: str) -> None:
    with pytest.raises(InvalidSetting) as caught:
        tracing.collector(environment)

    assert caught.value.name == name
    assert environment[name] not in str(caught.value)


@pytest.mark.parametrize("environment", [{}, {**NAMED, "OTEL_SDK_DISABLED": "true"}, {ALL: "nowhere"}])
def test_without_a_collector_nothing_of_the_library_is_imported(root: Path, environment: dict[str, str]) -> None:
    silent, loaded = json.loads(_in_a_child(root, LOADED, environment).stdout)

    assert silent
    assert loaded == []


def test_with_a_collector_it_is(root: Path) -> None:
    silent, loaded = json.loads(_in_a_child(root, LOADED, NAMED).stdout)

    assert not silent
    assert "opentelemetry.sdk.trace" in loaded


def test_packages_that_are_missing_are_named_with_the_command_that_brings_them(root: Path) -> None:
    child = _in_a_child(root, f"import sys\nsys.modules['opentelemetry'] = None\n{LOADED}", NAMED)

    assert json.loads(child.stdout)[0]
    assert child.stderr.startswith("no traces: ")
    assert "opentelemetry" in child.stderr
    assert child.stderr.endswith("; `pip install 'dgdr-operator[tracing]'` brings it\n")


def _in_a_child(root: Path, code: str, environment: dict[str, str]) -> subprocess.CompletedProcess[str]:
    child = subprocess.run(
        [sys.executable, "-c", code],
        env={"PYTHONPATH": f"{root / 'operator'}:{root}", **environment},
        capture_output=True,
        text=True,
        check=False,
    )
    assert child.returncode == 0, child.stderr
    return child


class Recorded:
    """Spans that are kept in memory, in the order in which they ended."""

    def __init__(self) -> None:
        self._kept = InMemorySpanExporter()
        provider = TracerProvider(shutdown_on_exit=False)
        provider.add_span_processor(SimpleSpanProcessor(self._kept))
        self.traces = Spans(provider.get_tracer("test"), lambda _: None)

    def said(self) -> list[tuple[str, dict[str, Any]]]:
        """Name and attributes of each."""
        return [(span.name, dict(span.attributes or {})) for span in self._kept.get_finished_spans()]

    def failures(self) -> list[str]:
        """The names of those that are errors."""
        return [span.name for span in self._kept.get_finished_spans() if span.status.status_code is StatusCode.ERROR]

    def call(self, method: str, url: str, status: int) -> dict[str, Any]:
        """What the span of one answered call says."""
        with self.traces.reconcile(KEY, 1, lambda: None), self.traces.call(method, url) as heard:
            heard(status)
        return self.said()[-2][1]


@pytest.mark.parametrize(
    ("method", "path", "template", "verb", "resource"),
    [
        ("GET", "/api/v1/nodes", "/api/v1/nodes", "list", "nodes"),
        ("GET", "/api/v1/namespaces/team", "/api/v1/namespaces/{name}", "get", "namespaces"),
        ("POST", "/apis/a/v1/namespaces/team/jobs", "/apis/a/v1/namespaces/{namespace}/jobs", "create", "jobs"),
        (
            "PATCH",
            "/apis/a/v1/namespaces/team/jobs/x/status",
            "/apis/a/v1/namespaces/{namespace}/jobs/{name}/status",
            "patch",
            "jobs/status",
        ),
        ("DELETE", "/api/v1/nodes/n", "/api/v1/nodes/{name}", "delete", "nodes"),
        ("GET", "/apis/nvidia.com", "/apis/nvidia.com", None, None),
    ],
)
def test_a_call_is_named_without_the_names_of_objects(
    method: str, path: str, template: str, verb: str | None, resource: str | None
) -> None:
    said = Recorded().call(method, f"https://user:word@[fd00::1]/{path[1:]}?continue=token&dryRun=All", 200)

    assert said["url.template"] == template
    assert (said.get("dgdr.api.verb"), said.get("dgdr.api.resource")) == (verb, resource)
    assert said["url.full"] == f"https://[fd00::1]:443{path}"
    assert (said["server.address"], said["server.port"], said["dgdr.api.dry_run"]) == ("fd00::1", 443, True)


@pytest.mark.parametrize(
    ("method", "status", "failed"),
    [("GET", 200, 0), ("GET", 404, 0), ("GET", 403, 1), ("PATCH", 404, 1), ("PUT", 500, 1)],
)
def test_a_call_fails_by_its_status_but_to_find_nothing_is_an_answer(method: str, status: int, failed: int) -> None:
    recorded = Recorded()

    said = recorded.call(method, "https://api/api/v1/nodes/x", status)

    assert len(recorded.failures()) == failed
    assert said.get("error.type") == (str(status) if failed else None)


def test_what_is_left_in_the_middle_is_an_error_that_is_not_quoted() -> None:
    recorded = Recorded()

    with pytest.raises(ZeroDivisionError), recorded.traces.reconcile(KEY, 7, lambda: {"status": {"phase": "Ready"}}):
        raise ZeroDivisionError("a secret")

    ((name, said),) = recorded.said()
    assert (name, recorded.failures()) == ("reconcile", ["reconcile"])
    assert said == {
        "dgdr.namespace": KEY[0],
        "dgdr.name": KEY[1],
        "dgdr.reconcile": 7,
        "dgdr.phase.before": "Ready",
        "dgdr.phase.after": "Ready",
        "dgdr.outcome": "error",
        "error.type": "ZeroDivisionError",
    }


async def test_a_question_ends_with_its_answer_when_it_is_overtaken_and_when_all_ends() -> None:
    recorded, rung = Recorded(), asyncio.Queue[tuple[str, str]]()
    slot = Slot(0.2, errands.plans)
    estimation = Estimation([slot], Settings(), rung.put_nowait, Clock(), recorded.traces)
    with recorded.traces.reconcile(KEY, 1, lambda: None):
        for model in ("overtaken", "hang"):
            estimation.answer({**worlds.request(), "spec": {"model": model}}, None)
    work = asyncio.create_task(estimation.work())
    await rung.get()
    work.cancel()
    await asyncio.gather(work, return_exceptions=True)
    with recorded.traces.reconcile(KEY, 2, lambda: None):
        estimation.answer({**worlds.request(), "spec": {"model": "too late"}}, None)
    estimation.close()
    recorded.traces.close(0.0)

    results = [said["dgdr.estimate.result"] for name, said in recorded.said() if name == "estimate"]
    assert results == ["superseded", "timed-out", "abandoned"]
    assert recorded.failures() == ["estimate"]


class Flaky(SpanExporter):
    """Delivers as it is told to, and complains as the library does."""

    def __init__(self) -> None:
        self.well = True
        self.released = threading.Event()

    def export(self, spans: Sequence[ReadableSpan]) -> SpanExportResult:
        """Success or failure."""
        del spans
        if self.well:
            return SpanExportResult.SUCCESS
        logging.getLogger("opentelemetry.exporter").error("Failed to reach /v1/traces?key=%s", "hidden")
        return SpanExportResult.FAILURE

    def shutdown(self) -> None:
        """Does not end before it is released."""
        self.released.wait()


def test_a_collector_that_comes_and_goes_is_complained_of_once_in_ten_minutes(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO)
    complaints, exporter, now = otlp.Complaints(hidden="key=hidden"), Flaky(), [0.0]
    complaints.listen()
    delivery = otlp.Delivery(exporter, "http://c", complaints, lambda: now[0])
    for second, well in ((0, True), (1, False), (2, False), (3, True), (4, False), (5, True), (900, False)):
        now[0], exporter.well = second, well
        delivery.export(())

    assert caplog.messages == [
        "traces for http://c are dropped, which is said once: Failed to reach /v1/traces?...",
        "traces reach http://c again",
        "traces for http://c are dropped, which is said once: Failed to reach /v1/traces?...",
    ]


def test_a_full_queue_is_complained_of_though_what_is_sent_arrives(caplog: pytest.LogCaptureFixture) -> None:
    complaints = otlp.Complaints()
    complaints.listen()
    delivery = otlp.Delivery(Flaky(), "http://c", complaints)
    for _ in range(3):
        logging.getLogger("opentelemetry.sdk").warning("Queue full, dropping Span.")
        delivery.export(())

    assert caplog.messages == [
        "traces for http://c arrive late or not at all, which is said once: Queue full, dropping Span."
    ]


def test_a_header_that_cannot_be_read_is_not_repeated(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setenv("OTEL_EXPORTER_OTLP_HEADERS", "a secret without a name")

    otlp.begin("http://user:word@127.0.0.1:1/v1/traces").close(1.0)

    assert [message for message in caplog.messages if "header" in message] == [
        "traces: a header must look like name=value"
    ]
    assert "secret" not in caplog.text
    assert "word" not in caplog.text


def test_a_farewell_that_takes_too_long_is_cut_short_and_says_so(caplog: pytest.LogCaptureFixture) -> None:
    exporter = Flaky()
    provider = TracerProvider(shutdown_on_exit=False)
    provider.add_span_processor(SimpleSpanProcessor(exporter))

    otlp.deliver(provider, 0.01)
    exporter.released.set()

    assert caplog.messages == ["the last traces did not arrive within 0.01 s, and are lost"]
