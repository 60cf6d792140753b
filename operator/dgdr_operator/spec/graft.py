"""Is an override shaped like a graph? What is merged into a graph has to be of the kind that stands there."""

import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any

from dgdr_operator.errors import nearest
from dgdr_operator.spec.words import show

Test = Callable[[object], bool]

_WHOLE = re.compile(r"[0-9]{1,9}")


def _is_count(value: object) -> bool:
    return isinstance(value, int) and not isinstance(value, bool) and 0 <= value < 2**31


def _is_quantity(value: object) -> bool:
    return isinstance(value, str) or _is_count(value)


def _is_whole(value: object) -> bool:
    return _is_count(value) or (isinstance(value, str) and _WHOLE.fullmatch(value) is not None)


def _is_object(value: object) -> bool:
    return isinstance(value, dict)


def _is_text(value: object) -> bool:
    return isinstance(value, str)


def _are_texts(value: object) -> bool:
    return isinstance(value, list) and all(isinstance(entry, str) for entry in value)


def _are_objects(value: object) -> bool:
    return isinstance(value, list) and all(isinstance(entry, dict) for entry in value)


def _are_named(value: object) -> bool:
    return isinstance(value, list) and all(
        isinstance(entry, dict) and isinstance(entry.get("name"), str) for entry in value
    )


def _are_quantities(value: object) -> bool:
    if not isinstance(value, dict):
        return False
    plain = {name: amount for name, amount in value.items() if name not in {"custom", "claims"}}
    return all(_is_quantity(amount) for amount in plain.values())


_OBJECT = ("an object", _is_object)
_NAMED = ("a list of objects with a name", _are_named)
_TEXTS = ("a list of texts", _are_texts)
_TEXT = ("text", _is_text)
_COUNT = ("a whole number", _is_count)

_KINDS: Mapping[str, tuple[str, Test]] = {
    **dict.fromkeys(
        ("services", "multinode", "resources", "podTemplate", "extraPodSpec", "extraPodMetadata", "mainContainer",
         "sharedMemory", "metadata", "spec", "$patch", "affinity", "nodeSelector", "securityContext"), _OBJECT,
    ),
    **dict.fromkeys(
        ("components", "containers", "initContainers", "env", "envs", "volumes", "imagePullSecrets", "pvcs"), _NAMED,
    ),
    **dict.fromkeys(("args", "command"), _TEXTS),
    **dict.fromkeys(
        ("image", "type", "componentType", "subComponentType", "backendFramework", "mountPath", "mountPoint",
         "envFromSecret", "imagePullPolicy"), _TEXT,
    ),
    **dict.fromkeys(("replicas", "nodeCount", "containerPort"), _COUNT),
    **dict.fromkeys(("limits", "requests", "custom"), ("an object of quantities", _are_quantities)),
    **dict.fromkeys(("gpu", "nvidia.com/gpu"), ("a whole number, as text", _is_whole)),
    **dict.fromkeys(("volumeMounts", "ports", "tolerations", "envFrom"), ("a list of objects", _are_objects)),
    **dict.fromkeys(("sharedMemorySize", "size"), ("a quantity such as 16Gi", _is_quantity)),
}  # fmt: skip
"""What a field of either version has to be, wherever it stands; fields that are not here are left to the cluster."""

_LEFT = frozenset({"volumes", "affinity", "tolerations", "imagePullSecrets", "securityContext"})
"""Fields below which the core API has its own words."""

_BOTH = ("backendFramework", "annotations", "labels", "experimental", "priorityClassName", "providerOverride",
         "restart", "topologyConstraint")  # fmt: skip
_GRAPH = {"v1alpha1": (*_BOTH, "envs", "pvcs", "services"), "v1beta1": (*_BOTH, "env", "components")}
_SHARED = ("eppConfig", "frontendSidecar", "globalDynamoNamespace", "minAvailable", "modelRef", "multinode", "replicas",
           "providerOverride", "runtimeVersionOverride", "scalingAdapter", "topologyConstraint")  # fmt: skip
_COMPONENT = {
    "v1alpha1": (
        *_SHARED, "annotations", "autoscaling", "checkpoint", "componentType", "dynamoNamespace", "envFromSecret",
        "envs", "extraPodMetadata", "extraPodSpec", "failover", "gpuMemoryService", "ingress", "labels",
        "livenessProbe", "readinessProbe", "resources", "serviceName", "sharedMemory", "subComponentType",
        "volumeMounts",
    ),
    "v1beta1": (*_SHARED, "compilationCache", "experimental", "name", "podTemplate", "sharedMemorySize", "type"),
}  # fmt: skip
"""Fields of a graph's spec and of its components by version, as upstream's definitions of release 1.5 have them."""


def problems(spec: Mapping[str, Any], version: str, path: str) -> Iterator[tuple[str, str]]:
    """Every field of the partial graph *spec* that its version has not, or that is of another kind, with its path."""
    yield from _unknown(spec, _GRAPH[version], path)
    yield from _tree(spec, path)
    for where, component in _components(spec, path):
        if _is_object(component):
            yield from _unknown(component, _COMPONENT[version], where)
        else:
            yield where, f"must be an object, not {show(component)}"


def _components(spec: Mapping[str, Any], path: str) -> Iterator[tuple[str, Any]]:
    """The components of either version, each with its path; none of what is no map and no list."""
    services, listed = spec.get("services"), spec.get("components")
    if isinstance(services, dict):
        yield from ((f"{path}.services.{name[:60]}", component) for name, component in services.items())
    if isinstance(listed, list) and _are_objects(listed):
        yield from ((f"{path}.components[{index}]", component) for index, component in enumerate(listed))


def _unknown(tree: Mapping[str, Any], known: Sequence[str], path: str) -> Iterator[tuple[str, str]]:
    for key in tree:
        if key not in known:
            yield f"{path}.{key[:60]}", f"is not a field here: it has {', '.join(known)}{nearest(key, known)}"


def _tree(tree: Any, path: str) -> Iterator[tuple[str, str]]:  # noqa: ANN401 -- dicts and lists of any depth
    if isinstance(tree, list):
        for index, below in enumerate(tree):
            yield from _tree(below, f"{path}[{index}]")
    elif isinstance(tree, dict):
        for key, below in tree.items():
            yield from _field(key, below, f"{path}.{key[:60]}")


def _field(key: str, value: Any, path: str) -> Iterator[tuple[str, str]]:  # noqa: ANN401 -- as above
    kind, fits = _KINDS.get(key, ("", bool))
    if kind and not fits(value):
        yield path, f"must be {kind}, not {show(value)}"
    elif key == "services":
        for name, component in value.items():
            yield from _tree(component, f"{path}.{name[:60]}")
    elif key not in _LEFT:
        yield from _tree(value, path)
