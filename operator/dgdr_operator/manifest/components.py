"""The components of a plan: a Frontend, and one component per role of its workers."""

import json
from collections.abc import Mapping
from dataclasses import dataclass, replace

from dgdr_operator.errors import ManifestError
from dgdr_operator.inventory import GPU
from dgdr_operator.manifest import affinity, attachments, sglang, storage, trtllm, vllm
from dgdr_operator.manifest.attachments import Attachment, Share
from dgdr_operator.manifest.parts import FRONTEND, Component, Container, Kind, Pod, Volume
from dgdr_operator.manifest.sites import Site, copies, serving
from estimator.estimates import Estimate, Role, Worker
from estimator.parallelism import Parallel

ENGINE_VOLUME = "engine"

ROUTER = {"DYN_ROUTER_MODE": "kv"}
"""Makes the Frontend send a request to the worker that holds its prefix."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Titles:
    """What things are called: the graph, its components by role, and the ConfigMap of engine files ("" for none)."""

    graph: str
    components: Mapping[Role, str]
    engine_files: str = ""


def pods(planned: Worker, node_gpus: int) -> int:
    """Pods of one worker: one, or whole nodes. Raises ManifestError for a worker that leaves part of a node over."""
    gpus = planned.parallel.gpus
    if gpus <= node_gpus:
        return 1
    if gpus % node_gpus:
        raise ManifestError("a worker of several nodes fills them", f"{gpus} GPUs on nodes of {node_gpus}")
    return gpus // node_gpus


def frontend(image: str, site: Site) -> Component:
    """The component that clients talk to; it uses the workers' own image."""
    container = Container(
        image=image,
        command=("python3",),
        args=("-m", "dynamo.frontend"),
        env={**storage.environment(site.cache), **(ROUTER if site.request.knobs.kv_router else {})},
    )
    return Component(
        name=FRONTEND,
        kind="frontend",
        replicas=1,
        container=container,
        pod=pod(site),
        version_override=site.target.version_override,
    )


def worker(planned: Worker, estimate: Estimate, site: Site, titles: Titles) -> Component:
    """The component whose replicas are all workers of *planned*'s role."""
    nodes = pods(planned, site.place.node_gpus)
    gpus = planned.parallel.gpus // nodes
    if estimate.backend == "vllm" and nodes > 1:
        _launchable(planned.parallel, gpus)
    attached = attachments.DETACHED
    if planned.role != "aggregated":
        share = Share(backend=estimate.backend, gpus=gpus, node_gpus=site.place.node_gpus)
        attached = attachments.attach(site.fabric, share, site.settings.fabric)
    several = {"GLOO_SOCKET_IFNAME": "eth0"} if nodes > 1 else {}
    own = site.settings.engine_env.get(estimate.backend, {})
    container = Container(
        image=image(estimate, site),
        command=("python3", "-m", f"dynamo.{estimate.backend}"),
        args=_arguments(planned, estimate.backend, site),
        env={**storage.environment(site.cache), **attached.env, **several, **own},
        resources={GPU: str(gpus), **attached.resources},
        security=attached.security,
    )
    return Component(
        name=titles.components[planned.role],
        kind=_kind(planned.role, site),
        scaled=site.hands_over(planned.role),
        replicas=estimate.replicas * planned.count,
        container=container,
        pod=_worker_pod(planned.role, attached, site, titles),
        nodes=nodes,
        shared_memory=storage.shared_memory(estimate.backend, planned, nodes, site.settings.shared_memory),
        version_override=site.target.version_override,
    )


def _kind(role: Role, site: Site) -> Kind:
    """A planner looks for workers that decode, whether or not they prefill too."""
    if role == "aggregated":
        return "worker" if site.request.overrides.planner is None else "decode"
    return role


def _launchable(parallel: Parallel, pod_gpus: int) -> None:
    """The platform starts vLLM over nodes as one rank of many pods, or as many ranks that each stay in a pod."""
    rank = parallel.tp * parallel.pp
    if parallel.dp > 1 and pod_gpus % rank:
        raise ManifestError("data-parallel ranks of vLLM do not cross nodes", f"{rank} GPUs each, {pod_gpus} per pod")


def image(estimate: Estimate, site: Site) -> str:
    """The runtime image of the engine; over EFA, the one with its libraries."""
    over_efa = estimate.mode == "disaggregated" and site.fabric.profile == "efa"
    return site.target.image(estimate.backend, efa=over_efa)


def pod(site: Site) -> Pod:
    """What every pod of the graph gets."""
    always = site.settings.pods
    tolerations = (*site.place.tolerations, *site.request.overrides.tolerations, *always.tolerations)
    unique = {json.dumps(toleration, sort_keys=True): toleration for toleration in tolerations}
    return Pod(
        volumes=storage.volumes(site.cache),
        secret=site.secret,
        secret_needed=site.needs_token,
        tolerations=tuple(unique.values()),
        node_selector=always.node_selector,
        pull_secrets=always.pull_secrets,
    )


def _arguments(planned: Worker, backend: str, site: Site) -> tuple[str, ...]:
    told, release = serving(site, copies(planned, backend, site)), site.target.release
    match backend:
        case "vllm":
            return vllm.arguments(planned, told, release)
        case "sglang":
            return sglang.arguments(planned, told, release)
        case _:
            return trtllm.arguments(planned, told, release)


def _worker_pod(role: Role, attached: Attachment, site: Site, titles: Titles) -> Pod:
    common = pod(site)
    engine = Volume(name=ENGINE_VOLUME, path=trtllm.FOLDER, source=titles.engine_files, kind="config")
    return replace(
        common,
        volumes=(*common.volumes, *([engine] if titles.engine_files else []), *attached.volumes),
        node_selector={**common.node_selector, **site.place.node_selector},
        affinity=affinity.of(site.fabric.profile, role, titles.graph, titles.components),
        annotations=attached.annotations,
    )
