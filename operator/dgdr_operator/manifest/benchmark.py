"""A Job that measures a graph with AIPerf, under the load that the plan was priced for."""

import shlex
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from dgdr_operator.manifest import storage, views
from dgdr_operator.manifest.sites import Site
from estimator.estimates import Estimate

IMAGE = "python:3.12-slim"
"""AIPerf is a Python package without native parts of its own; an image that has it installed starts faster."""

ROUNDS = 40
"""Requests per request in flight, so that filling and draining the pools is noise (AIPerf guide of the customer)."""

WARM_UP = 40
"""Fewest requests sent before anything is counted."""

FRONTEND_PORT = 8000
RESULTS = "/results"
EXPORT = "profile_export_aiperf.json"
"""AIPerf's summary of a run; the Job prints it last, after MARK, because files of a finished pod are out of reach."""

MARK = f"=== {EXPORT}"


@dataclass(frozen=True, slots=True, kw_only=True)
class Load:
    """What is sent: concurrency over the whole deployment, prompt and output tokens of every request."""

    concurrency: int
    isl: int
    osl: int

    @property
    def requests(self) -> int:
        """Requests that are measured."""
        return ROUNDS * self.concurrency

    @property
    def warm_up(self) -> int:
        """Requests sent before: at least one for every place in flight."""
        return max(WARM_UP, self.concurrency)


def address(graph: Mapping[str, Any]) -> str:
    """Where clients reach *graph*, inside the cluster: the platform's service of its frontend."""
    frontend = next(part.name for part in views.of(graph) if part.kind == "frontend")
    return f"http://{graph['metadata']['name']}-{frontend.lower()}:{FRONTEND_PORT}"


def job(graph: Mapping[str, Any], estimate: Estimate, site: Site, url: str) -> dict[str, Any]:
    """The Job for *graph*, which runs *estimate* at *site* and answers at *url*. Only the user ever creates it."""
    metadata, workload = graph["metadata"], site.request.workload
    load = Load(concurrency=estimate.load.concurrency, isl=workload.isl, osl=workload.osl)
    name = f"{metadata['name']}-aiperf"
    spec = {"backoffLimit": 0, "template": {"spec": _pod(site, command(graph, load, _tokenizer(site), url))}}
    return {
        "apiVersion": "batch/v1",
        "kind": "Job",
        "metadata": {"name": name, "namespace": metadata["namespace"]},
        "spec": spec,
    }


def command(graph: Mapping[str, Any], load: Load, tokenizer: str, url: str) -> list[str]:
    """AIPerf's command line: the concurrency is the total, because the frontend spreads it over all replicas."""
    model = next(value for part in views.of(graph) if (value := part.value("--served-model-name")))
    return [
        *("aiperf", "profile", "-m", model, "--tokenizer", tokenizer),
        *("--endpoint-type", "chat", "-u", url, "--streaming"),
        *("--isl", str(load.isl), "--isl-stddev", "0", "--osl", str(load.osl), "--osl-stddev", "0"),
        *("--concurrency", str(load.concurrency), "--num-requests", str(load.requests)),
        *("--num-warmup-requests", str(load.warm_up), "--extra-inputs", "ignore_eos:true"),
        *("--ui-type", "simple", "--artifact-dir", RESULTS),
    ]


def _tokenizer(site: Site) -> str:
    """The model's id, or its folder inside the claim, where the id may be known to nobody else."""
    return storage.model_argument(site.request.model, site.cache)


def _pod(site: Site, aiperf: list[str]) -> dict[str, Any]:
    script = ["set -euo pipefail", "pip install --quiet aiperf", shlex.join(aiperf), f"echo {shlex.quote(MARK)}"]
    # Beside the run's summary there may be one for each of its phases, deeper down.
    script.append(f"find {RESULTS} -name {EXPORT} -not -path '*/phases/*' -exec cat {{}} +")
    volumes: list[dict[str, Any]] = [{"name": "results", "emptyDir": {}}]
    mounts = [{"name": "results", "mountPath": RESULTS}]
    for volume in storage.volumes(site.cache):
        volumes.append({"name": volume.name, "persistentVolumeClaim": {"claimName": volume.source}})
        mounts.append({"name": volume.name, "mountPath": volume.path})
    container: dict[str, Any] = {
        "name": "aiperf",
        "image": IMAGE,
        "command": ["/bin/bash", "-c"],
        "args": ["\n".join(script) + "\n"],
    }
    if environment := storage.environment(site.cache):
        container["env"] = [{"name": name, "value": value} for name, value in environment.items()]
    if site.secret:
        container["envFrom"] = [{"secretRef": {"name": site.secret, "optional": True}}]
    return {"restartPolicy": "Never", "volumes": volumes, "containers": [{**container, "volumeMounts": mounts}]}
