"""Says a v1alpha1 request in the words of v1beta1, and remembers how each field was spelt, for error messages."""

from collections.abc import Iterator, Mapping
from typing import Any

from pydantic import Field

from dgdr_operator.errors import nearest
from dgdr_operator.spec.schema import Part
from dgdr_operator.spec.words import show

_SLA = "profilingConfig.config.sla"
_CACHE = "profilingConfig.config.deployment.modelCache"

MOVED = {
    "modelCache.pvcName": f"{_CACHE}.pvcName",
    "modelCache.pvcModelPath": f"{_CACHE}.modelPathInPvc",
    "modelCache.pvcMountPath": f"{_CACHE}.pvcMountPath",
    "workload.isl": f"{_SLA}.isl",
    "workload.osl": f"{_SLA}.osl",
    "sla.ttft": f"{_SLA}.ttft",
    "sla.itl": f"{_SLA}.itl",
    "sla.optimizationType": f"{_SLA}.optimizationType",
    "features.planner": "profilingConfig.config.planner",
    "features.mocker.enabled": "useMocker",
    "image": "profilingConfig.profilerImage",
}
"""Where v1alpha1 keeps a field of v1beta1, both below `spec` (the upstream converter's mapping)."""


class ProfilingConfig(Part):
    """spec.profilingConfig; `config` is free, as upstream leaves it."""

    profiler_image: str
    config: dict[str, Any] | None = None
    config_map_ref: dict[str, Any] | None = None
    output_pvc: str | None = Field(default=None, alias="outputPVC")
    resources: dict[str, Any] | None = None
    tolerations: list[Any] | None = None
    node_selector: dict[str, Any] | None = None


class DeploymentOverrides(Part):
    """spec.deploymentOverrides"""

    name: str | None = None
    namespace: str | None = None
    labels: dict[str, Any] | None = None
    annotations: dict[str, Any] | None = None
    workers_image: str | None = None


class AlphaSpec(Part):
    """spec of v1alpha1"""

    model: str
    backend: str
    profiling_config: ProfilingConfig
    deployment_overrides: DeploymentOverrides | None = None
    auto_apply: bool | None = None
    use_mocker: bool | None = None
    enable_gpu_discovery: bool | None = None
    runtime_version_override: str | None = None


def to_beta(spec: AlphaSpec) -> dict[str, Any]:
    """The same request as a v1beta1 spec; autoApply defaults to false in v1alpha1 and is written out."""
    config: dict[str, Any] = {"profilingConfig": {"config": spec.profiling_config.config or {}}}
    overrides = spec.deployment_overrides or DeploymentOverrides()
    beta: dict[str, Any] = {
        "model": spec.model,
        "backend": spec.backend,
        "image": spec.profiling_config.profiler_image or overrides.workers_image,
        "runtimeVersionOverride": spec.runtime_version_override,
        "autoApply": bool(spec.auto_apply),
        "overrides": _overrides(spec, overrides),
    }
    for target, source in MOVED.items():
        if source.startswith("profilingConfig.config.") and (value := _dig(config, source)) is not None:
            _put(beta, target, value)
    if spec.use_mocker:
        _put(beta, "features.mocker.enabled", spec.use_mocker)
    return beta


def problems(spec: AlphaSpec) -> Iterator[tuple[str, str]]:
    """Fields inside the free `config` that no version of the request has, where a slip of the pen would be lost."""
    config = {"profilingConfig": {"config": spec.profiling_config.config or {}}}
    for parent in (_SLA, _CACHE):
        known = [path.removeprefix(f"{parent}.") for path in MOVED.values() if path.startswith(parent)]
        found = _dig(config, parent)
        if not isinstance(found, dict | None):
            yield f"spec.{parent}", f"must be an object, not {show(found)}"
        for key in found if isinstance(found, dict) else ():
            if key not in known:
                yield (
                    f"spec.{parent}.{key[:60]}",
                    f"is not a field here: it has {', '.join(known)}{nearest(key, known)}",
                )


def spelling(path: str) -> str:
    """*path* of a v1beta1 field as the v1alpha1 request spells it."""
    return (
        f"spec.{MOVED.get(path.removeprefix('spec.'), path.removeprefix('spec.'))}"
        if path.startswith("spec.")
        else path
    )


def _overrides(spec: AlphaSpec, overrides: DeploymentOverrides) -> dict[str, Any]:
    metadata = {"name": overrides.name, "labels": overrides.labels, "annotations": overrides.annotations}
    metadata = {key: value for key, value in metadata.items() if value}
    tolerations = spec.profiling_config.tolerations
    kind = {"apiVersion": "nvidia.com/v1alpha1", "kind": "DynamoGraphDeployment"}
    return {
        "dgd": {**kind, "metadata": metadata} if metadata else None,
        "profilingJob": {"template": {"spec": {"containers": [], "tolerations": tolerations}}} if tolerations else None,
    }


def _dig(tree: Mapping[str, Any], path: str) -> Any:  # noqa: ANN401 -- the leaf may be anything; the v1beta1 schema judges it
    value: Any = tree
    for step in path.split("."):
        if not isinstance(value, dict):
            return None
        value = value.get(step)
    return value


def _put(tree: dict[str, Any], path: str, value: object) -> None:
    *parents, leaf = path.split(".")
    for step in parents:
        tree = tree.setdefault(step, {})
    tree[leaf] = value
