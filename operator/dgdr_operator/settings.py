"""The operator's configuration: environment and flags, read once into frozen values."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal

from dgdr_operator.request import ApiVersion, ModelCache


@dataclass(frozen=True, slots=True, kw_only=True)
class FabricSettings:
    """How RDMA is used.

    profile: "auto" or one of the profiles; resource: the exact resource name, None to look for it;
    without_rdma: what to do with disaggregated plans where there is none; security: how containers get locked memory;
    ib_address: UCX_IB_ADDR_TYPE, None to leave it unset; shared_count: devices per pod of a shared resource;
    env: extra variables of RDMA workers; bandwidth: bytes per second by profile.
    """

    profile: str = "auto"
    resource: str | None = None
    without_rdma: Literal["refuse", "intra-node", "allow"] = "refuse"
    security: Literal["capabilities", "ipc-lock-only", "privileged", "none"] = "capabilities"
    ib_address: str | None = "eth"
    shared_count: int = 1
    env: Mapping[str, str] = field(default_factory=dict)
    bandwidth: Mapping[str, float] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class Settings:
    """Everything that is decided outside a request.

    dynamo_version: target release when a request names none; registry: where runtime images come from;
    graph_versions: versions of DynamoGraphDeployment to choose from, preferred first (the controller puts what the
    cluster serves, `dgdr plan --dgd-version` puts one); empty: by the Dynamo version;
    model_cache: claim for requests without one, None for no claim; hf_secret: "" for none;
    shared_memory: size by backend, as a Kubernetes quantity; engine_env: variables by backend.
    """

    dynamo_version: str = "1.4.0"
    registry: str = "nvcr.io/nvidia/ai-dynamo"
    graph_versions: tuple[ApiVersion, ...] = ()
    model_cache: ModelCache | None = None
    hf_secret: str = "hf-token-secret"
    fabric: FabricSettings = field(default_factory=FabricSettings)
    shared_memory: Mapping[str, str] = field(default_factory=dict)
    engine_env: Mapping[str, Mapping[str, str]] = field(default_factory=dict)


def read(environment: Mapping[str, str]) -> Settings:
    """The settings that the process environment describes (DGDR_DYNAMO_VERSION, ...); defaults for the rest."""
    raise NotImplementedError
