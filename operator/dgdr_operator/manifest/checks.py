"""Every rule that a graph must keep: what the platform's admission demands, and defects that must not come back."""

import re
from collections.abc import Callable, Iterator, Mapping
from typing import Any

from dgdr_operator.errors import ManifestError
from dgdr_operator.inventory import FABRIC
from dgdr_operator.manifest import names, views
from dgdr_operator.manifest.views import View

MOST_COMPONENTS = 25

_NAME = re.compile(r"(?=.{1,63}\Z)[A-Za-z0-9]([-A-Za-z0-9]*[A-Za-z0-9])?")
_VERSIONED = re.compile(r":[vV]?\d+\.\d+\.\d+(-[0-9A-Za-z.-]+)?(\+[0-9A-Za-z.-]+)?\Z")
_PLATFORM_FLAGS = frozenset({
    "--distributed-executor-backend", "--nnodes", "--node-rank", "--master-addr", "--master-port", "--headless",
    "--data-parallel-hybrid-lb", "--data-parallel-size-local", "--data-parallel-start-rank", "--data-parallel-address",
    "--data-parallel-rpc-port", "--dist-init-addr",
})  # fmt: skip
"""Launch flags that the platform adds to workers of several nodes."""

_PLATFORM_ENV = re.compile(
    r"DYN_(NAMESPACE|COMPONENT|PARENT_DGD_K8S_.*|DISCOVERY_BACKEND|SYSTEM_.*|HEALTH_CHECK_ENABLED|HTTP_PORT"
    r"|FORWARDPASS_METRIC_PORT)|POD_(NAME|NAMESPACE|UID)|NIXL_TELEMETRY_.*|NATS_SERVER|ETCD_ENDPOINTS"
    r"|MODEL_EXPRESS_URL|PROMETHEUS_ENDPOINT"
)
"""Variables that the platform sets; ours would win over them."""

_ROLE_FLAGS = ("--disaggregation-mode", "--is-prefill-worker", "--is-decode-worker")

Broken = Iterator[tuple[str, str]]


def accepted(graph: Mapping[str, Any]) -> None:
    """The platform admits *graph*. Raises ManifestError with the first rule it breaks."""
    _raise_first(_structure(graph, views.of(graph)))


def generated(graph: Mapping[str, Any], *, gpus: int, node_gpus: int, model: str) -> None:
    """*graph*, fresh from our builders, keeps every rule; *gpus*: what the plan uses. Raises ManifestError."""
    parts = views.of(graph)
    workers = [part for part in parts if part.is_worker]
    _raise_first(_structure(graph, parts))
    _raise_first(_sizes(workers, gpus, node_gpus))
    for part in parts:
        for rule in (_commands, _environment, _storage):
            _raise_first(rule(part))
    for worker in workers:
        _raise_first(_worker(worker, model))
        _raise_first(_role(worker, graph["spec"]["backendFramework"]))
    _raise_first(_claims(parts))


def mocked(graph: Mapping[str, Any]) -> None:
    """*graph*, of workers that only pretend, keeps every rule that is not about engines. Raises ManifestError."""
    parts = views.of(graph)
    _raise_first(_structure(graph, parts))
    for part in parts:
        for rule in (_commands, _environment, _storage, _without_devices):
            _raise_first(rule(part))
    _raise_first(_claims(parts))


def _without_devices(part: View) -> Broken:
    if part.limits:
        yield "mocked workers ask for no device", f"{part.name}: {', '.join(part.limits)}"


def _raise_first(broken: Broken) -> None:
    for rule, detail in broken:
        raise ManifestError(rule, detail)


def _structure(graph: Mapping[str, Any], parts: list[View]) -> Broken:
    """Admission: CEL, webhooks and the core API."""
    if not 1 <= len(parts) <= MOST_COMPONENTS:
        yield "1 to 25 components", f"it has {len(parts)}"
    if graph["spec"].get("restart") is not None:
        yield "restart is not set on a new graph", graph["metadata"]["name"]
    lowered = [part.name.lower() for part in parts]
    for part in parts:
        if lowered.count(part.name.lower()) > 1:
            yield "component names differ in more than case", part.name
        yield from _called(part, graph["metadata"]["name"])
        yield from _startable(part, graph)


def _called(part: View, graph_name: str) -> Broken:
    if not _NAME.fullmatch(part.name):
        yield "component names are at most 63 letters, digits and dashes", part.name
    if len(graph_name) + names.taken(part.name, part.nodes) > names.SET_NAME:
        yield f"graph and component name have at most {names.SET_NAME} characters", f"{graph_name} and {part.name}"


def _startable(part: View, graph: Mapping[str, Any]) -> Broken:
    image = part.main.get("image")
    if not image:
        yield "every main container has an image", part.name
    elif not _VERSIONED.search(image) and not _overrides_version(graph, part.name):
        yield "an image tag is a version, or runtimeVersionOverride tells it", f"{part.name}: {image}"
    for name, count in part.requests.items():
        if "/" in name and part.limits.get(name) != count:
            yield "requests of devices equal their limits", f"{part.name}: {name}"


def _overrides_version(graph: Mapping[str, Any], name: str) -> bool:
    services = (graph["spec"].get("services") or {}).items()
    listed = [(part["name"], part) for part in graph["spec"].get("components") or ()]
    return any(key == name and part.get("runtimeVersionOverride") for key, part in [*services, *listed])


def _sizes(workers: list[View], gpus: int, node_gpus: int) -> Broken:
    total = sum(worker.gpus for worker in workers)
    if total != gpus:
        yield "components use the GPUs of the plan", f"{total} instead of {gpus}"
    for worker in workers:
        if not 1 <= worker.pod_gpus <= node_gpus:
            yield "a pod has no more GPUs than a node", f"{worker.name}: {worker.pod_gpus} of {node_gpus}"


def _commands(part: View) -> Broken:
    if bool(part.main.get("command")) != bool(part.main.get("args")):
        yield "command and args come together", part.name
    for argument in part.args:
        if argument.startswith("--") and "=" in argument:
            yield "flags and values are separate arguments", f"{part.name}: {argument}"
        if argument in _PLATFORM_FLAGS:
            yield "launch flags are left to the platform", f"{part.name}: {argument}"


def _environment(part: View) -> Broken:
    for name in part.env:
        if _PLATFORM_ENV.fullmatch(name):
            yield "variables of the platform are left alone", f"{part.name}: {name}"
    devices = [name for name in part.limits if FABRIC.fullmatch(name)]
    if part.kind not in {"prefill", "decode"} and devices:
        yield "only disaggregated workers ask for RDMA", f"{part.name}: {devices[0]}"
    transports = part.env.get("UCX_TLS", "cuda_copy").split(",")
    if not {"cuda_copy", "cuda_ipc"} & set(transports):
        yield "UCX can reach GPU memory", f"{part.name}: UCX_TLS={part.env['UCX_TLS']}"


def _storage(part: View) -> Broken:
    home = part.env.get("HF_HOME")
    if part.mounts and home not in part.mounts:
        yield "HF_HOME is the mount of the model cache", f"{part.name}: {home}"
    for mount in part.mounts:
        if any(f"{mount}{mount}" in argument for argument in part.args):
            yield "a model path is not doubled", part.name


def _claims(parts: list[View]) -> Broken:
    for part in parts:
        if part.mounts != parts[0].mounts:
            yield "every component mounts the model cache", part.name


def _worker(worker: View, model: str) -> Broken:
    if worker.shared_memory is None:
        yield "workers set their shared memory", worker.name
    if worker.value("--served-model-name") != model:
        yield "workers serve the model under its name", f"{worker.name}: {worker.value('--served-model-name')}"


def _role(worker: View, backend: str) -> Broken:
    flags = [flag for flag in _ROLE_FLAGS if flag in worker.args]
    if worker.kind == "worker":
        if flags:
            yield "aggregated workers have no role flag", f"{worker.name}: {flags[0]}"
        return
    told = worker.value("--disaggregation-mode") == worker.kind or f"--is-{worker.kind}-worker" in worker.args
    if not told or len(flags) != 1:
        yield "disaggregated workers are told their role, once", worker.name
    needs: dict[str, Callable[[View], bool]] = {"vllm": _has_connector, "sglang": _has_bootstrap}
    if backend in needs and not needs[backend](worker):
        yield "disaggregated workers know how to move keys and values", worker.name


def _has_connector(worker: View) -> bool:
    return worker.value("--kv-transfer-config") is not None or "--disaggregation-mode" not in worker.args


def _has_bootstrap(worker: View) -> bool:
    return worker.value("--host") == "0.0.0.0" and worker.value("--disaggregation-bootstrap-port") is not None  # noqa: S104 -- the pod's own address
