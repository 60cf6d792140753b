"""The folder of `dgdr optimize --save-dir`: manifests of every ranked plan, the request, tables, the report."""

import os
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from dgdr_operator import engines, settings, spec
from dgdr_operator.manifest import fabric, graph, releases
from dgdr_operator.manifest.fabric import Fabric
from dgdr_operator.manifest.sites import Place, Site
from dgdr_operator.report import answer, artifacts, yaml_text
from dgdr_operator.report.asked import Asked
from dgdr_operator.report.paper import Paper
from dgdr_operator.request import OWN, ApiVersion, DeploymentRequest
from dgdr_operator.settings import Settings
from estimator.estimates import Estimate, Mode, Outcome
from estimator.problem import Problem

# The device of NVIDIA's InfiniBand device plugin, asked for where no node is there to look at and no setting names one.
_FABRIC = "ib=rdma/ib"
_OWNED = ("aggregated", "disaggregated", "plan.yaml", "pareto.csv", "best_config_topn.csv", "report.txt")
_REPORT_WIDTH = 100
_LONGEST_NAME = 30
_SHORT: dict[Mode, str] = {"aggregated": "agg", "disaggregated": "disagg"}
_NOT_IN_NAMES = re.compile(r"[^a-z0-9]+")


def save(folder: Path, asked: Asked, outcome: Outcome, problem: Problem) -> str:
    """Write everything about *outcome* into *folder*, replacing what an earlier answer left there; say what to do next.

    *problem* knows the GPU system. Raises OSError, and what the request's reader and the manifests refuse.
    """
    chosen = settings.read(os.environ)
    artifacts.write(folder, dict(_files(asked, outcome, problem, chosen)), _OWNED)
    ranked = outcome.aggregated if outcome.choice.mode == "aggregated" else outcome.disaggregated
    rank = ranked.index(outcome.choice) + 1 if outcome.choice in ranked else 1
    return f"Saved. To deploy: kubectl apply -f {folder / outcome.choice.mode / f'top{rank}' / 'k8s_deploy.yaml'}"


def _files(asked: Asked, outcome: Outcome, problem: Problem, chosen: Settings) -> Iterator[tuple[str, str]]:
    for mode, estimates in (("aggregated", outcome.aggregated), ("disaggregated", outcome.disaggregated)):
        for rank, estimate in enumerate(estimates, 1):
            site = _site(asked, outcome, estimate, problem, chosen)
            yield f"{mode}/top{rank}/k8s_deploy.yaml", yaml_text.dump(graph.build(estimate, site).objects)
    yield "plan.yaml", _notes(asked) + yaml_text.dump([_body(asked, outcome.choice, problem, chosen)])
    yield "pareto.csv", artifacts.table(outcome.frontier)
    yield "best_config_topn.csv", artifacts.table((*outcome.aggregated, *outcome.disaggregated))
    yield "report.txt", answer.page(asked, outcome, Paper(width=_REPORT_WIDTH))


def _site(asked: Asked, outcome: Outcome, estimate: Estimate, problem: Problem, chosen: Settings) -> Site:
    request = spec.read(_body(asked, estimate, problem, chosen))
    target = releases.target(request.runtime, chosen.dynamo_version, chosen.registry)
    offline: ApiVersion = "v1beta1" if target.release.beta_graphs else "v1alpha1"
    system = problem.system
    return Site(
        request=request,
        settings=chosen,
        target=target,
        api=chosen.graph_versions[0] if chosen.graph_versions else offline,
        fabric=_fabric(request, chosen) if estimate.mode == "disaggregated" else fabric.NOTHING,
        place=Place(node_gpus=system.node.gpus, gpu_capacity=system.gpu.memory_capacity),
        context=asked.model.max_position,
        kv_dtype="fp8" if engines.dtype(outcome, "kv cache", estimate.backend).startswith("fp8") else "auto",
    )


def _fabric(request: DeploymentRequest, chosen: Settings) -> Fabric:
    return fabric.find(None, request.knobs.fabric or chosen.fabric.profile, chosen.fabric)


def _body(asked: Asked, estimate: Estimate, problem: Problem, chosen: Settings) -> dict[str, Any]:
    """The DynamoGraphDeploymentRequest that asks for what the flags asked, answered by *estimate*'s mode and engine."""
    record = asked.record()
    name = f"{_name(asked.model.name)}-{_SHORT[estimate.mode]}"
    return {
        "apiVersion": "nvidia.com/v1beta1",
        "kind": "DynamoGraphDeploymentRequest",
        "metadata": {"name": name} | _annotations(estimate, chosen),
        "spec": {
            "model": asked.model.name,
            "backend": estimate.backend,
            "hardware": {
                "gpuSku": asked.system,
                "totalGpus": asked.gpus,
                "numGpusPerNode": problem.system.node.gpus,
            },
            "workload": _given(isl=asked.workload.isl, osl=asked.workload.osl, **_load(asked)),
            "sla": _sla(record),
        },
    }


def _annotations(estimate: Estimate, chosen: Settings) -> dict[str, Any]:
    """Without nodes to look at, a plan that needs RDMA must name its device, unless the settings do."""
    if estimate.mode == "aggregated" or chosen.fabric.resource or chosen.fabric.profile != "auto":
        return {}
    return {"annotations": {f"{OWN}/fabric": _FABRIC}}


def _load(asked: Asked) -> dict[str, float | None]:
    return {"concurrency": asked.workload.concurrency, "requestRate": asked.workload.request_rate}


def _sla(record: dict[str, Any]) -> dict[str, Any]:
    """A request promises either the whole latency or its two parts; the whole one wins."""
    if record["request_latency_ms"] is not None:
        return _given(e2eLatency=record["request_latency_ms"])
    return _given(ttft=record["ttft_ms"], itl=record["itl_ms"])


def _given(**fields: float | None) -> dict[str, Any]:
    return {name: int(value) if value == int(value) else value for name, value in fields.items() if value is not None}


def _notes(asked: Asked) -> str:
    """Comments on what was asked and a request has no field for."""
    lost = [f"--prefix {asked.workload.prefix}"] if asked.workload.prefix else []
    lost += [f"--drafts {asked.workload.drafts}"] if asked.workload.drafts else []
    lost += [f"--database-mode {asked.database_mode}"] if asked.database_mode != "hybrid" else []
    if asked.targets.e2e is not None and (asked.targets.ttft is not None or asked.targets.itl is not None):
        lost.append("--ttft and --itl beside --request-latency")
    return "".join(f"# {flag}: asked for, but a request cannot say it\n" for flag in lost)


def _name(model: str) -> str:
    """A short name made of a model's: Qwen/Qwen3-32B-FP8 is qwen3-32b-fp8."""
    words = _NOT_IN_NAMES.sub("-", model.rstrip("/").rsplit("/", 1)[-1].lower()).strip("-")
    name = words[:_LONGEST_NAME].strip("-")
    return name if name[:1].isalpha() else f"model-{name}".strip("-")
