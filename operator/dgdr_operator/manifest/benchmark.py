"""A Job that measures a graph with AIPerf, under the load that the plan was priced for."""

import json
import shlex
from collections.abc import Mapping
from dataclasses import dataclass
from math import isnan
from typing import Any

from dgdr_operator.manifest import beta, storage, views
from dgdr_operator.manifest.sites import Site
from dgdr_operator.request import OWN
from dgdr_operator.settings import BENCHMARK_IMAGE
from dgdr_operator.units import MILLISECOND
from estimator.estimates import Estimate

PREDICTED = f"{OWN}/predicted"
"""Annotation of a Job: what its plan promises, as JSON: times in milliseconds, rates per second, and the targets."""

ROUNDS = 40
"""Requests per request in flight, so that filling and draining the pools is noise (AIPerf guide of the customer)."""

WARM_UP = 40
"""Fewest requests sent before anything is counted."""

FRONTEND_PORT = 8000
RESULTS = "/results"
EXPORT = "profile_export_aiperf.json"
"""AIPerf's summary of a run; the Job prints it last, after MARK, because files of a finished pod are out of reach."""

MARK = f"=== {EXPORT}"

TAGS = (
    "time_to_first_token", "inter_token_latency", "request_latency", "request_throughput", "output_token_throughput",
)  # fmt: skip
"""AIPerf's names of what a plan predicts."""

_SUMMARY = f"""\
python3 - > /dev/termination-log <<'END'
import glob, json
paths = [one for one in glob.glob("{RESULTS}/**/{EXPORT}", recursive=True) if "/phases/" not in one]
found = json.load(open(paths[0]))
blocks = {{**found, **(found.get("records") or {{}})}}
short = {{tag: {{key: blocks[tag].get(key) for key in ("unit", "avg")}} for tag in {TAGS!r} if tag in blocks}}
print(json.dumps(short))
END"""
"""Leaves the averages where the cluster keeps the last words of a container: 4096 bytes that need no log to be read."""


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
    promised = {PREDICTED: json.dumps(_predicted(estimate, site), sort_keys=True)}
    spec = {"backoffLimit": 0, "template": {"spec": _pod(site, command(graph, load, _tokenizer(site), url))}}
    return {
        "apiVersion": "batch/v1",
        "kind": "Job",
        "metadata": {"name": name, "namespace": metadata["namespace"], "annotations": promised},
        "spec": spec,
    }


def _predicted(estimate: Estimate, site: Site) -> dict[str, Any]:
    """Keys as in a saved plan; targets that were not set are left out."""
    latency, load, targets = estimate.latency, estimate.load, site.request.targets
    times = {"ttft_ms": latency.ttft, "itl_ms": latency.itl, "request_latency_ms": latency.request}
    wanted = {"ttft_ms": targets.ttft, "itl_ms": targets.itl, "request_latency_ms": targets.e2e}
    rates = {"request_rate": load.request_rate, "tokens_per_second": load.tokens_per_second}
    return {**_rounded(times, MILLISECOND), **_rounded(rates, 1.0), "targets": _rounded(wanted, MILLISECOND)}


def _rounded(values: Mapping[str, float | None], unit: float) -> dict[str, float]:
    """Six digits of every number that is one."""
    given = {name: value for name, value in values.items() if value is not None and not isnan(value)}
    return {name: float(f"{value / unit:.6g}") for name, value in given.items()}


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
    image = site.settings.benchmark_image
    installing = ["pip install --quiet aiperf"] if image == BENCHMARK_IMAGE else []
    script = ["set -euo pipefail", *installing, shlex.join(aiperf), f"echo {shlex.quote(MARK)}"]
    # Beside the run's summary there may be one for each of its phases, deeper down.
    script.append(f"find {RESULTS} -name {EXPORT} -not -path '*/phases/*' -exec cat {{}} +")
    script.append(_SUMMARY)
    volumes: list[dict[str, Any]] = [{"name": "results", "emptyDir": {}}]
    mounts = [{"name": "results", "mountPath": RESULTS}]
    for volume in storage.volumes(site.cache):
        volumes.append(beta.volume(volume))
        mounts.append(beta.mount(volume))
    container: dict[str, Any] = {
        "name": "aiperf",
        "image": image,
        "command": ["/bin/bash", "-c"],
        "args": ["\n".join(script) + "\n"],
    }
    if environment := storage.environment(site.cache):
        container["env"] = [{"name": name, "value": value} for name, value in environment.items()]
    if site.secret:
        container["envFrom"] = [{"secretRef": {"name": site.secret, "optional": not site.needs_token}}]
    return {"restartPolicy": "Never", "volumes": volumes, "containers": [{**container, "volumeMounts": mounts}]}
