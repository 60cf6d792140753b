"""A running graph on trial: the Job that measures it, and what its numbers say about the promises. Pure."""

import json
from collections.abc import Mapping
from typing import Any, Literal

from dgdr_operator.controller.world import Object, World
from dgdr_operator.errors import NoMeasurement
from dgdr_operator.planned import Planned
from dgdr_operator.report import measured
from dgdr_operator.request import OWN

TYPE = "Validated"
"""Type of the condition. It has a field manager of its own: the rest of the status does not know of it."""
PREDICTED = f"{OWN}/predicted"
SUFFIX = "-aiperf"
"""What a Job's name has beside its graph's."""
FINAL = frozenset({"PromisesKept", "PromisesBroken", "MeasurementFailed"})
"""Reasons with which a trial has ended."""
METRICS = {
    "ttft_ms": ("time_to_first_token", "ttft", " ms"),
    "itl_ms": ("inter_token_latency", "itl", " ms"),
    "request_latency_ms": ("request_latency", "request", " ms"),
    "tokens_per_second": ("output_token_throughput", "output", " tokens/s"),
}
"""What was promised -> AIPerf's name of it, and how it is told."""

State = Literal["running", "complete", "failed"]


def wanted(world: World, plan: Planned) -> Object | None:
    """The Job that *plan* still needs: named after the plan, owned by the request; None when its trial has ended."""
    if plan.benchmark is None:
        return None
    job = _for(plan, plan.benchmark)
    request, name = world.request["metadata"], f"{job['metadata']['name']}-{(plan.hash or 'plan')[:5]}"
    known = standing(world.request)
    if known.get("reason") in FINAL and str(known.get("message", "")).startswith(f"{name}:"):
        return None
    kind = {key: world.request[key] for key in ("apiVersion", "kind")}
    owner = {**kind, "name": request["name"], "uid": request["uid"]}
    metadata = {**job["metadata"], "name": name, "namespace": request["namespace"], "ownerReferences": [owner]}
    return {**job, "metadata": metadata}


def _for(plan: Planned, job: Object) -> dict[str, Any]:
    """*job*, sent to the graph under the name that it has beside another one."""
    planned = str(job["metadata"]["name"]).removesuffix(SUFFIX)
    found: dict[str, Any] = json.loads(json.dumps(job).replace(f"//{planned}-", f"//{plan.name}-"))
    return {**found, "metadata": {**found["metadata"], "name": f"{plan.name}{SUFFIX}"}}


def standing(request: Object) -> Mapping[str, Any]:
    """The live condition, empty if there is none."""
    said = (request.get("status") or {}).get("conditions") or ()
    return next((one for one in said if one.get("type") == TYPE), {})


def state(job: Object) -> State:
    """How far the Job is."""
    said = (job.get("status") or {}).get("conditions") or ()
    ended = {one.get("type") for one in said if one.get("status") == "True"}
    return "failed" if "Failed" in ended else "complete" if "Complete" in ended else "running"


def running(job: Object) -> dict[str, str]:
    """The condition while it measures."""
    return _condition(job, "Unknown", "Measuring", "the graph is being measured under the load of its plan")


def denied(job: Object, why: str) -> dict[str, str]:
    """The condition where a right is missing."""
    return _condition(job, "Unknown", "PermissionMissing", why)


def failed(job: Object, last_words: str) -> dict[str, str]:
    """The condition when the Job has ended without numbers."""
    said = " ".join(last_words.split())[-300:]
    return _condition(job, "Unknown", "MeasurementFailed", f"the Job failed{f': {said}' if said else ''}; see its log")


def verdict(job: Object, last_words: str) -> dict[str, str]:
    """The condition that the container's *last_words*, AIPerf's averages, lead to."""
    promised = _promised(job)
    try:
        averages = measured.from_json("the Job", last_words)
    except NoMeasurement as problem:
        return failed(job, str(problem))
    lines = list(_lines(promised, averages))
    if not lines:
        return failed(job, "it measured nothing that was predicted")
    targets = promised.get("targets") or {}
    broken = [name for name, limit in targets.items() if averages.get(METRICS[name][0], 0.0) > limit]
    if broken:
        return _condition(job, "False", "PromisesBroken", "; ".join(lines))
    return _condition(job, "True", "PromisesKept", "; ".join(lines))


def _lines(promised: Mapping[str, Any], averages: Mapping[str, float]) -> list[str]:
    """`ttft 209 ms, 214 ms predicted, 600 ms at most`, and so on for everything that was both promised and measured."""
    targets, found = promised.get("targets") or {}, []
    for name, (tag, title, unit) in METRICS.items():
        if name in promised and tag in averages:
            limit = f", {targets[name]:.4g}{unit} at most" if name in targets else ""
            found.append(f"{title} {averages[tag]:.4g}{unit}, {promised[name]:.4g}{unit} predicted{limit}")
    return found


def _promised(job: Object) -> dict[str, Any]:
    found = json.loads((job["metadata"].get("annotations") or {}).get(PREDICTED, "{}"))
    return found if isinstance(found, dict) else {}


def _condition(job: Object, stand: str, reason: str, message: str) -> dict[str, str]:
    return {"type": TYPE, "status": stand, "reason": reason, "message": f"{job['metadata']['name']}: {message}"}
