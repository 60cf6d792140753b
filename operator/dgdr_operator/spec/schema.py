"""The v1beta1 request as upstream's schema spells it, strictly typed: every field, its type, its range, its default."""

from typing import Annotated, Any, Literal

from pydantic import AfterValidator, BaseModel, ConfigDict, Field
from pydantic.alias_generators import to_camel

from dgdr_operator.request import MOST_GPUS
from dgdr_operator.spec import words

INT32 = 2**31 - 1
"""The largest value of the schema's int32 fields."""

SMALLEST = 1e-6
"""Least time, rate or size: a nanosecond, where the unit is one millisecond; less would vanish in conversion."""

SKUS = (
    "gb200_sxm", "gb10", "b200_sxm", "h200_sxm", "h100_sxm", "h100_pcie", "a100_sxm", "a100_pcie", "a30", "l40s", "l40",
    "l4", "v100_sxm", "v100_pcie", "t4", "mi200", "mi300", "gb200", "b300_sxm", "vr_nvl72",
)  # fmt: skip
"""GPU names of the request's schema: release 1.5, then those that 1.6 adds."""


def _word(text: str) -> str:
    if not words.is_word(text):
        raise ValueError(f"must be one word without blanks and without a leading dash, not {words.show(text)}")
    return text


def _claim(text: str) -> str:
    if not words.DNS_SUBDOMAIN.fullmatch(text):
        raise ValueError(f"must be the name of a claim (a-z, 0-9, - and .), not {words.show(text)}")
    return text


def _version(text: str) -> str:
    if not words.SEMVER.fullmatch(text):
        raise ValueError(f"must be a version of three numbers such as 1.4.0, not {words.show(text)}")
    return text


def _mount(text: str) -> str:
    _path(text)
    if not text.strip("/") or not text.startswith("/") or ":" in text:
        raise ValueError(f"must be an absolute path such as /opt/models, not {words.show(text)}")
    if text.startswith(("/root/", "/home/")) or text in {"/root", "/home"}:
        raise ValueError(f"must lie outside home directories, which engines cannot share: not {words.show(text)}")
    return text


def _noticeable(value: float) -> float:
    if value < SMALLEST:
        raise ValueError(f"must be at least {SMALLEST:g}, not {words.show(value)}")
    return value


def _path(text: str) -> str:
    if ".." in _word(text).split("/"):
        raise ValueError(f"must not step out of the claim with '..': {words.show(text)}")
    return text


Word = Annotated[str, AfterValidator(_word)]
Count = Annotated[int, Field(gt=0, le=INT32)]
Gpus = Annotated[int, Field(gt=0, le=MOST_GPUS)]
Positive = Annotated[float, Field(gt=0, le=1e12, allow_inf_nan=False), AfterValidator(_noticeable)]


class Part(BaseModel):
    """A part of the request: exact types, no field that upstream does not have."""

    model_config = ConfigDict(strict=True, extra="forbid", frozen=True, alias_generator=to_camel)


class ModelCache(Part):
    """spec.modelCache"""

    pvc_name: Annotated[str, AfterValidator(_claim)] | None = None
    pvc_model_path: Annotated[str, AfterValidator(_path)] | None = None
    pvc_mount_path: Annotated[str, AfterValidator(_mount)] | None = None


class Hardware(Part):
    """spec.hardware"""

    gpu_sku: Literal[SKUS] | None = None  # type: ignore[valid-type]  # the tuple is the enum, written once
    vram_mb: Positive | None = None
    total_gpus: Gpus | None = None
    num_gpus_per_node: Gpus | None = None
    interconnect: Literal["nvlink", "pcie"] | None = None
    rdma: bool | None = None


class Workload(Part):
    """spec.workload"""

    isl: Count | None = None
    osl: Count | None = None
    concurrency: Positive | None = None
    request_rate: Positive | None = None


class Sla(Part):
    """spec.sla, milliseconds"""

    ttft: Positive | None = None
    itl: Positive | None = None
    e2e_latency: Positive | None = Field(default=None, alias="e2eLatency")
    optimization_type: Literal["latency", "throughput"] | None = None


class Switch(Part):
    """A feature with nothing but an on and an off."""

    enabled: bool | None = None


class Features(Part):
    """spec.features"""

    planner: dict[str, Any] | None = None
    mocker: Switch | None = None
    kv_router: Switch | None = None


class Overrides(Part):
    """spec.overrides; the two embedded objects are checked by their own schemas elsewhere."""

    profiling_job: dict[str, Any] | None = None
    dgd: dict[str, Any] | None = None
    trust_remote_code: bool | None = None


class Spec(Part):
    """spec"""

    model: Word
    backend: Literal["auto", "vllm", "sglang", "trtllm"] | None = None
    image: Word | None = None
    runtime_version_override: Annotated[str, AfterValidator(_version)] | None = None
    model_cache: ModelCache | None = None
    hardware: Hardware | None = None
    workload: Workload | None = None
    sla: Sla | None = None
    overrides: Overrides | None = None
    features: Features | None = None
    search_strategy: Literal["rapid", "thorough"] | None = None
    auto_apply: bool | None = None
