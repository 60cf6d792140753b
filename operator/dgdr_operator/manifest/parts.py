"""A graph before it is written in one API version: components, pods and containers, as the renderers need them."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

from estimator.estimates import Role

FRONTEND = "Frontend"


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
    """Something mounted at *path*: the claim or the ConfigMap called *source*."""

    name: str
    path: str
    source: str
    kind: Literal["claim", "config"] = "claim"


@dataclass(frozen=True, slots=True, kw_only=True)
class Pod:
    """What surrounds the container: volumes, the token's Secret ("" for none), and where the pod may run."""

    volumes: tuple[Volume, ...] = ()
    secret: str = ""
    tolerations: tuple[Mapping[str, Any], ...] = ()
    node_selector: Mapping[str, str] = field(default_factory=dict)
    affinity: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class Component:
    """One component: role None is the Frontend; nodes: pods of one replica; shared_memory: quantity, "" for default."""

    name: str
    role: Role | None
    replicas: int
    container: Container
    pod: Pod
    nodes: int = 1
    shared_memory: str = ""
    version_override: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Serving:
    """What the command lines of all workers of one plan share.

    model: id or path as the engine opens it; name: as clients ask for it; context: tokens a request may reach, None
    for the model's own; kv_dtype: "fp8" or "auto"; isl, osl: tokens that were planned for.
    """

    model: str
    name: str
    isl: int
    osl: int
    context: int | None
    kv_dtype: str
    prefix_caching: bool = False
    trust_remote_code: bool = False
