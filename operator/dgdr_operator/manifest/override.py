"""Merges `spec.overrides.dgd` into a graph, by the structure of the graph's own version."""

from collections.abc import Mapping
from typing import Any

from dgdr_operator.manifest import views

_KEYS = {
    "components": "name",
    "containers": "name",
    "initContainers": "name",
    "env": "name",
    "envs": "name",
    "volumes": "name",
    "pvcs": "name",
    "imagePullSecrets": "name",
    "ports": "containerPort",
}
"""Lists that merge entry by entry, and the field that tells entries apart; every other list is replaced whole."""

_ALIASES = {
    "worker": ("worker", "decode", "vllmworker", "vllmdecodeworker", "sglangworker", "trtllmworker"),
    "prefill": ("prefill", "vllmprefillworker", "sglangprefillworker", "trtllmprefillworker"),
    "decode": ("decode", "vllmdecodeworker", "sglangdecodeworker", "trtllmdecodeworker"),
    "frontend": ("frontend",),
    "planner": ("planner",),
}
"""Names, lower case, under which documents of either version and any engine speak of a component of that kind."""

_IGNORED_ANNOTATIONS = "nvidia.com/dgd-"


def merge(graph: Mapping[str, Any], change: Mapping[str, Any]) -> tuple[dict[str, Any], tuple[str, ...]]:
    """*graph* with *change* laid over it, and a sentence for everything ignored.

    The two must be of one version, unless *change* has no spec. The name in *change* is expected in *graph* already.
    """
    notes: list[str] = []
    metadata = _metadata(graph["metadata"], change.get("metadata") or {}, notes)
    spec = _named(graph, change.get("spec") or {}, notes)
    is_alpha = graph["apiVersion"].endswith("v1alpha1")
    if is_alpha:
        spec = _appending(graph, spec)
    merged = {**graph, "metadata": metadata, "spec": _merged(graph["spec"], spec)}
    return merged, tuple(notes)


def _metadata(ours: Mapping[str, Any], theirs: Mapping[str, Any], notes: list[str]) -> dict[str, Any]:
    merged = dict(ours)
    for field, value in theirs.items():
        if field in {"labels", "annotations"}:
            kept = {key: text for key, text in value.items() if not key.startswith(_IGNORED_ANNOTATIONS)}
            merged[field] = {**merged.get(field, {}), **kept}
        elif field not in {"name", "creationTimestamp"}:
            notes.append(f"overrides.dgd.metadata.{field} is ignored: an override names, labels and annotates a graph")
    return merged


def _named(graph: Mapping[str, Any], spec: Mapping[str, Any], notes: list[str]) -> dict[str, Any]:
    """*spec* with its components called as ours are; those we have not are left out with a note."""
    ours = {view.name: view.kind for view in views.of(graph)}
    named = dict(spec)
    if isinstance(spec.get("services"), Mapping):
        found = {_ours(name, ours): part for name, part in spec["services"].items()}
        _unknown(spec["services"], ours, notes)
        named["services"] = {name: part for name, part in found.items() if name is not None}
    if isinstance(spec.get("components"), list):
        listed = [part for part in spec["components"] if isinstance(part, Mapping)]
        _unknown([str(part.get("name")) for part in listed], ours, notes)
        pairs = [(_ours(str(part.get("name")), ours), part) for part in listed]
        named["components"] = [{**part, "name": name} for name, part in pairs if name is not None]
    return named


def _ours(name: str, ours: Mapping[str, str]) -> str | None:
    """The component that *name* means: ours of that name, else the one whose kind it is an alias of."""
    if name in ours:
        return name
    return next((own for own, kind in ours.items() if name.lower() in _ALIASES.get(kind, ())), None)


def _unknown(given: Any, ours: Mapping[str, str], notes: list[str]) -> None:  # noqa: ANN401 -- names, in a list or as keys
    known = f"which this graph has not: it has {', '.join(ours)}"
    notes.extend(f"overrides.dgd speaks of {name}, {known}" for name in given if _ours(name, ours) is None)


def _appending(graph: Mapping[str, Any], spec: Mapping[str, Any]) -> dict[str, Any]:
    """v1alpha1: arguments given for a worker follow ours instead of replacing them."""
    ours = {view.name: view for view in views.of(graph)}
    services = {}
    for name, part in (spec.get("services") or {}).items():
        main = ((part or {}).get("extraPodSpec") or {}).get("mainContainer") or {}
        if "args" in main and ours[name].is_worker:
            longer = {**main, "args": [*ours[name].args, *main["args"]]}
            services[name] = {**part, "extraPodSpec": {**part["extraPodSpec"], "mainContainer": longer}}
        else:
            services[name] = part
    return {**spec, "services": services} if services else dict(spec)


def _merged(ours: Any, theirs: Any, field: str = "") -> Any:  # noqa: ANN401 -- two trees of one shape
    """*theirs* over *ours*: objects by key, lists of named things by name, everything else replaced."""
    if isinstance(ours, Mapping) and isinstance(theirs, Mapping):
        appended = _patched_args(ours, theirs)
        given = {key: value for key, value in theirs.items() if key != "$patch"}
        given |= _requested(given) if field == "resources" else {}
        result = {**ours, **{key: _merged(ours.get(key), value, key) for key, value in given.items()}}
        return {**result, **appended}
    if isinstance(ours, list) and isinstance(theirs, list) and field in _KEYS:
        return _merged_lists(ours, theirs, _KEYS[field])
    if field == "volumeMounts" and isinstance(ours, list) and isinstance(theirs, list):
        return _merged_lists(
            ours, theirs, "mountPath" if any("mountPath" in entry for entry in theirs) else "mountPoint"
        )
    return theirs


def _requested(resources: Mapping[str, Any]) -> dict[str, Any]:
    """Devices whose limit is changed are requested alike, as the cluster demands, unless requests are given too."""
    devices = {name: count for name, count in (resources.get("limits") or {}).items() if _is_device(name)}
    return {"requests": devices} if devices and "requests" not in resources else {}


def _is_device(name: str) -> bool:
    return "/" in name or name in {"gpu", "custom"}


def _patched_args(ours: Mapping[str, Any], theirs: Mapping[str, Any]) -> dict[str, Any]:
    """v1beta1: `$patch: {args: append}` in a container adds arguments to ours."""
    if (theirs.get("$patch") or {}).get("args") != "append":
        return {}
    return {"args": [*(ours.get("args") or ()), *(theirs.get("args") or ())]}


def _merged_lists(ours: list[Any], theirs: list[Any], key: str) -> list[Any]:
    given = {entry.get(key): entry for entry in theirs}
    known = {entry.get(key) for entry in ours}
    kept = [_merged(entry, given[entry.get(key)]) if entry.get(key) in given else entry for entry in ours]
    return kept + [entry for entry in theirs if entry.get(key) not in known]


def departures(before: Mapping[str, Any], after: Mapping[str, Any]) -> list[str]:
    """A sentence for each component of which an override changed what the estimate rested on."""
    changed = {view.name: view for view in views.of(after)}
    notes = []
    for view in views.of(before):
        now = changed[view.name]
        facts = {
            "replicas": (view.replicas, now.replicas),
            "GPUs per pod": (view.pod_gpus, now.pod_gpus),
            "nodes": (view.nodes, now.nodes),
            "arguments": (view.args, now.args),
        }
        named = [name for name, (planned, given) in facts.items() if planned != given]
        if named:
            notes.append(
                f"overrides.dgd changes {' and '.join(named)} of {view.name}: the estimate does not cover that"
            )
    return notes
