"""What the chart can be told is described, typed, used, and nothing else is accepted."""

from __future__ import annotations

import copy
import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import jsonschema
import pytest
import yaml

from charts import values, write
from tests.chart.rendering import Chart, Object

ROOT = Path(__file__).parents[2]
CHART = ROOT / "charts" / "dgdr-operator"
VALUES = values.read((CHART / "values.yaml").read_text())
LEAVES = [value for value in VALUES if not value.is_group]
GROUPS = [value.path for value in VALUES if value.is_group]
UNHEARD = {
    "global": "for parent charts alone",
    "image.tag": "the digest of the sample wins",
    "crds.check": "looks at a cluster, and is tested where there is one",
}
OTHERWISE = {
    "nameOverride": 'nameOverride="other"',
    "fullnameOverride": 'fullnameOverride="other"',
    "watch.namespaces": 'watch.namespaces=["models"]',
    "replicas": "replicas=0",
    "rbac.create": "rbac.create=false",
    "rbac.nodes": 'rbac.nodes="never"',
    "rbac.existence": "rbac.existence=false",
    "serviceAccount.create": "serviceAccount.create=false",
    "pod.topologySpread": "pod.topologySpread=false",
    "podDisruptionBudget.enabled": "podDisruptionBudget.enabled=false",
    "metrics.service.enabled": 'metrics={"service": {"enabled": false}, "serviceMonitor": {"enabled": false}}',
    "modelCache.claim": 'modelCache.claim="others"',
    "modelCache.create.storageClass": 'modelCache.create.storageClass="slow"',
    "metrics.podMonitor.interval": 'metrics.podMonitor.interval="5s"',
    "metrics.dashboards.labels": 'metrics.dashboards.labels={"other": "1"}',
    "probes.liveness.periodSeconds": "probes.liveness.periodSeconds=20",
    "probes.liveness.failureThreshold": "probes.liveness.failureThreshold=9",
    "probes.readiness.periodSeconds": "probes.readiness.periodSeconds=9",
    "probes.startup.limitSeconds": "probes.startup.limitSeconds=300",
    "tests.enabled": "tests.enabled=false",
    "tracing.endpoint": 'tracing.endpoint="https://collector.example"',
}
"""Values that the sample leaves at their defaults, moved off them; all others are moved back."""


@pytest.fixture(scope="module")
def schema() -> dict[str, Any]:
    found: dict[str, Any] = json.loads((CHART / "values.schema.json").read_text())
    return found


@pytest.fixture
def told() -> dict[str, Any]:
    found: dict[str, Any] = yaml.safe_load((CHART / "values.yaml").read_text())
    return found


def test_what_is_derived_from_other_files_is_up_to_date() -> None:
    assert [path.name for path in write.stale()] == [], "run `make chart-docs`"


def test_the_chart_has_the_version_of_the_application() -> None:
    from_package = re.search(r'__version__ = "([^"]+)"', (ROOT / "operator/dgdr_operator/__init__.py").read_text())
    metadata = yaml.safe_load((CHART / "Chart.yaml").read_text())

    assert from_package
    assert metadata["appVersion"] == from_package[1]


def test_the_defaults_hold_to_the_schema(schema: dict[str, Any], told: dict[str, Any]) -> None:
    jsonschema.validate(told, schema)


@pytest.mark.parametrize("sample", sorted((CHART / "ci").glob("*.yaml")), ids=lambda path: path.stem)
def test_every_sample_holds_to_the_schema(sample: Path, schema: dict[str, Any]) -> None:
    jsonschema.validate(yaml.safe_load(sample.read_text()), schema)


@pytest.mark.parametrize("path", [(), *GROUPS], ids=lambda path: ".".join(path) or "top")
def test_no_group_takes_a_key_it_does_not_know(
    path: tuple[str, ...], schema: dict[str, Any], told: dict[str, Any]
) -> None:
    _inside(told, path)["unheardOf"] = 1

    with pytest.raises(jsonschema.ValidationError, match="unheardOf"):
        jsonschema.validate(told, schema)


@pytest.mark.parametrize("value", LEAVES, ids=lambda value: value.name)
def test_no_value_takes_another_type(value: values.Value, schema: dict[str, Any], told: dict[str, Any]) -> None:
    _inside(told, value.path[:-1])[value.path[-1]] = [{"of": "another type"}] if value.default != [] else 7

    with pytest.raises(jsonschema.ValidationError):
        jsonschema.validate(told, schema)


def test_no_object_in_the_schema_is_open_by_accident(schema: dict[str, Any]) -> None:
    kubernetes_own = {"nodeAffinity", "podAffinity", "podAntiAffinity"}

    undecided = [
        name
        for name, part in _parts(schema)
        if part.get("type") == "object" and "additionalProperties" not in part and name not in kubernetes_own
    ]

    assert undecided == []


@pytest.mark.chart
@pytest.mark.parametrize("value", [v for v in LEAVES if v.name not in UNHEARD], ids=lambda value: value.name)
def test_every_value_makes_a_difference(value: values.Value, chart: Chart, everything: list[Object]) -> None:
    changed = OTHERWISE.get(value.name, f"{value.name}={json.dumps(value.default)}")

    assert chart.render("--set-json", changed, values=CHART / "ci" / "everything.yaml") != everything


def test_a_value_without_a_comment_is_refused() -> None:
    with pytest.raises(values.Undescribed, match=r"one\.two has no comment"):
        values.read("# A group.\none:\n  two: 3\n")


def test_a_rule_that_is_no_json_is_refused_by_name() -> None:
    with pytest.raises(values.Undescribed, match="the @ line of one"):
        values.read("# Something.\n# @ {minimum: 1}\none: 3\n")


def _inside(tree: dict[str, Any], path: tuple[str, ...]) -> dict[str, Any]:
    for key in path:
        tree = tree[key]
    return tree


def _parts(schema: dict[str, Any], name: str = "") -> Iterator[tuple[str, dict[str, Any]]]:
    yield name, schema
    for key, part in schema.get("properties", {}).items():
        yield from _parts(copy.copy(part), key)
    if isinstance(schema.get("items"), dict):
        yield from _parts(schema["items"], f"{name}[]")
