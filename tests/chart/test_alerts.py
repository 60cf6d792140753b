"""Alerts and dashboard speak of metrics that exist, and the alerts ring when they should."""

from __future__ import annotations

import re
import shutil
import subprocess
from pathlib import Path

import pytest
import yaml

from dgdr_operator.controller import metrics
from tests.chart.rendering import Object, of_kind

NAME = re.compile(r"\b(?:dgdr|controller_runtime|workqueue|rest_client|leader_election|process)_[a-z_]+\b")
CASES = Path(__file__).with_name("alerts.yaml")


@pytest.fixture(scope="module")
def rules(everything: list[Object]) -> Object:
    (found,) = of_kind(everything, "PrometheusRule")
    return dict(found["spec"])


def test_every_metric_in_an_alert_or_a_chart_exists(everything: list[Object], rules: Object) -> None:
    (dashboard,) = (body for body in of_kind(everything, "ConfigMap") if "dgdr-operator.json" in body["data"])
    text = yaml.safe_dump(rules) + dashboard["data"]["dgdr-operator.json"]
    exposed = {sample for family in metrics.REGISTRY.collect() for sample in _samples(family.name, family.type)}

    used = set(NAME.findall(text))

    assert len(used) > 10
    assert used - exposed == set()


def _samples(name: str, kind: str) -> set[str]:
    """The series of one metric, as Prometheus stores them."""
    match kind:
        case "counter":
            return {f"{name}_total"}
        case "histogram":
            return {f"{name}_bucket", f"{name}_count", f"{name}_sum"}
        case _:
            return {name}


def test_every_alert_says_what_to_do(rules: Object) -> None:
    for alert in rules["groups"][0]["rules"]:
        assert alert["labels"]["severity"] in {"info", "warning", "critical"}
        assert len(alert["annotations"]["description"].split()) > 7


def test_alerts_ring_when_they_should_and_not_before(rules: Object, tmp_path: Path) -> None:
    promtool = shutil.which("promtool")
    if promtool is None:
        pytest.skip("promtool is not installed: apt-get install prometheus")
    (tmp_path / "rules.yaml").write_text(yaml.safe_dump(rules))
    (tmp_path / "cases.yaml").write_text(CASES.read_text())

    done = subprocess.run(
        [promtool, "test", "rules", "cases.yaml"], cwd=tmp_path, capture_output=True, text=True, check=False
    )

    assert done.returncode == 0, done.stdout + done.stderr


def test_every_alert_has_a_case(rules: Object) -> None:
    cases = yaml.safe_load(CASES.read_text())
    rung = {ring["alertname"] for case in cases["tests"] for ring in case["alert_rule_test"] if ring.get("exp_alerts")}

    assert {alert["alert"] for alert in rules["groups"][0]["rules"]} == rung
