"""Where a plan is put: everything that a graph depends on besides the estimate itself."""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any

from dgdr_operator.errors import InvalidSpec
from dgdr_operator.manifest import storage
from dgdr_operator.manifest.fabric import Fabric
from dgdr_operator.manifest.parts import Serving
from dgdr_operator.manifest.releases import Target
from dgdr_operator.request import ApiVersion, DeploymentRequest, ModelCache
from dgdr_operator.settings import Settings
from estimator.estimates import Estimate, Role, Worker

BLOCK = 64
"""Tokens that no engine's cache block exceeds."""
UNBOUND = 1 << 31
"""Tokens; longer than any model's context."""
CONTEXT_SLACK = 1500
"""Tokens beyond isl + osl that a request may reach before it is refused; the customer's 4000 + 500 gives 6000."""


BLACKWELL = ("b200", "b300", "gb200", "gb300")
"""How names of Blackwell systems begin."""

_COUNTED: Mapping[str, frozenset[Role]] = {
    "agg": frozenset({"aggregated"}),
    "disagg": frozenset({"prefill", "decode"}),
    "prefill": frozenset({"prefill"}),
    "decode": frozenset({"decode"}),
}
"""Roles whose workers the platform's planner counts, by its mode."""

_IDLE = ("advisory", "no_operation")
"""Orders under which it advises and changes nothing, in newer and in older releases."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Place:
    """The nodes of a plan: GPUs of one, bytes of a GPU, and how pods get there."""

    node_gpus: int
    gpu_capacity: float
    tolerations: tuple[Mapping[str, Any], ...] = ()
    node_selector: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class Site:
    """Everything a graph depends on besides the estimate itself.

    context: the model's longest sequence, tokens; kv_dtype: "fp8" or "auto"; experts: of one layer, 0 for none;
    gated: whether the model is given to token holders only.
    """

    request: DeploymentRequest
    settings: Settings
    target: Target
    api: ApiVersion
    fabric: Fabric
    place: Place
    context: int
    kv_dtype: str
    experts: int = 0
    gated: bool = False

    @property
    def cache(self) -> ModelCache | None:
        """The claim that holds the model: the request's, else the operator's."""
        return self.request.model_cache or self.settings.model_cache

    def hands_over(self, role: Role) -> bool:
        """Whether the platform's planner decides how many workers of *role* there are, once the graph runs."""
        given = self.request.overrides.planner
        if given is None or any(given.get(word) is True for word in _IDLE):
            return False
        return "mode" not in given or role in _COUNTED[given["mode"]]

    @property
    def needs_token(self) -> bool:
        """Whether pods download a model that is given to token holders only; a folder of the claim needs no token."""
        stored = self.cache is not None and self.cache.model_path is not None
        return self.gated and not stored

    @property
    def secret(self) -> str:
        """The Secret that holds HF_TOKEN, "" for none."""
        return secret(self.request, self.settings)


def secret(request: DeploymentRequest, settings: Settings) -> str:
    """The Secret that holds HF_TOKEN, "" for none: the request's, else the operator's."""
    named = request.knobs.hf_secret
    return settings.hf_secret if named is None else named


def within(estimate: Estimate, site: Site) -> Site:
    """*site* with no longer sequences than the cache of every worker holds: engines refuse to start otherwise.

    Raises InvalidSpec where the model's whole context is wanted, and does not fit.
    """
    workload, knob = site.request.workload, site.request.knobs.context_limit
    fits = min((_held(worker, workload.isl + workload.osl) for worker in estimate.workers), default=site.context)
    if knob == "model" and fits < site.context:
        path = "metadata.annotations[dgdr-operator.io/context-limit]"
        problem = (
            f"is model, but the cache holds {fits} tokens of one request, and the model's context is {site.context}"
        )
        raise InvalidSpec.at(path, f"{problem}: let it be planned")
    return replace(site, context=min(site.context, fits))


def _held(worker: Worker, length: int) -> int:
    """Tokens of one request that the cache holds, a block less than all: told by what requests of *length* need.

    Windows and states grow more slowly than sequences, so of them it holds more rather than less.
    """
    each = worker.memory.kv_needed / max(worker.batch_size, 1)
    return max(length, int(worker.memory.kv_cache / each * length) - BLOCK) if each > 0 else UNBOUND


def copies(worker: Worker, backend: str, site: Site) -> int:
    """Experts of a layer that have a copy: one on each GPU, where tokens are exchanged and the request wants it."""
    parallel, sku = worker.parallel, site.request.hardware.gpu_sku or ""
    nvlink = backend == "trtllm" and sku.startswith(BLACKWELL)
    exchanged = parallel.dp > 1 and parallel.moe_tp == 1 and (nvlink or parallel.moe_ep > site.place.node_gpus)
    return parallel.moe_ep if site.request.policy.balanced and exchanged else 0


def serving(site: Site, copied: int = 0) -> Serving:
    """What all workers of the plan are told alike; *copied*: what one of them is told of copies of experts."""
    request, workload = site.request, site.request.workload
    planned = min(workload.isl + workload.osl + CONTEXT_SLACK, site.context)
    return Serving(
        model=storage.model_argument(request.model, site.cache),
        name=request.model,
        isl=workload.isl,
        osl=workload.osl,
        context=planned if request.knobs.context_limit == "planned" else None,
        kv_dtype=site.kv_dtype,
        prefix_caching=request.knobs.prefix_caching or request.knobs.kv_router,
        trust_remote_code=request.overrides.trust_remote_code,
        kv_router=request.knobs.kv_router,
        libfabric=site.fabric.profile == "efa",
        copies=copied,
    )
