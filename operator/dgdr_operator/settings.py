"""The operator's configuration: environment variables, read once into frozen values."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Literal, get_args

from dgdr_operator.errors import InvalidSetting, nearest
from dgdr_operator.request import ApiVersion, Engine, ModelCache, NewClaim
from dgdr_operator.units import GIGABYTE

WithoutRdma = Literal["refuse", "intra-node", "allow"]
Counting = Literal["free", "total", "elastic"]
SeveralNodes = Literal["auto", "allow", "refuse"]
Security = Literal["auto", "capabilities", "ipc-lock-only", "privileged", "none"]

PREFIX = "DGDR_"
"""Every variable of ours begins with it."""

SHARED_MEMORY = {"vllm": "16Gi", "sglang": "16Gi", "trtllm": "80Gi"}
"""Size of /dev/shm by engine, single-node dense workers; the customer's documents: 16Gi for vLLM, 80Gi for TRT-LLM."""

BANDWIDTH = {"ib": 20e9, "shared_ib": 20e9, "roce-gke": 10e9, "efa": 9.6e9, "intra-node": 2e9, "none": 0.1e9}
"""Bytes per second that one pair of workers moves keys and values with, by profile (dynamo contract, section 5.4):
host-staged copies inside a node reach 2 GB/s, TCP between pods 0.1 GB/s."""


BENCHMARK_IMAGE = "python:3.12-slim"
"""AIPerf is a Python package without native parts of its own, installed into this; one that has it starts faster."""


@dataclass(frozen=True, slots=True, kw_only=True)
class FabricSettings:
    """How RDMA is used.

    profile: "auto" or one of the profiles; resource: the exact resource name, None to look for it;
    without_rdma: what to do with disaggregated plans where there is none; security: how containers get locked memory
    (auto: root with two capabilities, privileged for EFA);
    ib_address: UCX_IB_ADDR_TYPE, None to leave it unset (eth avoids remote disconnects on RoCE);
    shared_count: devices per pod of a shared resource; env: extra variables of RDMA workers;
    bandwidth: bytes per second by profile.
    """

    profile: str = "auto"
    resource: str | None = None
    without_rdma: WithoutRdma = "refuse"
    security: Security = "auto"
    ib_address: str | None = "eth"
    shared_count: int = 1
    env: Mapping[str, str] = field(default_factory=dict)
    bandwidth: Mapping[str, float] = field(default_factory=lambda: dict(BANDWIDTH))


@dataclass(frozen=True, slots=True, kw_only=True)
class PodSettings:
    """What every pod of every graph gets: names of image pull Secrets, node labels it needs, taints it bears."""

    pull_secrets: tuple[str, ...] = ()
    node_selector: Mapping[str, str] = field(default_factory=dict)
    tolerations: tuple[Mapping[str, str], ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Settings:
    """Everything that is decided outside a request.

    dynamo_version: target release when a request names none; registry: where runtime images come from;
    graph_versions: versions of DynamoGraphDeployment to choose from, preferred first (the controller puts what the
    cluster serves, `dgdr plan --dgd-version` puts one); empty: by the Dynamo version;
    model_cache: claim for requests without one, None for no claim; hf_secret: "" for none;
    shared_memory: size by backend, as a Kubernetes quantity; engine_env: variables by backend;
    engines: those to choose from; inventory: GPUs that a plan may count on: those that no pod holds, all of the
    nodes that are there, or any number, because nodes come when pods wait; several_nodes: whether one worker may span
    nodes (auto: where the cluster serves what starts such workers; offline it is noted); benchmark_image: what
    measures.
    """

    dynamo_version: str = "1.4.0"
    registry: str = "nvcr.io/nvidia/ai-dynamo"
    graph_versions: tuple[ApiVersion, ...] = ()
    model_cache: ModelCache | None = None
    hf_secret: str = "hf-token-secret"  # noqa: S105 -- the name of a Secret, not its content
    fabric: FabricSettings = field(default_factory=FabricSettings)
    shared_memory: Mapping[str, str] = field(default_factory=lambda: dict(SHARED_MEMORY))
    engine_env: Mapping[str, Mapping[str, str]] = field(default_factory=dict)
    engines: tuple[Engine, ...] = ("vllm", "sglang", "trtllm")
    pods: PodSettings = field(default_factory=PodSettings)
    inventory: Counting = "free"
    several_nodes: SeveralNodes = "auto"
    benchmark_image: str = BENCHMARK_IMAGE


def read(environment: Mapping[str, str]) -> Settings:
    """The settings that the process environment describes; defaults for what it does not mention.

    Variables: DGDR_DYNAMO_VERSION, _REGISTRY, _HF_SECRET, _MODEL_CACHE_CLAIM, _MODEL_CACHE_MOUNT, _MODEL_CACHE_CREATE
    (size,class or size,class,mode), _IMAGE_PULL_SECRETS (a,b), _NODE_SELECTOR (label=value,...),
    _TOLERATIONS (key:effect or key=value:effect, ...), _SHARED_MEMORY_<BACKEND>, _ENGINE_ENV_<BACKEND> (A=1,B=2),
    _INVENTORY_MODE (free, total, elastic), _SEVERAL_NODES (auto, allow, refuse),
    and _FABRIC_PROFILE, _RESOURCE, _WITHOUT_RDMA, _SECURITY, _IB_ADDRESS ("" leaves it unset), _SHARED_COUNT,
    _ENV (A=1,B=2), _BANDWIDTH_<PROFILE> (GB/s). Lists of pairs whose values have commas are separated by semicolons.
    Raises InvalidSetting naming the variable.
    """
    own = _Reader(environment)
    default = Settings()
    return Settings(
        dynamo_version=own.text("DYNAMO_VERSION", default.dynamo_version),
        registry=own.text("REGISTRY", default.registry).rstrip("/"),
        model_cache=_model_cache(own),
        hf_secret=own.text("HF_SECRET", default.hf_secret),
        fabric=_fabric(own),
        shared_memory={name: own.text(f"SHARED_MEMORY_{name.upper()}", size) for name, size in SHARED_MEMORY.items()},
        engine_env={name: own.pairs(f"ENGINE_ENV_{name.upper()}") for name in SHARED_MEMORY},
        pods=PodSettings(
            pull_secrets=own.words("IMAGE_PULL_SECRETS"),
            node_selector=own.pairs("NODE_SELECTOR"),
            tolerations=tuple(_toleration(word) for word in own.words("TOLERATIONS")),
        ),
        inventory=own.choice("INVENTORY_MODE", default.inventory, get_args(Counting)),
        benchmark_image=own.text("BENCHMARK_IMAGE", default.benchmark_image) or default.benchmark_image,
        several_nodes=own.choice("SEVERAL_NODES", default.several_nodes, get_args(SeveralNodes)),
    )


def _model_cache(own: "_Reader") -> ModelCache | None:
    claim = own.text("MODEL_CACHE_CLAIM", "")
    mount = own.text("MODEL_CACHE_MOUNT", "/opt/models").rstrip("/")
    if not mount.startswith("/"):
        raise InvalidSetting(f"{PREFIX}MODEL_CACHE_MOUNT", f"must be an absolute path, not {mount!r}")
    return ModelCache(claim=claim, mount=mount, creation=_creation(own)) if claim else None


def _creation(own: "_Reader") -> NewClaim | None:
    words = own.words("MODEL_CACHE_CREATE")
    if not words:
        return None
    if len(words) not in {2, 3}:
        shown = f"must be size,storage class or size,storage class,access mode, not {','.join(words)!r}"
        raise InvalidSetting(f"{PREFIX}MODEL_CACHE_CREATE", shown)
    size, storage_class, *mode = words
    return NewClaim(size=size, storage_class=storage_class, access_mode=mode[0] if mode else "ReadWriteMany")


def _toleration(word: str) -> Mapping[str, str]:
    """key:effect tolerates any value of the taint, key=value:effect that one, without an effect every one."""
    taint, _, effect = word.partition(":")
    key, valued, value = taint.partition("=")
    if not key or effect not in {"", "NoSchedule", "PreferNoSchedule", "NoExecute"}:
        problem = f"must look like key:NoSchedule or key=value:NoSchedule, not {word!r}"
        raise InvalidSetting(f"{PREFIX}TOLERATIONS", problem)
    match = {"operator": "Equal", "value": value} if valued else {"operator": "Exists"}
    return {"key": key, **match, **({"effect": effect} if effect else {})}


def _fabric(own: "_Reader") -> FabricSettings:
    default = FabricSettings()
    return FabricSettings(
        profile=own.choice("FABRIC_PROFILE", default.profile, ("auto", "ib", "shared_ib", "roce-gke", "efa", "none")),
        resource=own.text("FABRIC_RESOURCE", "") or None,
        without_rdma=own.choice("FABRIC_WITHOUT_RDMA", default.without_rdma, get_args(WithoutRdma)),
        security=own.choice("FABRIC_SECURITY", default.security, get_args(Security)),
        ib_address=own.text("FABRIC_IB_ADDRESS", default.ib_address or "") or None,
        shared_count=int(own.number("FABRIC_SHARED_COUNT", default.shared_count)),
        env=own.pairs("FABRIC_ENV"),
        bandwidth={name: own.number(_speed(name), rate / GIGABYTE) * GIGABYTE for name, rate in BANDWIDTH.items()},
    )


def _speed(profile: str) -> str:
    return f"FABRIC_BANDWIDTH_{profile.upper().replace('-', '_')}"


class _Reader:
    """Our variables of one environment, each read as what it must be."""

    def __init__(self, environment: Mapping[str, str]) -> None:
        self._environment = environment

    def text(self, name: str, default: str) -> str:
        return self._environment.get(f"{PREFIX}{name}", default).strip()

    def choice(self, name: str, default: str, allowed: tuple[str, ...]) -> Any:  # noqa: ANN401 -- a Literal of the caller's
        value = self.text(name, default)
        if value not in allowed:
            problem = f"must be {' or '.join(allowed)}, not {value!r}{nearest(value, allowed)}"
            raise InvalidSetting(f"{PREFIX}{name}", problem)
        return value

    def number(self, name: str, default: float) -> float:
        text = self.text(name, str(default))
        try:
            value = float(text)
        except ValueError:
            value = 0.0
        if not 0 < value < 1e9:  # noqa: PLR2004 -- beyond any device count or GB/s; also refuses nan
            raise InvalidSetting(f"{PREFIX}{name}", f"must be a positive number, not {text!r}")
        return value

    def words(self, name: str) -> tuple[str, ...]:
        return tuple(word.strip() for word in self.text(name, "").split(",") if word.strip())

    def pairs(self, name: str) -> dict[str, str]:
        text = self.text(name, "")
        pairs = [pair.partition("=") for pair in text.split(";" if ";" in text else ",") if pair.strip()]
        if not all(key.strip() and equals for key, equals, _ in pairs):
            raise InvalidSetting(f"{PREFIX}{name}", f"must look like NAME=value,OTHER=value, not {text!r}")
        return {key.strip(): value for key, _, value in pairs}
