"""Traces are off until a collector is named, and then the pod knows it, may reach it, and brings its headers."""

from __future__ import annotations

import pytest

from dgdr_operator.controller import tracing
from tests.chart.rendering import Chart, Object, Refused, container, of_kind

ON = "--set=tracing.enabled=true,tracing.endpoint="
DNS_AND_API_SERVER = {53, 443, 6443}


def environment(objects: list[Object]) -> dict[str, str]:
    """The variables of the controller that have a value in plain sight."""
    return {entry["name"]: entry["value"] for entry in container(objects)["env"] if "value" in entry}


def reached(objects: list[Object]) -> set[int]:
    """The ports that the controller may call."""
    (policy,) = of_kind(objects, "NetworkPolicy")
    return {port["port"] for rule in policy["spec"]["egress"] for port in rule["ports"]}


def test_by_default_the_controller_hears_of_no_collector_and_may_not_call_one(
    chart: Chart, plain: list[Object]
) -> None:
    guarded = chart.render("--set=networkPolicy.enabled=true")

    assert [name for name in environment(plain) if name.startswith("OTEL")] == []
    assert tracing.collector(environment(plain)) is None
    assert reached(guarded) == DNS_AND_API_SERVER


def test_what_is_said_of_traces_arrives(everything: list[Object]) -> None:
    said = environment(everything)

    assert tracing.collector(said) == "http://collector.observability:4318/v1/traces"
    assert said["OTEL_SERVICE_NAME"] == "planner"
    assert (said["OTEL_TRACES_SAMPLER"], said["OTEL_TRACES_SAMPLER_ARG"]) == ("parentbased_traceidratio", "0.25")
    assert said["OTEL_RESOURCE_ATTRIBUTES"] == "deployment.environment.name=production"


def test_headers_come_from_a_secret_and_stand_nowhere_else(chart: Chart, everything: list[Object]) -> None:
    (headers,) = (entry for entry in container(everything)["env"] if entry["name"] == "OTEL_EXPORTER_OTLP_HEADERS")
    without = container(chart.render(f"{ON}http://c:4318"))["env"]

    assert headers == {
        "name": "OTEL_EXPORTER_OTLP_HEADERS",
        "valueFrom": {"secretKeyRef": {"name": "collector", "key": "authorization", "optional": True}},
    }
    assert "OTEL_EXPORTER_OTLP_HEADERS" not in [entry["name"] for entry in without]


@pytest.mark.parametrize(
    ("endpoint", "behind", "ports"),
    [
        ("http://c:4318", [], {4318}),
        ("http://c.example", [], {80}),
        ("https://c.example/otel", [], {443}),
        ("https://[fd00::1]:4318", [], {4318}),
        ("http://c", [4318], {80, 4318}),
        ("http://c:4318", [4318], {4318}),
    ],
)
def test_the_network_policy_lets_out_to_the_collector(
    chart: Chart, endpoint: str, behind: list[int], ports: set[int]
) -> None:
    pods = f"--set-json=tracing.podPorts={behind}"

    objects = chart.render(f"{ON}{endpoint}", pods, "--set=networkPolicy.enabled=true")

    assert reached(objects) == DNS_AND_API_SERVER | ports


@pytest.mark.parametrize("ratio", ["0", "1", "0.001"])
@pytest.mark.parametrize("how", ["--set", "--set-json"])
def test_a_ratio_arrives_however_it_is_given(chart: Chart, how: str, ratio: str) -> None:
    objects = chart.render(f"{ON}http://c:4318", f"{how}=tracing.samplingRatio={ratio}")

    assert float(environment(objects)["OTEL_TRACES_SAMPLER_ARG"]) == float(ratio)


def test_traces_without_an_address_are_refused_with_an_example(chart: Chart) -> None:
    with pytest.raises(Refused, match=r"tracing\.enabled needs tracing\.endpoint.*http://"):
        chart.render("--set=tracing.enabled=true")
