"""Every shape of plan that can be written: engine, mode, nodes, experts, release and API version, each with a graph.

Network, name and features change from case to case, so that all of them meet all shapes without multiplying them.
"""

from collections.abc import Iterator
from dataclasses import dataclass, replace
from itertools import product
from typing import Any, Literal

from dgdr_operator.manifest import graph, releases
from dgdr_operator.manifest.fabric import EFA, GKE_NETWORK, Fabric
from dgdr_operator.manifest.graph import Built
from dgdr_operator.manifest.releases import Release
from dgdr_operator.manifest.sites import Site
from dgdr_operator.request import Identity, Knobs, Overrides, Policy
from dgdr_operator.settings import PodSettings, Settings
from estimator.estimates import Estimate, Role
from tests.manifests import plans

Layers = Literal["dense", "experts", "data-parallel"]

BACKENDS = ("vllm", "sglang", "trtllm")
NODE_GPUS = 8
LONGEST = "a-request-whose-name-is-as-long-as-kubernetes-allows-a-label-63"
_GKE_OTHERS = (f"{GKE_NETWORK}rdma-1",)
NETWORKS = (
    Fabric(profile="ib", resource="rdma/ib", devices=8, nodes=9, of=9),
    Fabric(profile="shared_ib", resource="rdma/hca_shared_devices_a", devices=1000, nodes=9, of=9),
    Fabric(profile="roce-gke", resource=f"{GKE_NETWORK}rdma-0", others=_GKE_OTHERS, devices=1, nodes=9, of=9),
    Fabric(profile="efa", resource=EFA, devices=32, nodes=9, of=9),
    Fabric(profile="tcp"),
)  # fmt: skip
TOLERATION = {"key": "nvidia.com/gpu", "operator": "Exists", "effect": "NoSchedule"}

_SIZES: dict[tuple[str, Layers, bool], dict[str, int]] = {
    ("vllm", "dense", False): {"tp": 2},
    ("vllm", "dense", True): {"tp": 8, "pp": 2},
    ("vllm", "experts", False): {"tp": 8, "moe_ep": 8},
    ("vllm", "experts", True): {"tp": 16, "moe_ep": 16},
    ("vllm", "data-parallel", False): {"tp": 1, "dp": 8, "moe_ep": 8},
    ("vllm", "data-parallel", True): {"tp": 2, "dp": 8, "moe_ep": 16},
    ("sglang", "dense", False): {"tp": 4},
    ("sglang", "dense", True): {"tp": 16},
    ("sglang", "experts", False): {"tp": 8, "moe_ep": 4, "moe_tp": 2},
    ("sglang", "experts", True): {"tp": 16, "moe_ep": 16},
    ("sglang", "data-parallel", False): {"tp": 1, "dp": 8, "moe_ep": 8},
    ("sglang", "data-parallel", True): {"tp": 1, "dp": 16, "moe_ep": 16},
    ("trtllm", "dense", False): {"tp": 1},
    ("trtllm", "dense", True): {"tp": 8, "pp": 2},
    ("trtllm", "experts", False): {"tp": 8, "moe_ep": 4, "moe_tp": 2},
    ("trtllm", "experts", True): {"tp": 16, "moe_ep": 16},
    ("trtllm", "data-parallel", False): {"tp": 1, "dp": 8, "moe_ep": 8},
    ("trtllm", "data-parallel", True): {"tp": 1, "dp": 16, "moe_ep": 16},
}
"""Parallel sizes of one worker by engine, layers, and whether it spans nodes."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Case:
    """One plan at one site."""

    name: str
    estimate: Estimate
    site: Site

    @property
    def api(self) -> str:
        """The version that is written."""
        return self.site.api

    def build(self) -> Built:
        """Its objects."""
        return graph.build(self.estimate, self.site)


def cases() -> Iterator[Case]:
    """All of them, always in the same order."""
    shapes = product(BACKENDS, (False, True), (False, True), ("dense", "experts", "data-parallel"))
    number = 0
    for backend, apart, several, layers in shapes:
        for release in releases.RELEASES:
            for api in ("v1alpha1", "v1beta1") if release.beta_graphs else ("v1alpha1",):
                number += 1
                estimate = _estimate(backend, layers, apart=apart, several=several)
                yield _case(number, estimate, release, api, f"{layers}-{'nodes' if several else 'node'}")


def by_name(name: str) -> Case:
    """The case of that name."""
    return next(case for case in cases() if case.name == name)


def _estimate(backend: str, layers: Any, *, apart: bool, several: bool) -> Estimate:  # noqa: ANN401 -- one of Layers
    sizes = _SIZES[backend, layers, several]
    roles: tuple[Role, ...] = ("prefill", "decode") if apart else ("aggregated",)
    batches = {"prefill": 1, "decode": 96, "aggregated": 40}
    workers = [
        plans.a_worker(role, count=2 if role == "prefill" else 1, batch=batches[role], tokens=8192, **sizes)
        for role in roles
    ]
    return plans.an_estimate(*workers, replicas=1 if apart else 2, backend=backend)


def _case(number: int, estimate: Estimate, release: Release, api: str, shape: str) -> Case:
    version = ".".join(map(str, (*release.minor, number % 3)))
    names = ("qwen", "two-words", LONGEST)
    site = plans.a_site(
        version,
        api=api,
        fabric=_network(number, estimate, release),
        identity=Identity(name=names[number % 3], namespace=("default", "team-a")[number % 2]),
        model_cache=plans.CACHE if number % 4 else None,
        knobs=Knobs(kv_router=number % 5 == 0, context_limit="model" if number % 7 == 0 else "planned"),
        overrides=Overrides(tolerations=(TOLERATION,), planner=_orders(number, release)),
        policy=Policy(balanced=number % 4 == 1),
        settings=Settings(pods=PodSettings(pull_secrets=("registry",))) if number % 2 else Settings(),
    )
    site = replace(site, experts=0 if shape.startswith("dense") else 256)
    return Case(name=f"{estimate.backend}-{estimate.mode}-{shape}-{version}-{api}", estimate=estimate, site=site)


def _orders(number: int, release: Release) -> dict[str, Any] | None:
    """A planner now and then, where the release has one that needs no profile; sometimes it only advises."""
    if number % 6 != 5 or release.minor < (1, 0):
        return None
    return {"advisory": True} if number % 4 == 1 else {}


def _network(number: int, estimate: Estimate, release: Release) -> Fabric:
    """The networks in turn; EFA only where there are images for it."""
    network = NETWORKS[number % len(NETWORKS)]
    if network.profile == "efa" and estimate.backend not in release.efa:
        return NETWORKS[0]
    return replace(network, of=network.nodes)
