"""The plan that was chosen, written beside its request, so that a measurement can be compared with it later."""

from collections.abc import Mapping
from typing import Any

from dgdr_operator.report import rows, yaml_text
from dgdr_operator.request import OWN
from estimator.estimates import Estimate
from estimator.workload import Workload

KEY = "choice.yaml"
"""Where in the ConfigMap the plan stands. A ConfigMap, so that a cluster takes the whole file as it is."""


def written(estimate: Estimate, workload: Workload, request: str) -> dict[str, Any]:
    """The object that says what was predicted for *estimate* under *workload*; *request*: name of the request."""
    content = {"isl": workload.isl, "osl": workload.osl, "prefix": workload.prefix, **rows.row(estimate)}
    metadata = {"name": f"{request}-choice", "labels": {f"{OWN}/request": request}}
    return {"apiVersion": "v1", "kind": "ConfigMap", "metadata": metadata, "data": {KEY: yaml_text.dump([content])}}


def text(found: Mapping[str, Any]) -> str | None:
    """The plan in the object *found*, as text, or None if it holds none."""
    held = found.get("data")
    return held.get(KEY) if found.get("kind") == "ConfigMap" and isinstance(held, Mapping) else None
