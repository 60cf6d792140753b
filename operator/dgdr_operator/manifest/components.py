"""The components of a plan: a Frontend, and one component per role of its workers."""

import json
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

from dgdr_operator.errors import ManifestError
from dgdr_operator.inventory import GPU
from dgdr_operator.manifest import fabric, sglang, storage, trtllm, vllm
from dgdr_operator.manifest.parts import FRONTEND, Component, Container, Pod, Volume
from dgdr_operator.manifest.sites import Site, serving
from estimator.estimates import Estimate, Role, Worker

ENGINE_VOLUME = "engine"


@dataclass(frozen=True, slots=True, kw_only=True)
class Titles:
    """What things are called: the graph, its components by role, and the ConfigMap of engine files ("" for none)."""

    graph: str
    components: Mapping[Role, str]
    engine_files: str = ""


def pods(planned: Worker, node_gpus: int) -> int:
    """Pods of one worker: one, or whole nodes."""
    gpus = planned.parallel.gpus
    if gpus <= node_gpus:
        return 1
    if gpus % node_gpus:
        raise ManifestError("a worker of several nodes fills them", f"{gpus} GPUs on nodes of {node_gpus}")
    return gpus // node_gpus


def frontend(backend: str, site: Site) -> Component:
    """The component that clients talk to; it uses the engine's own image."""
    container = Container(
        image=site.target.image(backend),
        command=("python3",),
        args=("-m", "dynamo.frontend"),
        env=storage.environment(site.cache),
    )
    return Component(
        name=FRONTEND,
        role=None,
        replicas=1,
        container=container,
        pod=_pod(site),
        version_override=site.target.version_override,
    )


def worker(planned: Worker, estimate: Estimate, site: Site, titles: Titles) -> Component:
    """The component whose replicas are all workers of *planned*'s role."""
    nodes = pods(planned, site.place.node_gpus)
    gpus = planned.parallel.gpus // nodes
    attached = fabric.DETACHED
    if planned.role != "aggregated":
        attached = fabric.attach(site.fabric, gpus, site.place.node_gpus, site.settings.fabric)
    several = {"GLOO_SOCKET_IFNAME": "eth0"} if nodes > 1 else {}
    own = site.settings.engine_env.get(estimate.backend, {})
    container = Container(
        image=site.target.image(estimate.backend),
        command=("python3", "-m", f"dynamo.{estimate.backend}"),
        args=_arguments(planned, estimate.backend, site),
        env={**storage.environment(site.cache), **attached.env, **several, **own},
        resources={GPU: str(gpus), **attached.resources},
        security=attached.security,
    )
    return Component(
        name=titles.components[planned.role],
        role=planned.role,
        replicas=estimate.replicas * planned.count,
        container=container,
        pod=_worker_pod(site, titles),
        nodes=nodes,
        shared_memory=storage.shared_memory(estimate.backend, planned, nodes, site.settings.shared_memory),
        version_override=site.target.version_override,
    )


def _arguments(planned: Worker, backend: str, site: Site) -> tuple[str, ...]:
    told, release = serving(site), site.target.release
    match backend:
        case "vllm":
            return vllm.arguments(planned, told, release)
        case "sglang":
            return sglang.arguments(planned, told, release)
        case _:
            return trtllm.arguments(planned, told)


def _pod(site: Site) -> Pod:
    tolerations = (*site.place.tolerations, *site.request.overrides.tolerations)
    unique = {json.dumps(toleration, sort_keys=True): toleration for toleration in tolerations}
    return Pod(volumes=storage.volumes(site.cache), secret=site.secret, tolerations=tuple(unique.values()))


def _worker_pod(site: Site, titles: Titles) -> Pod:
    pod = _pod(site)
    engine = Volume(name=ENGINE_VOLUME, path=trtllm.FOLDER, source=titles.engine_files, kind="config")
    return replace(
        pod,
        volumes=(*pod.volumes, engine) if titles.engine_files else pod.volumes,
        node_selector=site.place.node_selector,
        affinity=_one_node(titles.graph) if site.fabric.profile == "intra-node" else {},
    )


def _one_node(graph: str) -> dict[str, Any]:
    """All workers of the graph on one node; the first one satisfies its own term."""
    term = {
        "labelSelector": {
            "matchLabels": {"nvidia.com/dynamo-graph-deployment-name": graph},
            "matchExpressions": [
                {"key": "nvidia.com/dynamo-component-type", "operator": "NotIn", "values": ["frontend"]},
            ],
        },
        "topologyKey": "kubernetes.io/hostname",
    }
    return {"podAffinity": {"requiredDuringSchedulingIgnoredDuringExecution": [term]}}
