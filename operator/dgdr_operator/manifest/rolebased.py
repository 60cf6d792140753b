"""A graph of SGLang workers as a RoleBasedGroup: plain SGLang behind its own router, without the Dynamo platform.

Source of the kind: workloads.x-k8s.io/v1alpha2 of the sgl-project/rbg repository (types and examples of release 0.7).
"""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from dgdr_operator.errors import Unsupported
from dgdr_operator.manifest import beta, views
from dgdr_operator.manifest.releases import Release
from dgdr_operator.manifest.views import View

API = "workloads.x-k8s.io/v1alpha2"
KIND = "RoleBasedGroup"
ROUTER = "router"
ROUTER_IMAGE = "lmsysorg/sglang-router:v0.2.4"
"""The router's own image, as in the group's examples."""

PORT = 8000
_RENDEZVOUS_PORT = 6379
_BOOTSTRAP = "--disaggregation-bootstrap-port"
_JOINING = (
    *("--dist-init-addr", f"$(RBG_LWP_LEADER_ADDRESS):{_RENDEZVOUS_PORT}"),
    *("--nnodes", "$(RBG_LWP_GROUP_SIZE)", "--node-rank", "$(RBG_LWP_WORKER_INDEX)"),
)
"""What the pods of one worker learn from variables that the group's controller sets."""

_LOADING = {"periodSeconds": 10, "failureThreshold": 720}
"""Weights may take two hours to arrive, as long as Dynamo's platform waits."""


def group(graph: Mapping[str, Any], release: Release) -> dict[str, Any]:
    """The RoleBasedGroup that runs what *graph* (v1beta1) runs, with the SGLang of *release*.

    Raises Unsupported for graphs of another engine or version.
    """
    if graph["spec"]["backendFramework"] != "sglang" or graph["apiVersion"] != beta.API:
        raise Unsupported("target rbg", "RoleBasedGroups are written for sglang: choose --backend sglang")
    if any(component["type"] == "planner" for component in graph["spec"]["components"]):
        raise Unsupported("target rbg", "RoleBasedGroups have no planner: leave features.planner out")
    name = graph["metadata"]["name"]
    parts = {part.name: part for part in views.of(graph)}
    workers = [part for part in parts.values() if part.is_worker]
    image = f"lmsysorg/sglang:v{release.engines['sglang']}"
    roles = [_worker(component, parts[component["name"]], image) for component in _workers(graph)]
    return {
        "apiVersion": API,
        "kind": KIND,
        "metadata": {key: graph["metadata"][key] for key in ("name", "namespace")},
        "spec": {"roles": [_router(name, workers), *roles]},
    }


def address(graph: Mapping[str, Any]) -> str:
    """Where clients reach the group made of *graph*, inside the cluster."""
    return f"http://{_service(graph['metadata']['name'], ROUTER)}:{PORT}"


def _workers(graph: Mapping[str, Any]) -> Iterator[Mapping[str, Any]]:
    return (component for component in graph["spec"]["components"] if component["type"] != "frontend")


def _service(group_name: str, role: str) -> str:
    """The headless service that the controller makes for a role."""
    return f"s-{group_name}-{role}"


def _urls(group_name: str, part: View) -> list[str]:
    """Every copy of a worker; of several pods only the leader answers."""
    leader = "-0" if part.nodes > 1 else ""
    service = _service(group_name, part.name)
    return [f"http://{group_name}-{part.name}-{copy}{leader}.{service}:{PORT}" for copy in range(part.replicas)]


def _router(group_name: str, workers: Sequence[View]) -> dict[str, Any]:
    """Spreads requests evenly, which is what the estimate assumes."""
    args = ["--host", "0.0.0.0", "--port", str(PORT), "--policy", "round_robin"]  # noqa: S104 -- the pod's own address
    args += [] if workers[0].kind == "worker" else ["--pd-disaggregation"]
    for part in workers:
        for url in _urls(group_name, part):
            match part.kind:
                case "prefill":
                    args += ["--prefill", url, str(part.value(_BOOTSTRAP))]
                case "decode":
                    args += ["--decode", url]
    if workers[0].kind == "worker":
        args += ["--worker-urls", *_urls(group_name, workers[0])]
    container = {
        "name": ROUTER,
        "image": ROUTER_IMAGE,
        "command": ["python3", "-m", "sglang_router.launch_router"],
        "args": args,
        "ports": [{"name": "http", "containerPort": PORT}],
    }
    template = {"template": {"spec": {"containers": [container]}}}
    dependencies = [part.name for part in workers]
    return {"name": ROUTER, "replicas": 1, "dependencies": dependencies, "standalonePattern": template}


def _worker(component: Mapping[str, Any], part: View, image: str) -> dict[str, Any]:
    """The component's pod with SGLang's own server in it; /dev/shm is a volume here."""
    pod = dict(component["podTemplate"]["spec"])
    others = [one for one in pod["containers"] if one["name"] != beta.MAIN]
    main = next(one for one in pod["containers"] if one["name"] == beta.MAIN)
    volumes = list(pod.get("volumes") or ())
    if part.shared_memory:
        volumes.append({"name": "shared-memory", "emptyDir": {"medium": "Memory", "sizeLimit": part.shared_memory}})
    spec = {**pod, "volumes": volumes, "containers": [_server(main, part, image), *others]}
    template = {"template": {"spec": {key: value for key, value in spec.items() if value}}}
    pattern: dict[str, Any] = {"standalonePattern": template}
    if part.nodes > 1:
        pattern = {"leaderWorkerPattern": {"size": part.nodes, **template}}
    return {"name": part.name, "replicas": part.replicas, **pattern}


def _server(main: Mapping[str, Any], part: View, image: str) -> dict[str, Any]:
    args = [*part.args, "--port", str(PORT)]
    args += [] if "--host" in args else ["--host", "0.0.0.0"]  # noqa: S104 -- the pod's own address
    args += _JOINING if part.nodes > 1 else ()
    mounts = list(main.get("volumeMounts") or ())
    mounts += [{"name": "shared-memory", "mountPath": "/dev/shm"}] if part.shared_memory else []  # noqa: S108 -- a mount
    probe = {"httpGet": {"path": "/health", "port": PORT}}
    server = {
        **main,
        "name": "engine",
        "image": image,
        "command": ["python3", "-m", "sglang.launch_server"],
        "args": args,
        "ports": [{"name": "http", "containerPort": PORT}],
        "volumeMounts": mounts,
    }
    # Only the leader of several pods answers, so only single pods are asked.
    return server if part.nodes > 1 else {**server, "startupProbe": {**probe, **_LOADING}, "readinessProbe": probe}
