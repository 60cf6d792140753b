"""Does the live object already say everything we want it to say? Where not, at which paths?

Pure. What others added is not compared; lists that the API server merges by a key are matched by that key, all
others are compared whole, as apply would replace them whole.
"""

from collections.abc import Iterator, Mapping, Sequence
from decimal import Decimal, InvalidOperation
from typing import Any

MERGED_BY = {
    "components": ("name",),
    "containers": ("name",),
    "initContainers": ("name",),
    "env": ("name",),
    "volumes": ("name",),
    "volumeMounts": ("mountPath",),
    "imagePullSecrets": ("name",),
    "hostAliases": ("ip",),
    "ports": ("containerPort", "protocol"),
    "topologySpreadConstraints": ("topologyKey", "whenUnsatisfiable"),
}
"""Lists with x-kubernetes-list-type map in the DynamoGraphDeployment definition, with their keys."""

QUANTITIES = frozenset({"limits", "requests", "custom", "sharedMemory", "sharedMemorySize", "sizeLimit", "size"})
"""Fields whose values, or whose children's values, are Kubernetes quantities: "1024Mi" and "1Gi" are equal there."""

REPLICAS = "replicas"

_SUFFIXES = {
    "n": Decimal("1e-9"), "u": Decimal("1e-6"), "m": Decimal("1e-3"), "k": Decimal(10**3), "M": Decimal(10**6),
    "G": Decimal(10**9), "T": Decimal(10**12), "P": Decimal(10**15), "E": Decimal(10**18),
    "Ki": Decimal(2**10), "Mi": Decimal(2**20), "Gi": Decimal(2**30), "Ti": Decimal(2**40), "Pi": Decimal(2**50),
    "Ei": Decimal(2**60),
}  # fmt: skip


def covers(live: object, desired: object) -> bool:
    """Whether every leaf of *desired* is in *live* with an equal value."""
    return next(differences(live, desired), None) is None


def is_scaled(component: Mapping[str, Any]) -> bool:
    """Whether a scaling adapter decides how many replicas *component* has; in v1alpha1 it may be switched off."""
    adapter = component.get("scalingAdapter")
    return isinstance(adapter, Mapping) and adapter.get("enabled", True) is not False


def yielding(desired: Mapping[str, Any], live: Mapping[str, Any] | None) -> dict[str, Any]:
    """The graph *desired* with as many replicas as *live* has, wherever a scaling adapter decides about them.

    They are written, not left out: a field that its only owner stops to apply is removed.
    """
    spec, standing = desired["spec"], (live or {}).get("spec") or {}
    listed = {part.get("name"): part for part in standing.get("components") or ()}
    named = standing.get("services") or {}
    changed = dict(spec)
    if "components" in spec:
        changed["components"] = [_counted(part, listed.get(part.get("name"))) for part in spec["components"]]
    if "services" in spec:
        changed["services"] = {name: _counted(part, named.get(name)) for name, part in spec["services"].items()}
    return {**desired, "spec": changed}


def _counted(component: Mapping[str, Any], live: Mapping[str, Any] | None) -> Mapping[str, Any]:
    if live is None or REPLICAS not in live or not is_scaled(component):
        return component
    return {**component, REPLICAS: live[REPLICAS]}


def differences(live: object, desired: object, path: tuple[str, ...] = ()) -> Iterator[str]:
    """The paths, such as spec.components[worker].replicas, at which *live* lacks what *desired* says."""
    match desired:
        case Mapping():
            yield from _of_mapping(live, desired, path)
        case list() | tuple():
            yield from _of_list(live, desired, path)
        case _:
            if not _equal(live, desired, path):
                yield _spoken(path)


def _of_mapping(live: object, desired: Mapping[str, Any], path: tuple[str, ...]) -> Iterator[str]:
    if not isinstance(live, Mapping):
        yield _spoken(path)
        return
    for name, wanted in desired.items():
        if name == REPLICAS and is_scaled(desired):
            continue
        if name in live:
            yield from differences(live[name], wanted, (*path, name))
        elif wanted is not None:
            yield _spoken((*path, name))


def _of_list(live: object, desired: Sequence[Any], path: tuple[str, ...]) -> Iterator[str]:
    if not isinstance(live, list):
        yield _spoken(path)
        return
    keys = MERGED_BY.get(path[-1]) if path else None
    if keys and all(isinstance(item, Mapping) for item in (*live, *desired)):
        yield from _of_merged(live, desired, keys, path)
    elif len(live) != len(desired):
        yield _spoken(path)
    else:
        for index, (theirs, ours) in enumerate(zip(live, desired, strict=True)):
            yield from differences(theirs, ours, (*path[:-1], f"{path[-1]}[{index}]" if path else f"[{index}]"))


def _of_merged(
    live: Sequence[Any], desired: Sequence[Any], keys: Sequence[str], path: tuple[str, ...]
) -> Iterator[str]:
    present = {_identity(item, keys): item for item in live}
    for item in desired:
        identity = _identity(item, keys)
        here = (*path[:-1], f"{path[-1]}[{identity[0]}]")
        if identity in present:
            yield from differences(present[identity], item, here)
        else:
            yield _spoken(here)


def _identity(item: Mapping[str, Any], keys: Sequence[str]) -> tuple[Any, ...]:
    """The values of *keys*; a port without a protocol is a TCP port, as the API server fills in."""
    defaults = {"protocol": "TCP"}
    return tuple(item.get(key, defaults.get(key)) for key in keys)


def _equal(live: object, desired: object, path: tuple[str, ...]) -> bool:
    if live == desired and isinstance(live, bool) == isinstance(desired, bool):
        return True
    if not QUANTITIES.intersection(path[-3:]):
        return False
    ours, theirs = quantity(desired), quantity(live)
    return ours is not None and ours == theirs


def quantity(value: object) -> Decimal | None:
    """The number that a Kubernetes quantity such as "500m", "16Gi" or 2 stands for; None if it is none."""
    if isinstance(value, bool) or not isinstance(value, str | int | float):
        return None
    text = str(value).strip()
    suffix = next((text[-size:] for size in (2, 1) if text[-size:] in _SUFFIXES), "")
    try:
        number = Decimal(text.removesuffix(suffix))
    except InvalidOperation:
        return None
    return number * _SUFFIXES.get(suffix, Decimal(1)) if number.is_finite() else None


def _spoken(path: tuple[str, ...]) -> str:
    return ".".join(path) or "everything"
