"""Plans made by hand, so that what is tested is how they are written and nothing else."""

from collections.abc import Mapping
from itertools import pairwise
from typing import Any

from dgdr_operator.manifest import releases
from dgdr_operator.manifest.fabric import Fabric
from dgdr_operator.manifest.sites import Place, Site
from dgdr_operator.request import DeploymentRequest, HardwareRequest, Identity, ModelCache, Runtime
from dgdr_operator.settings import Settings
from estimator.estimates import Estimate, Latency, Load, Memory, Mode, Role, Worker
from estimator.parallelism import Parallel
from estimator.workload import Targets, Workload

MODEL = "Qwen/Qwen3-32B-FP8"
IMAGES = "nvcr.io/nvidia/ai-dynamo"
RDMA = Fabric(profile="ib", resource="rdma/ib", devices=8, nodes=1, of=1)
CACHE = ModelCache(claim="model-cache", mount="/opt/models")


def a_worker(role: Role, *, tp: int, count: int = 1, batch: int = 1, tokens: int = 5632, **sizes: int) -> Worker:
    """A worker; its memory plays no part in a manifest."""
    memory = Memory(weights=1, activations=1, kv_cache=1000, kv_needed=1, fixed=1, capacity=4)
    return Worker(
        role=role,
        count=count,
        parallel=Parallel(tp=tp, **sizes),
        batch_size=batch,
        max_num_tokens=tokens,
        memory=memory,
    )


def an_estimate(*workers: Worker, replicas: int = 1, backend: str = "vllm") -> Estimate:
    """An estimate of these workers; its predictions play no part in a manifest."""
    mode: Mode = "aggregated" if workers[0].role == "aggregated" else "disaggregated"
    return Estimate(
        mode=mode,
        backend=backend,
        backend_version="0.12.0",
        replicas=replicas,
        workers=workers,
        load=Load(concurrency=1, request_rate=1.0, tokens_per_second=1.0, utilisation=0.5),
        latency=Latency(ttft=0.1, itl=0.01, request=1.0, ttft_terms={}),
        provenance={"measured": 1.0},
        breakdown=(),
    )


def a_request(**changes: object) -> DeploymentRequest:
    """The customer's question, with *changes*."""
    asked: dict[str, Any] = {
        "identity": Identity(name="qwen32b", namespace="inference"),
        "model": MODEL,
        "runtime": Runtime(backend="vllm"),
        "hardware": HardwareRequest(gpu_sku="h200_sxm", total_gpus=8, gpus_per_node=8, interconnect="nvlink"),
        "workload": Workload(isl=4000, osl=500),
        "targets": Targets(ttft=0.6, itl=0.01667),
        "model_cache": CACHE,
    }
    return DeploymentRequest(**{**asked, **changes})


def a_site(release: str = "1.4.0", **changes: object) -> Site:
    """A site for the customer's question on *release*, with *changes* of the request or of the site itself."""
    own = {"settings", "target", "api", "fabric", "place", "context", "kv_dtype"}
    asked = {name: value for name, value in changes.items() if name not in own}
    given: dict[str, Any] = {
        "request": a_request(**asked),
        "settings": Settings(),
        "target": releases.target(Runtime(image=f"{IMAGES}/dynamo-planner:{release}"), "1.4.0", IMAGES),
        "api": "v1beta1",
        "fabric": RDMA,
        "place": Place(node_gpus=8, gpu_capacity=141e9),
        "context": 40960,
        "kv_dtype": "fp8",
    }
    return Site(**{**given, **{name: value for name, value in changes.items() if name in own}})


AGGREGATED = an_estimate(a_worker("aggregated", tp=2, batch=14), replicas=4)
DISAGGREGATED = an_estimate(
    a_worker("prefill", tp=2, count=2),
    a_worker("decode", tp=4, batch=60, tokens=60),
)


def flags(args: list[str]) -> Mapping[str, str | None]:
    """A command line as flag -> value, None for switches."""
    found: dict[str, str | None] = {}
    for argument, following in pairwise([*args, "--"]):
        if argument.startswith("-") and not argument.lstrip("-").isdigit():
            found[argument] = None if following.startswith("-") else following
    return found
