"""Writes components as a DynamoGraphDeployment of version v1alpha1, in the form of the customer's documents."""

from collections.abc import Iterable, Mapping
from typing import Any

from dgdr_operator.inventory import GPU
from dgdr_operator.manifest import beta
from dgdr_operator.manifest.parts import Component
from dgdr_operator.request import NewClaim

API = "nvidia.com/v1alpha1"
WORKSPACE = "/workspace"
"""Working directory of worker containers in this version's documents; all our paths are absolute."""


def render(metadata: Mapping[str, Any], backend: str, components: Iterable[Component]) -> dict[str, Any]:
    """The whole object, keys in reading order."""
    listed = list(components)
    claims = {entry.source: entry.creation for part in listed for entry in part.pod.volumes if entry.kind == "claim"}
    spec: dict[str, Any] = {"backendFramework": backend}
    if claims:
        spec["pvcs"] = [_claim(name, creation) for name, creation in sorted(claims.items())]
    spec["services"] = {component.name: _component(component) for component in listed}
    return {"apiVersion": API, "kind": "DynamoGraphDeployment", "metadata": dict(metadata), "spec": spec}


def _claim(name: str, creation: NewClaim | None) -> dict[str, Any]:
    if creation is None:
        return {"name": name, "create": False}
    made = {"size": creation.size, "storageClass": creation.storage_class, "volumeAccessMode": creation.access_mode}
    return {"name": name, "create": True, **made}


def _component(component: Component) -> dict[str, Any]:
    written: dict[str, Any] = {"componentType": "worker" if component.is_worker else component.kind}
    if component.kind in {"prefill", "decode"}:
        written["subComponentType"] = component.kind
    written["replicas"] = component.replicas
    if component.scaled:
        written["scalingAdapter"] = {"enabled": True}
    if component.nodes > 1:
        written["multinode"] = {"nodeCount": component.nodes}
    if component.version_override is not None:
        written["runtimeVersionOverride"] = component.version_override
    if component.pod.secret:
        written["envFromSecret"] = component.pod.secret
    if component.container.resources:
        resources = _resources(component.container.resources)
        written["resources"] = {"limits": resources, "requests": _resources(component.container.resources)}
    if component.shared_memory:
        written["sharedMemory"] = {"size": component.shared_memory}
    if component.pod.annotations:
        written["extraPodMetadata"] = {"annotations": dict(component.pod.annotations)}
    return {**written, **_storage(component), "extraPodSpec": _pod(component)}


def _storage(component: Component) -> dict[str, Any]:
    """Claims are mounted by the platform; other volumes are ordinary ones of the pod."""
    mounts = [{"name": v.source, "mountPoint": v.path} for v in component.pod.volumes if v.kind == "claim"]
    env = [{"name": name, "value": value} for name, value in component.container.env.items()]
    return {key: value for key, value in (("volumeMounts", mounts), ("envs", env)) if value}


def _resources(resources: Mapping[str, str]) -> dict[str, Any]:
    """GPUs have a field of their own, everything else is custom."""
    custom = {name: count for name, count in resources.items() if name != GPU}
    written: dict[str, Any] = {"gpu": resources[GPU]} if GPU in resources else {}
    return {**written, "custom": custom} if custom else written


def _pod(component: Component) -> dict[str, Any]:
    written = beta.placement(component.pod)
    ordinary = [entry for entry in component.pod.volumes if entry.kind != "claim"]
    if ordinary:
        written["volumes"] = [beta.volume(entry) for entry in ordinary]
    main = _container(component)
    if ordinary:
        main["volumeMounts"] = [beta.mount(entry) for entry in ordinary]
    return {**written, "mainContainer": main}


def _container(component: Component) -> dict[str, Any]:
    """The platform knows how to start a frontend."""
    container = component.container
    written: dict[str, Any] = {"image": container.image, "imagePullPolicy": "IfNotPresent"}
    if component.kind == "frontend":
        return written
    written |= {"workingDir": WORKSPACE} if component.is_worker else {}
    if container.security:
        written["securityContext"] = dict(container.security)
    return {**written, "command": list(container.command), "args": list(container.args)}
