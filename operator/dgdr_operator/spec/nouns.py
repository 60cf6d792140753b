"""From the schema's fields to the request's nouns: defaults filled in, milliseconds and MiB left behind."""

from dataclasses import replace

from dgdr_operator.request import (
    ISL,
    ITL,
    OSL,
    TTFT,
    DeploymentRequest,
    HardwareRequest,
    Identity,
    Knobs,
    ModelCache,
    Overrides,
    Policy,
    Runtime,
)
from dgdr_operator.spec import schema
from dgdr_operator.units import MEBIBYTE, MILLISECOND
from estimator import pins
from estimator.workload import Targets, Workload

MOUNT = "/opt/model-cache"
"""Default of the v1beta1 schema for a request that names a claim and no path."""


def request(identity: Identity, spec: schema.Spec, knobs: Knobs) -> DeploymentRequest:
    """The request that a valid *spec* describes."""
    return DeploymentRequest(
        identity=identity,
        model=spec.model,
        runtime=Runtime(backend=spec.backend or "auto", image=spec.image, version=spec.runtime_version_override),
        hardware=_hardware(spec.hardware or schema.Hardware()),
        workload=_workload(spec.workload or schema.Workload()),
        targets=_targets(spec.sla or schema.Sla()),
        model_cache=_model_cache(spec.model_cache),
        overrides=_overrides(spec.overrides or schema.Overrides(), spec.features or schema.Features()),
        policy=_policy(spec),
        knobs=_knobs(knobs, spec.features or schema.Features()),
    )


def _knobs(knobs: Knobs, features: schema.Features) -> Knobs:
    """A feature is switched on by its field or, where the request's version has none, by its annotation."""
    routed = features.kv_router is not None and features.kv_router.enabled
    mocked = features.mocker is not None and features.mocker.enabled
    return replace(knobs, kv_router=knobs.kv_router or bool(routed), mocker=bool(mocked))


def _hardware(hardware: schema.Hardware) -> HardwareRequest:
    return HardwareRequest(
        gpu_sku=hardware.gpu_sku,
        vram=None if hardware.vram_mb is None else hardware.vram_mb * MEBIBYTE,
        total_gpus=hardware.total_gpus,
        gpus_per_node=hardware.num_gpus_per_node,
        interconnect=hardware.interconnect,
        rdma=hardware.rdma,
    )


def _workload(workload: schema.Workload) -> Workload:
    return Workload(
        isl=workload.isl or ISL,
        osl=workload.osl or OSL,
        concurrency=workload.concurrency,
        request_rate=workload.request_rate,
    )


def _targets(sla: schema.Sla) -> Targets:
    if sla.e2e_latency is not None:
        return Targets(e2e=sla.e2e_latency * MILLISECOND)
    ttft, itl = (None if given is None else given * MILLISECOND for given in (sla.ttft, sla.itl))
    return Targets(ttft=ttft or TTFT, itl=itl or ITL)


def _model_cache(cache: schema.ModelCache | None) -> ModelCache | None:
    if cache is None or cache.pvc_name is None:
        return None
    mount = (cache.pvc_mount_path or MOUNT).rstrip("/")
    return ModelCache(claim=cache.pvc_name, mount=mount, model_path=cache.pvc_model_path or None)


def _overrides(overrides: schema.Overrides, features: schema.Features) -> Overrides:
    pod = ((overrides.profiling_job or {}).get("template") or {}).get("spec") or {}
    return Overrides(
        graph=overrides.dgd,
        tolerations=tuple(pod.get("tolerations") or ()),
        trust_remote_code=bool(overrides.trust_remote_code),
        planner=features.planner,
    )


def _policy(spec: schema.Spec) -> Policy:
    """A planner that is told what to count decides how the workers are to be."""
    objective = spec.sla.optimization_type if spec.sla else None
    planner = (spec.features.planner if spec.features else None) or {}
    return Policy(
        auto_apply=spec.auto_apply is not False,
        search_strategy=spec.search_strategy or "rapid",
        objective=objective or "throughput",
        pins=pins.parse(f"mode={'agg' if planner['mode'] == 'agg' else 'disagg'}") if "mode" in planner else pins.FREE,
    )
