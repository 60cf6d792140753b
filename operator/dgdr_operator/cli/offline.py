"""Puts a plan where no cluster was looked at: the request that would ask for it, and the site it is written for."""

import re
from dataclasses import dataclass
from typing import Any

from dgdr_operator import spec
from dgdr_operator.manifest import fabric, releases
from dgdr_operator.manifest.sites import Place, Site
from dgdr_operator.report.asked import Asked
from dgdr_operator.request import OWN, ApiVersion, Runtime
from dgdr_operator.settings import Settings
from estimator import catalogue
from estimator.estimates import Estimate, Mode
from estimator.hardware import System
from estimator.pins import FREE, Pins
from perf_db.catalog import Catalog
from perf_db.errors import PerfDatabaseError

_FABRIC = "ib=rdma/ib"
"""The device of NVIDIA's InfiniBand device plugin, asked for where no node is there to look at."""

_LONGEST_NAME = 30
_SHORT: dict[Mode, str] = {"aggregated": "agg", "disaggregated": "disagg"}
_NOT_IN_NAMES = re.compile(r"[^a-z0-9]+")


@dataclass(frozen=True, slots=True, kw_only=True)
class Ground:
    """What a plan from the command line stands on instead of a cluster."""

    asked: Asked
    system: System
    settings: Settings
    catalog: Catalog


def site(ground: Ground, estimate: Estimate, kv_cache: str) -> Site:
    """The site of *estimate*, an answer to what was asked; kv_cache: type of the cached keys and values.

    Raises what the request's reader and the table of releases refuse.
    """
    settings, system = ground.settings, ground.system
    request = spec.read(request_body(ground, estimate))
    target = releases.target(request.runtime, settings.dynamo_version, settings.registry)
    usual: ApiVersion = "v1beta1" if target.release.beta_graphs else "v1alpha1"
    wanted = request.knobs.fabric or settings.fabric.profile
    apart = estimate.mode == "disaggregated"
    return Site(
        request=request,
        settings=settings,
        target=target,
        api=settings.graph_versions[0] if settings.graph_versions else usual,
        fabric=fabric.find(None, wanted, settings.fabric) if apart else fabric.NOTHING,
        place=Place(node_gpus=system.node.gpus, gpu_capacity=system.gpu.memory_capacity),
        context=ground.asked.model.max_position,
        gated=catalogue.is_gated(ground.asked.model.name),
        experts=experts.count if (experts := ground.asked.model.experts) else 0,
        kv_dtype="fp8" if kv_cache.startswith("fp8") else "auto",
    )


def request_body(ground: Ground, estimate: Estimate, pins: Pins = FREE) -> dict[str, Any]:
    """The DynamoGraphDeploymentRequest that asks for what the flags asked, answered by *estimate*'s mode and engine.

    pins: what is to be decided of the answer.
    """
    asked = ground.asked
    name = f"{_name(asked.model.name)}-{_SHORT[estimate.mode]}"
    hardware = {"gpuSku": asked.system, "totalGpus": asked.gpus, "numGpusPerNode": ground.system.node.gpus}
    return {
        "apiVersion": "nvidia.com/v1beta1",
        "kind": "DynamoGraphDeploymentRequest",
        "metadata": {"name": name} | _annotations(estimate, ground, pins),
        "spec": {
            "model": asked.model.name,
            "backend": estimate.backend,
            **_image(ground, estimate),
            "hardware": hardware,
            "workload": _workload(asked),
            **({"sla": promised} if (promised := _sla(asked.record())) else {}),
        },
    }


def _image(ground: Ground, estimate: Estimate) -> dict[str, str]:
    """The newest Dynamo whose engine the estimate's measurements speak for, unless the usual one is such."""
    settings, backend = ground.settings, estimate.backend
    usual = releases.target(Runtime(), settings.dynamo_version, settings.registry).release
    if not estimate.backend_version:
        return {}
    for release in (usual, *reversed(releases.RELEASES)):
        if _measured(ground, backend, release.engines[backend]) == estimate.backend_version:
            minor = ".".join(map(str, release.minor))
            image = f"{settings.registry}/{releases.RUNTIMES[backend]}:{minor}.0"
            return {} if release is usual else {"image": image}
    return {}


def _measured(ground: Ground, backend: str, version: str) -> str:
    """The version of the measurements that answer for this engine; "" for none."""
    try:
        return ground.catalog.resolve(ground.asked.system, backend, version).pack.version
    except PerfDatabaseError:
        return ""


def _workload(asked: Asked) -> dict[str, Any]:
    load = {"concurrency": asked.workload.concurrency, "requestRate": asked.workload.request_rate}
    return _given(isl=asked.workload.isl, osl=asked.workload.osl, **load)


def unsaid(asked: Asked) -> str:
    """Comments on what was asked and a request has no field for."""
    lost = [f"--prefix {asked.workload.prefix}"] if asked.workload.prefix else []
    lost += [f"--drafts {asked.workload.drafts}"] if asked.workload.drafts else []
    lost += [f"--database-mode {asked.database_mode}"] if asked.database_mode != "hybrid" else []
    if asked.targets.e2e is not None and (asked.targets.ttft is not None or asked.targets.itl is not None):
        lost.append("--ttft and --itl beside --request-latency")
    return "".join(f"# {flag}: asked for, but a request cannot say it\n" for flag in lost)


def _annotations(estimate: Estimate, ground: Ground, pins: Pins) -> dict[str, Any]:
    """Without nodes to look at, a plan that needs RDMA must name its device, unless the settings do."""
    settings = ground.settings
    known = estimate.mode == "aggregated" or settings.fabric.resource or settings.fabric.profile != "auto"
    own = {} if known else {f"{OWN}/fabric": _FABRIC}
    own |= {f"{OWN}/pin": str(pins)} if pins else {}
    own |= {f"{OWN}/eplb": "true"} if ground.asked.balanced else {}
    return {"annotations": own} if own else {}


def _sla(record: dict[str, Any]) -> dict[str, Any]:
    """A request promises either the whole latency or its two parts; the whole one wins."""
    if record["request_latency_ms"] is not None:
        return _given(e2eLatency=record["request_latency_ms"])
    return _given(ttft=record["ttft_ms"], itl=record["itl_ms"])


def _given(**fields: float | None) -> dict[str, Any]:
    return {name: int(value) if value == int(value) else value for name, value in fields.items() if value is not None}


def _name(model: str) -> str:
    """A short name made of a model's: Qwen/Qwen3-32B-FP8 is qwen3-32b-fp8."""
    words = _NOT_IN_NAMES.sub("-", model.rstrip("/").rsplit("/", 1)[-1].lower()).strip("-")
    name = words[:_LONGEST_NAME].strip("-")
    return name if name[:1].isalpha() else f"model-{name}".strip("-")
