"""A graph before it is written in one API version: components, pods and containers, as the renderers need them."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

from dgdr_operator.request import NewClaim

FRONTEND = "Frontend"
Kind = Literal["frontend", "planner", "worker", "prefill", "decode"]
"""What a component is, in the platform's words."""
WORKERS: frozenset[str] = frozenset({"worker", "prefill", "decode"})
"""Kinds that serve a model."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Container:
    """The main container of a pod; resources: limits and requests alike, by resource name of the core API."""

    image: str
    command: tuple[str, ...] = ()
    args: tuple[str, ...] = ()
    env: Mapping[str, str] = field(default_factory=dict)
    resources: Mapping[str, str] = field(default_factory=dict)
    security: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class Volume:
    """Something mounted at *path*: the claim or the ConfigMap called *source*, or that folder of the node.

    creation: how a claim that does not exist is made, in the one version whose graphs can.
    """

    name: str
    path: str
    source: str
    kind: Literal["claim", "config", "host"] = "claim"
    creation: NewClaim | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Pod:
    """What surrounds the container: volumes, the token's Secret ("" for none), and where the pod may run.

    secret_needed: without the token the model cannot be had, so the pod need not start;
    pull_secrets: names of Secrets for the image registry, beside those that the platform finds itself.
    """

    volumes: tuple[Volume, ...] = ()
    secret: str = ""
    secret_needed: bool = False
    tolerations: tuple[Mapping[str, Any], ...] = ()
    node_selector: Mapping[str, str] = field(default_factory=dict)
    affinity: Mapping[str, Any] = field(default_factory=dict)
    annotations: Mapping[str, str] = field(default_factory=dict)
    pull_secrets: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Component:
    """One component.

    nodes: pods of one replica; shared_memory: quantity, "" for default; scaled: somebody else counts its replicas once
    it runs.
    """

    name: str
    kind: Kind
    replicas: int
    container: Container
    pod: Pod
    nodes: int = 1
    shared_memory: str = ""
    version_override: str | None = None
    scaled: bool = False

    @property
    def is_worker(self) -> bool:
        """Whether it serves a model."""
        return self.kind in WORKERS


@dataclass(frozen=True, slots=True, kw_only=True)
class Serving:
    """What the command lines of all workers of one plan share.

    model: id or path as the engine opens it; name: as clients ask for it; context: tokens a request may reach, None
    for the model's own; kv_dtype: "fp8" or "auto"; isl, osl: tokens that were planned for; kv_router: workers tell
    which prefixes they hold; libfabric: keys and values move over EFA; copies: experts of a layer that have a copy.
    """

    model: str
    name: str
    isl: int
    osl: int
    context: int | None
    kv_dtype: str
    prefix_caching: bool = False
    trust_remote_code: bool = False
    kv_router: bool = False
    libfabric: bool = False
    copies: int = 0
