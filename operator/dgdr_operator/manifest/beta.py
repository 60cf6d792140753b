"""Writes components as a DynamoGraphDeployment of version v1beta1."""

from collections.abc import Iterable, Mapping
from typing import Any

from dgdr_operator.manifest.parts import Component, Container, Pod, Volume

API = "nvidia.com/v1beta1"
MAIN = "main"
"""The name by which the platform knows the container it completes."""


def render(metadata: Mapping[str, Any], backend: str, components: Iterable[Component]) -> dict[str, Any]:
    """The whole object, keys in reading order."""
    return {
        "apiVersion": API,
        "kind": "DynamoGraphDeployment",
        "metadata": dict(metadata),
        "spec": {"backendFramework": backend, "components": [_component(component) for component in components]},
    }


def _component(component: Component) -> dict[str, Any]:
    written: dict[str, Any] = {
        "name": component.name,
        "type": component.kind,
        "replicas": component.replicas,
    }
    if component.scaled:
        written["scalingAdapter"] = {}
    if component.nodes > 1:
        written["multinode"] = {"nodeCount": component.nodes}
    if component.version_override is not None:
        written["runtimeVersionOverride"] = component.version_override
    if component.shared_memory:
        written["sharedMemorySize"] = component.shared_memory
    annotated = {"metadata": {"annotations": dict(component.pod.annotations)}} if component.pod.annotations else {}
    written["podTemplate"] = {**annotated, "spec": _pod(component.pod, component.container)}
    return written


def placement(pod: Pod) -> dict[str, Any]:
    """Where the pod may run and how its image is had, in the words of the core API."""
    written: dict[str, Any] = {}
    if pod.node_selector:
        written["nodeSelector"] = dict(pod.node_selector)
    if pod.tolerations:
        written["tolerations"] = [dict(toleration) for toleration in pod.tolerations]
    if pod.affinity:
        written["affinity"] = dict(pod.affinity)
    if pod.pull_secrets:
        written["imagePullSecrets"] = [{"name": name} for name in pod.pull_secrets]
    return written


def _pod(pod: Pod, container: Container) -> dict[str, Any]:
    written = placement(pod)
    if pod.volumes:
        written["volumes"] = [volume(entry) for entry in pod.volumes]
    written["containers"] = [_container(pod, container)]
    return written


def volume(entry: Volume) -> dict[str, Any]:
    """A volume of the core API."""
    if entry.kind == "claim":
        return {"name": entry.name, "persistentVolumeClaim": {"claimName": entry.source}}
    if entry.kind == "host":
        return {"name": entry.name, "hostPath": {"path": entry.source}}
    return {"name": entry.name, "configMap": {"name": entry.source}}


def mount(entry: Volume) -> dict[str, Any]:
    """Its mount; configuration and folders of the node are read, not written."""
    written: dict[str, Any] = {"name": entry.name, "mountPath": entry.path}
    return written if entry.kind == "claim" else {**written, "readOnly": True}


def _container(pod: Pod, container: Container) -> dict[str, Any]:
    written: dict[str, Any] = {"name": MAIN, "image": container.image, "imagePullPolicy": "IfNotPresent"}
    if container.command:
        written |= {"command": list(container.command), "args": list(container.args)}
    if container.env:
        written["env"] = [{"name": name, "value": value} for name, value in container.env.items()]
    if pod.secret:
        written["envFrom"] = [{"secretRef": {"name": pod.secret, "optional": not pod.secret_needed}}]
    if container.security:
        written["securityContext"] = dict(container.security)
    if container.resources:
        written["resources"] = {"limits": dict(container.resources), "requests": dict(container.resources)}
    if pod.volumes:
        written["volumeMounts"] = [mount(entry) for entry in pod.volumes]
    return written
