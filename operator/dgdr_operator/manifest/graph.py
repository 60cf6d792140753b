"""From a chosen estimate to one DynamoGraphDeployment, with the engine files it mounts."""

import hashlib
import json
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

import yaml

from dgdr_operator.manifest import alpha, beta, checks, components, mocker, names, notes, override, planner, trtllm
from dgdr_operator.manifest.components import Titles
from dgdr_operator.manifest.parts import Component
from dgdr_operator.manifest.sites import Site, copies, serving, within
from dgdr_operator.request import OWN, DeploymentRequest
from estimator.estimates import Estimate


@dataclass(frozen=True, slots=True, kw_only=True)
class Built:
    """The objects to create, the graph last, and sentences about what was decided on the way.

    departures: those on what overrides changed although the estimate rested on it.
    """

    objects: tuple[dict[str, Any], ...]
    notes: tuple[str, ...]
    departures: tuple[str, ...] = ()


def build(estimate: Estimate, site: Site) -> Built:
    """The graph that runs *estimate* at *site*, with overrides merged and every rule checked.

    Raises ManifestError when a rule is broken, InvalidSpec when the request's names or overrides do not fit.
    """
    mocked = site.request.knobs.mocker
    site = site if mocked else within(estimate, site)
    *files, graph, note = _mocked(estimate, site) if mocked else _served(estimate, site)
    changed, ignored = _overridden(graph, site.request)
    departures = tuple(override.departures(graph, changed))
    said = (note, site.target.note, *notes.of(estimate, site), *ignored, *departures)
    return Built(objects=(*files, changed), notes=tuple(filter(None, said)), departures=departures)


def _served(estimate: Estimate, site: Site) -> tuple[Any, ...]:
    """The engine files, the graph of *estimate*'s workers, and a note on its name."""
    request, node_gpus = site.request, site.place.node_gpus
    pods = {worker.role: components.pods(worker, node_gpus) for worker in estimate.workers}
    called, name, note = names.components(request, site.api, estimate.backend, pods)
    files = _engine_files(estimate, site, name)
    titles = Titles(graph=name, components=called, engine_files=files[0]["metadata"]["name"] if files else "")
    parts = [components.frontend(components.image(estimate, site), site)]
    parts += [components.worker(worker, estimate, site, titles) for worker in estimate.workers]
    parts += _planned(estimate, site)
    graph = _rendered(name, estimate.backend, parts, site)
    checks.generated(graph, gpus=estimate.gpus, node_gpus=node_gpus, model=request.model)
    return *files, graph, note


def _mocked(estimate: Estimate, site: Site) -> tuple[Any, ...]:
    """The graph of workers that only pretend, and a note on its name."""
    backend = mocker.simulated(estimate.backend)
    called, name, note = names.components(site.request, site.api, backend, dict.fromkeys(mocker.ROLES, 1))
    titles = Titles(graph=name, components=called)
    graph = _rendered(name, backend, [*mocker.parts(backend, site, titles), *_planned(estimate, site)], site)
    checks.mocked(graph)
    return graph, note


def _planned(estimate: Estimate, site: Site) -> list[Component]:
    """The planner, where the request asks for one."""
    return [] if site.request.overrides.planner is None else [planner.component(estimate, site)]


def _rendered(name: str, backend: str, parts: Iterable[Component], site: Site) -> dict[str, Any]:
    render = alpha.render if site.api == "v1alpha1" else beta.render
    return render(_metadata(site.request, name), backend, parts)


def _overridden(graph: dict[str, Any], request: DeploymentRequest) -> tuple[dict[str, Any], tuple[str, ...]]:
    if request.overrides.graph is None:
        return graph, ()
    merged, changes = override.merge(graph, request.overrides.graph)
    checks.accepted(merged)
    return merged, changes


def _metadata(request: DeploymentRequest, name: str) -> dict[str, Any]:
    identity = request.identity
    labels = {
        "dgdr.nvidia.com/name": identity.name,
        "dgdr.nvidia.com/namespace": identity.namespace,
        "nvidia.com/managed-by": "dgdr-operator",
    }
    return {"name": name, "namespace": identity.namespace, "labels": labels}


def _engine_files(estimate: Estimate, site: Site, name: str) -> tuple[dict[str, Any], ...]:
    """The ConfigMap with the engine files; the digest in its name makes a change of content roll the pods.

    It does not carry the platform's own labels: the platform adopts ConfigMaps that do.
    """
    if estimate.backend != "trtllm":
        return ()
    place, sku = site.place, site.request.hardware.gpu_sku or ""
    gpus = trtllm.Gpus(sku=sku, capacity=place.gpu_capacity, per_node=place.node_gpus, experts=site.experts)
    told = [(worker, serving(site, copies(worker, estimate.backend, site))) for worker in estimate.workers]
    contents = {
        trtllm.file_name(worker): yaml.safe_dump(trtllm.engine_file(worker, said, gpus), sort_keys=False)
        for worker, said in told
    }
    digest = hashlib.sha256(json.dumps(contents, sort_keys=True).encode()).hexdigest()[:8]
    identity = site.request.identity
    labels = {f"{OWN}/request": identity.name, "nvidia.com/managed-by": "dgdr-operator"}
    metadata = {"name": f"{name}-engine-{digest}", "namespace": identity.namespace, "labels": labels}
    return ({"apiVersion": "v1", "kind": "ConfigMap", "metadata": metadata, "data": contents},)
