"""Traces of the whole controller, as a collector receives them: what they say, hide, and never break."""

from __future__ import annotations

import asyncio
import json
import os
from collections.abc import AsyncIterator, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from dgdr_operator.controller import tracing
from dgdr_operator.controller.cluster import Cluster
from e2e.operator_process import Controller
from tests.cluster.user import GRAPHS, NAMESPACE, REQUESTS, User
from tests.fakes.asked import Asked, Fault
from tests.fakes.collector import Collector, Span
from tests.fakes.server import ApiServer

SECRETS = ("top-secret-header", "body-of-a-request", "words-of-a-webhook", "bearer")
STATUS_CALL = "PATCH /apis/nvidia.com/v1beta1/namespaces/{namespace}/dynamographdeploymentrequests/{name}/status"
GRAPH_CALL = "PATCH /apis/nvidia.com/v1beta1/namespaces/{namespace}/dynamographdeployments/{name}"


@pytest.fixture
async def collector(monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[Collector]:
    """A collector that the environment names, and that is told at once."""
    running = Collector()
    await running.start()
    monkeypatch.setenv("OTEL_EXPORTER_OTLP_ENDPOINT", running.url)
    monkeypatch.setenv("OTEL_EXPORTER_OTLP_HEADERS", "authorization=Bearer%20top-secret-header")
    monkeypatch.setenv("OTEL_BSP_SCHEDULE_DELAY", "50")
    yield running
    await running.stop()


@pytest.fixture
async def cluster(server: ApiServer, collector: Collector) -> AsyncIterator[Cluster]:
    """A connection to the API server whose calls are traced."""
    del server, collector  # must listen
    traces = tracing.begin(os.environ)
    connection = await Cluster.connect(traces=traces)
    yield connection
    await connection.close()
    await asyncio.to_thread(traces.close, 5.0)


async def arrived(collector: Collector, user: User, name: str, **attributes: object) -> list[Span]:
    """The spans of that name with these *attributes*, as soon as there are any and their parents have come, too."""

    def look() -> list[Span]:
        return [] if collector.orphans else collector.named(name, **attributes)

    await user.wait(look, f"a span {name} with {attributes}")
    return look()


@pytest.mark.usefixtures("controller")
async def test_a_reconcile_is_a_span_that_says_whose_it_was_and_what_it_changed(
    user: User, collector: Collector
) -> None:
    await user.ask("chat")
    await user.wait_phase("chat", "Deploying")

    said = (await arrived(collector, user, "reconcile", dgdr_phase_after="Deploying"))[0].attributes

    assert (said["dgdr.namespace"], said["dgdr.name"]) == (NAMESPACE, "chat")
    assert said["dgdr.uid"] == user.request("chat")["metadata"]["uid"]
    assert said["dgdr.generation"] == 1
    assert said["dgdr.outcome"] == "success"
    assert isinstance(said["dgdr.reconcile"], int)
    assert {span.parent for span in collector.named("reconcile")} == {""}
    assert collector.resources[0]["service.name"] == "dgdr-operator"


@pytest.mark.usefixtures("controller")
async def test_calls_to_the_api_server_are_below_the_reconcile_that_made_them(
    user: User, collector: Collector, server: ApiServer
) -> None:
    await user.ask("chat")

    (call,) = await arrived(collector, user, GRAPH_CALL)

    (parent,) = (span for span in collector.named("reconcile") if span.id == call.parent)
    assert parent.trace == call.trace
    assert call.attributes["http.request.method"] == "PATCH"
    assert call.attributes["http.response.status_code"] in (200, 201)
    assert f"{call.attributes['server.address']}:{call.attributes['server.port']}" == server.url.partition("//")[2]
    assert (
        call.attributes["url.full"] == f"{server.url}/apis/nvidia.com/v1beta1/namespaces/{NAMESPACE}/{GRAPHS}/chat-dgd"
    )
    assert (call.attributes["dgdr.api.verb"], call.attributes["dgdr.api.resource"]) == ("patch", GRAPHS)
    assert not call.failed


@pytest.mark.usefixtures("controller")
async def test_lists_and_other_calls_that_serve_no_request_are_left_out(user: User, collector: Collector) -> None:
    await user.ask("chat")
    await arrived(collector, user, GRAPH_CALL)

    reconciles = {span.trace for span in collector.named("reconcile")}
    assert {span.trace for span in collector.spans} == reconciles
    assert "nodes" not in {span.attributes.get("dgdr.api.resource") for span in collector.spans}


@pytest.mark.usefixtures("controller")
async def test_a_question_is_timed_and_the_answer_points_to_where_it_was_found(
    user: User, collector: Collector
) -> None:
    await user.ask("chat")

    told, *_ = await arrived(collector, user, "estimate", dgdr_estimate_cached=True)
    (asked,) = await arrived(collector, user, "estimate", dgdr_estimate_cached=False)

    assert asked.attributes["dgdr.estimate.result"] == told.attributes["dgdr.estimate.result"] == "planned"
    for which in ("wait", "plan"):
        seconds = asked.attributes[f"dgdr.estimate.{which}_seconds"]
        assert isinstance(seconds, float)
        assert seconds >= 0
    assert [event.name for event in asked.events] == ["planning begins"]
    assert told.links == [asked.id]
    assert {asked.parent, told.parent} <= {span.id for span in collector.named("reconcile")}


@pytest.mark.usefixtures("controller")
async def test_a_refusal_is_an_answer_and_no_error(user: User, collector: Collector) -> None:
    await user.ask("chat", model="nobody/has-ever-heard-of-it")
    await user.wait_phase("chat", "Failed")

    (asked,) = await arrived(collector, user, "estimate", dgdr_estimate_cached=False)

    assert asked.attributes["dgdr.estimate.result"] == "unsupported"
    assert not asked.failed


@pytest.mark.usefixtures("controller")
async def test_an_error_marks_the_call_and_the_reconcile_and_quotes_nobody(
    user: User, collector: Collector, server: ApiServer
) -> None:
    left = [Fault(status=500, message="words-of-a-webhook about body-of-a-request")]
    server.fault = lambda asked: left.pop() if left and writes_status(asked) else None
    await user.ask("chat")

    failed, *_ = await arrived(collector, user, "reconcile", dgdr_outcome="error")
    call = next(span for span in collector.children(failed) if span.failed)

    assert failed.failed
    assert call.name == STATUS_CALL
    assert (call.attributes["http.response.status_code"], call.attributes["error.type"]) == (500, "500")
    assert failed.attributes["error.type"] == "dgdr_operator.controller.errors.Unavailable"
    (event,) = failed.events
    assert event.attributes["exception.type"] == failed.attributes["error.type"]
    assert "write_status" in str(event.attributes["exception.stacktrace"])
    assert (failed.remark, call.remark) == ("", "")
    assert [word for word in SECRETS if word.encode() in collector.raw.lower()] == []


@pytest.mark.usefixtures("controller")
async def test_no_secret_no_token_and_no_body_is_in_any_span(
    user: User, collector: Collector, server: ApiServer
) -> None:
    left = [Fault(status=422, message="words-of-a-webhook about body-of-a-request")]
    server.fault = lambda asked: left.pop() if left and asked.resource == GRAPHS and asked.writes else None
    await user.ask("chat", overrides={"dgd": {"metadata": {"annotations": {"example.org/x": "body-of-a-request"}}}})
    await user.wait_phase("chat", "Failed")
    await arrived(collector, user, "reconcile", dgdr_phase_after="Failed")

    assert any("top-secret-header" in sent.get("authorization", "") for sent in collector.headers)
    assert any("body-of-a-request" in json.dumps(body) for body in server.store.objects[REQUESTS].values())
    assert [word for word in SECRETS if word.encode() in collector.raw.lower()] == []


def writes_status(asked: Asked) -> bool:
    """An apply of a request's status."""
    return asked.verb == "patch" and asked.resource == f"{REQUESTS}/status"


@contextmanager
def process(folder: Path) -> Iterator[Controller]:
    """The controller in a process of its own, at the cluster and the collector that the environment names."""
    log, kubeconfig = folder / "log", Path(os.environ["KUBECONFIG"])
    controller = Controller(["dgdr_operator"], ["--all-namespaces"], kubeconfig=kubeconfig, log=log)
    try:
        yield controller
    finally:
        controller.close()


def lines(controller: Controller) -> list[dict[str, object]]:
    """What it logged."""
    return [json.loads(line) for line in controller.log.read_text().splitlines()]


async def served(controller: Controller, user: User) -> int | None:
    """Starts it, has a request served, stops it; answers with the exit code."""
    await asyncio.to_thread(controller.start)
    await user.ask("chat")
    await user.wait_phase("chat", "Deploying")
    return await asyncio.to_thread(controller.stop)


@pytest.mark.usefixtures("server")
async def test_the_log_names_the_trace_and_sigterm_delivers_what_is_left(
    user: User, collector: Collector, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("OTEL_BSP_SCHEDULE_DELAY", "600000")
    monkeypatch.setenv("OTEL_SERVICE_NAME", "planner")
    with process(tmp_path) as controller:
        code = await served(controller, user)
        said = lines(controller)

    (planned,) = (line for line in said if line["message"] == "now Deploying")
    (reconcile,) = (span for span in collector.named("reconcile") if span.trace == planned["trace_id"])
    assert code == 0
    assert planned["reconcile"] == reconcile.attributes["dgdr.reconcile"]
    assert planned["uid"] == reconcile.attributes["dgdr.uid"]
    assert collector.resources[0]["service.name"] == "planner"
    assert {line["message"] for line in said} >= {f"traces go to {collector.url}"}


@pytest.mark.usefixtures("server")
async def test_what_is_not_sampled_is_neither_sent_nor_named_in_the_log(
    user: User, collector: Collector, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("OTEL_TRACES_SAMPLER", "parentbased_traceidratio")
    monkeypatch.setenv("OTEL_TRACES_SAMPLER_ARG", "0")
    with process(tmp_path) as controller:
        code = await served(controller, user)
        said = lines(controller)

    assert code == 0
    assert collector.spans == []
    assert [line for line in said if "trace_id" in line] == []


@pytest.mark.usefixtures("server")
@pytest.mark.parametrize("how", ["refusing", "silent", "absent"])
async def test_requests_are_served_and_one_line_is_logged_while_the_collector_is_down(
    how: str, user: User, collector: Collector, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("OTEL_EXPORTER_OTLP_TIMEOUT", "0.3")
    collector.status, collector.silent = (503 if how == "refusing" else 200), how == "silent"
    if how == "absent":
        await collector.stop()
    with process(tmp_path) as controller:
        await asyncio.to_thread(controller.start)
        for name in ("first", "second", "third"):
            await user.ask(name)
            await user.wait_phase(name, "Deploying")
        await user.wait(lambda: "are dropped" in controller.log.read_text(), "the complaint")
        code = await asyncio.to_thread(controller.stop)
        said = lines(controller)

    about = [line for line in said if "trace" in str(line["message"]) or "opentelemetry" in str(line["logger"])]
    assert code == 0
    assert [line["level"] for line in about] == ["info", "warning"]
    assert f"traces for {collector.url} are dropped, which is said once: " in str(about[1]["message"])


@pytest.mark.usefixtures("server")
@pytest.mark.parametrize(
    ("environment", "wrong"),
    [
        ({"OTEL_EXPORTER_OTLP_ENDPOINT": "collector:4318"}, "OTEL_EXPORTER_OTLP_ENDPOINT must be an address such as"),
        ({"OTEL_EXPORTER_OTLP_PROTOCOL": "grpc"}, "OTEL_EXPORTER_OTLP_PROTOCOL must be http/protobuf"),
        ({"OTEL_BSP_MAX_QUEUE_SIZE": "-1"}, "max_queue_size must be a positive integer"),
    ],
)
async def test_what_is_wrong_with_the_environment_is_said_in_one_line_at_the_start_and_requests_are_served(
    environment: dict[str, str],
    wrong: str,
    user: User,
    collector: Collector,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    for name, value in environment.items():
        monkeypatch.setenv(name, value)
    with process(tmp_path) as controller:
        code = await served(controller, user)
        said = lines(controller)

    (line,) = (line for line in said if "traces" in str(line["message"]))
    assert code == 0
    assert said[0] == line
    assert line["level"] == "error"
    assert str(line["message"]).startswith(f"no traces: {wrong}")
    assert collector.asked == 0
