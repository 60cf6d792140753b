"""The parsed request: nouns that say what a user asked for, complete, in SI units, with no dict left to guess at."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

from estimator.pins import FREE, Pins
from estimator.workload import Targets, Workload

OWN = "dgdr-operator.io"
"""Prefix of every annotation and label that is ours."""

MOST_GPUS = 1024
"""GPUs that one request may plan for: all ways to use them are priced at once, in about a second and 700 MB."""

ISL, OSL = 4000, 1000
"""Tokens of a request without a workload; defaults of the v1beta1 schema."""

TTFT, ITL = 2.0, 0.03
"""Promises of a request without an SLA, seconds; defaults of upstream's profiler."""

Engine = Literal["vllm", "sglang", "trtllm"]
Backend = Engine | Literal["auto"]
ApiVersion = Literal["v1alpha1", "v1beta1"]
Objective = Literal["latency", "throughput"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Identity:
    """Which object of the cluster asks; uid is empty and generation 0 for a request that is only a file."""

    name: str
    namespace: str = "default"
    uid: str = ""
    generation: int = 0
    api_version: ApiVersion = "v1beta1"


@dataclass(frozen=True, slots=True, kw_only=True)
class Runtime:
    """What serves: the engine, and the container image that names registry and Dynamo version.

    version: runtimeVersionOverride, for image tags that are no version; None when not given.
    """

    backend: Backend = "auto"
    image: str | None = None
    version: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class NewClaim:
    """How a claim is made where there is none: size as a quantity, storage class, access mode."""

    size: str
    storage_class: str
    access_mode: str = "ReadWriteMany"


@dataclass(frozen=True, slots=True, kw_only=True)
class ModelCache:
    """Where the weights are kept: claim, where it is mounted in every pod, and the model's folder inside it.

    creation: how the platform makes the claim, None for a claim that exists.
    """

    claim: str
    mount: str
    model_path: str | None = None
    creation: NewClaim | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class HardwareRequest:
    """The GPUs to plan for; None: not said, `inventory.complete` finds out. vram: bytes per GPU."""

    gpu_sku: str | None = None
    vram: float | None = None
    total_gpus: int | None = None
    gpus_per_node: int | None = None
    interconnect: Literal["nvlink", "pcie"] | None = None
    rdma: bool | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Overrides:
    """What the user adds to what we generate.

    graph: a partial DynamoGraphDeployment, merged at the end (its metadata names and labels the result);
    tolerations: added to every pod; planner: orders for the platform's planner, None for no planner.
    """

    graph: Mapping[str, Any] | None = None
    tolerations: tuple[Mapping[str, Any], ...] = ()
    trust_remote_code: bool = False
    planner: Mapping[str, Any] | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Policy:
    """What to do with the answer, how wide to search, and what breaks a tie.

    auto_apply: create the graph, or stop at Ready; pins: what the answer must be like; balanced: busy experts have
    copies (EPLB); best_effort: the nearest plan will do where none keeps the promises; memory_fit: so will one that
    fits where nothing was measured; measured: the running graph is held to its predictions.
    """

    auto_apply: bool = True
    search_strategy: Literal["rapid", "thorough"] = "rapid"
    objective: Objective = "throughput"
    pins: Pins = FREE
    balanced: bool = False
    best_effort: bool = False
    memory_fit: bool = False
    measured: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Knobs:
    """The request's own annotations (`dgdr-operator.io/...`) and features; None: the operator's setting decides.

    fabric: "auto", a profile, "none", or profile=resource; hf_secret: "" means no secret at all;
    retry: any new value asks for another try; kv_router: requests go to the worker that holds their prefix;
    mocker: workers that answer without a GPU.
    """

    drift: Literal["correct", "report", "ignore"] = "correct"
    retry: str = ""
    without_rdma: Literal["refuse", "intra-node", "allow"] | None = None
    fabric: str | None = None
    dgd_api: Literal["auto", "v1alpha1", "v1beta1"] = "auto"
    prefix_caching: bool = False
    context_limit: Literal["planned", "model"] = "planned"
    hf_secret: str | None = None
    kv_router: bool = False
    mocker: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class DeploymentRequest:
    """One DynamoGraphDeploymentRequest, checked and complete except for hardware the user left to discovery."""

    identity: Identity
    model: str
    runtime: Runtime
    hardware: HardwareRequest
    workload: Workload
    targets: Targets
    model_cache: ModelCache | None = None
    overrides: Overrides = field(default_factory=Overrides)
    policy: Policy = field(default_factory=Policy)
    knobs: Knobs = field(default_factory=Knobs)
