"""Reads a finished graph, of either version, as the same few facts per component, for whoever checks or compares it."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from itertools import pairwise
from typing import Any

from dgdr_operator.inventory import GPU
from dgdr_operator.manifest.parts import WORKERS


@dataclass(frozen=True, slots=True, kw_only=True)
class View:
    """One component as it stands in a graph; kind: frontend, worker, prefill, decode or what else it says.

    main: the main container; mounts: paths of its claims; shared_memory: as written, None when absent.
    """

    name: str
    kind: str
    replicas: int
    nodes: int
    main: Mapping[str, Any]
    limits: Mapping[str, str]
    requests: Mapping[str, str]
    env: Mapping[str, str]
    mounts: tuple[str, ...]
    shared_memory: str | None

    @property
    def pod_gpus(self) -> int:
        """GPUs of one pod."""
        return int(self.limits.get(GPU, 0))

    @property
    def gpus(self) -> int:
        """GPUs of all its pods."""
        return self.replicas * self.nodes * self.pod_gpus

    @property
    def args(self) -> list[str]:
        """Arguments of the main container."""
        return [str(argument) for argument in self.main.get("args") or ()]

    @property
    def is_worker(self) -> bool:
        """Whether it serves a model."""
        return self.kind in WORKERS

    def value(self, flag: str) -> str | None:
        """What follows *flag* on the command line, None when the flag is not there."""
        return dict(pairwise([*self.args, ""])).get(flag)


def of(graph: Mapping[str, Any]) -> list[View]:
    """Every component of *graph*."""
    spec = graph.get("spec") or {}
    found = list(_alpha(spec) if graph["apiVersion"].endswith("v1alpha1") else _beta(spec))
    if any(view.kind == "prefill" for view in found):
        return found
    # Workers that decode and have nobody to prefill for them do both; a planner wants them called so.
    return [replace(view, kind="worker") if view.kind == "decode" else view for view in found]


def _beta(spec: Mapping[str, Any]) -> Iterator[View]:
    for component in spec.get("components") or ():
        pod = (component.get("podTemplate") or {}).get("spec") or {}
        main: Mapping[str, Any] = next((c for c in pod.get("containers") or () if c.get("name") == "main"), {})
        claims = {volume["name"] for volume in pod.get("volumes") or () if "persistentVolumeClaim" in volume}
        resources = main.get("resources") or {}
        yield View(
            name=component["name"],
            kind=component.get("type", ""),
            replicas=component.get("replicas", 1),
            nodes=(component.get("multinode") or {}).get("nodeCount", 1),
            main=main,
            limits=resources.get("limits") or {},
            requests=resources.get("requests") or {},
            env=_env(main.get("env")),
            mounts=tuple(mount["mountPath"] for mount in main.get("volumeMounts") or () if mount["name"] in claims),
            shared_memory=component.get("sharedMemorySize"),
        )


def _alpha(spec: Mapping[str, Any]) -> Iterator[View]:
    for name, component in (spec.get("services") or {}).items():
        main = (component.get("extraPodSpec") or {}).get("mainContainer") or {}
        resources = component.get("resources") or {}
        direct = main.get("resources") or {}
        yield View(
            name=name,
            kind=component.get("subComponentType") or component.get("componentType", ""),
            replicas=component.get("replicas", 1),
            nodes=(component.get("multinode") or {}).get("nodeCount", 1),
            main=main,
            limits={**_flat(resources.get("limits")), **(direct.get("limits") or {})},
            requests={**_flat(resources.get("requests")), **(direct.get("requests") or {})},
            env={**_env(component.get("envs")), **_env(main.get("env"))},
            mounts=tuple(mount["mountPoint"] for mount in component.get("volumeMounts") or ()),
            shared_memory=(component.get("sharedMemory") or {}).get("size"),
        )


def _flat(resources: Mapping[str, Any] | None) -> dict[str, str]:
    """Resources of v1alpha1 under the names of the core API."""
    given = dict(resources or {})
    custom = given.pop("custom", None) or {}
    renamed = {GPU if name == "gpu" else name: value for name, value in given.items()}
    return {**renamed, **custom}


def _env(listed: Any) -> dict[str, str]:  # noqa: ANN401 -- a list of EnvVar, or nothing
    return {entry["name"]: entry.get("value", "") for entry in listed or ()}
