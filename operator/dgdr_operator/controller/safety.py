"""What a graph needs to find in its namespace before its pods can start, and what is missing of that. Pure."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

from dgdr_operator.manifest import views
from dgdr_operator.request import OWN
from dgdr_operator.status import Condition, Type

GATED = f"{OWN}/gated"
"""Annotation of a graph whose model is only given to token holders."""
NODE_GPUS = f"{OWN}/node-gpus"
"""Annotation of a graph: GPUs of one node that it was planned for."""
LEVEL = "pod-security.kubernetes.io/enforce"
"""Label by which a namespace refuses pods that ask for more."""
SHARED = frozenset({"ReadWriteMany", "ReadOnlyMany"})
"""Access modes of claims that several nodes may mount at once."""

_HARMLESS = frozenset({
    "AUDIT_WRITE", "CHOWN", "DAC_OVERRIDE", "FOWNER", "FSETID", "KILL", "MKNOD", "NET_BIND_SERVICE", "SETFCAP",
    "SETGID", "SETPCAP", "SETUID", "SYS_CHROOT",
})  # fmt: skip
"""Capabilities that the level baseline lets a container add (Pod Security Standards)."""

Object = Mapping[str, Any]


@dataclass(frozen=True, slots=True, kw_only=True)
class Needs:
    """What the pods of one graph ask for by name, and of the namespace.

    claim: the claim that has to exist, "" for none; spread: its pods need several nodes; token: the Secret with the
    Hugging Face token, and whether pods start without it; gated: the model is not given without it;
    pulls: Secrets that open the registry; beyond: what exceeds the level baseline, "" for nothing.
    """

    claim: str = ""
    spread: bool = False
    token: str = ""
    optional: bool = True
    gated: bool = False
    pulls: tuple[str, ...] = ()
    beyond: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Seen:
    """What was found in the namespace. Whatever may not be looked at counts as there.

    modes: access modes of the claim, None where there is no such claim, empty where nobody may look; missing: names of
    Secrets that do not exist; level: Pod Security level that is enforced, "" for none.
    """

    modes: tuple[str, ...] | None = ()
    missing: frozenset[str] = field(default_factory=frozenset)
    level: str = ""


@dataclass(frozen=True, slots=True)
class Gap:
    """Something that is missing, as the condition that says so; blocks: the graph is not created meanwhile."""

    condition: Condition
    blocks: bool


def needs(graph: Object) -> Needs:
    """What *graph*, of either version, needs."""
    spec, found = graph.get("spec") or {}, views.of(graph)
    components = list(_components(spec))
    annotations = graph["metadata"].get("annotations") or {}
    token, optional = _token(components)
    return Needs(
        claim=_claim(spec, components),
        spread=any(view.nodes > 1 for view in found) or _apart(components) or _overflows(found, annotations),
        token=token,
        optional=optional,
        gated=annotations.get(GATED) == "true",
        pulls=tuple(sorted({name for one in components for name in _pulls(one)})),
        beyond=next(filter(None, map(_beyond, components)), ""),
    )


def gaps(needs: Needs, seen: Seen, namespace: str) -> Iterator[Gap]:
    """Everything that is missing, what blocks first."""
    if needs.claim and seen.modes is None:
        yield _invalid(f"the claim {needs.claim} of the model cache does not exist in namespace {namespace}: create it")
    elif needs.claim and needs.spread and seen.modes and not SHARED & set(seen.modes):
        modes = ", ".join(seen.modes)
        yield _invalid(
            f"the claim {needs.claim} is {modes}, and the plan needs several nodes: it has to be ReadWriteMany "
            "or ReadOnlyMany"
        )
    if needs.gated and needs.token in seen.missing:
        yield _invalid(f"the model is only given to token holders, and {_absent(needs.token, namespace)}: create it")
    if needs.beyond and seen.level in {"baseline", "restricted"}:
        allowed = f"namespace {namespace} enforces Pod Security {seen.level}, which refuses {needs.beyond}"
        yield Gap(
            Condition(Type.FABRIC_READY, "False", "PodSecurity", f"{allowed}: it has to be privileged"), blocks=True
        )
    told = list(_told(needs, seen, namespace))
    if told:
        message = f"the request is valid; {'; '.join(told)}"
        yield Gap(Condition(Type.VALIDATION, "True", "ValidationPassed", message), blocks=False)


def _told(needs: Needs, seen: Seen, namespace: str) -> Iterator[str]:
    """What does not keep the graph from being created."""
    if needs.token in seen.missing and not needs.gated:
        outcome = "only public models can be fetched" if needs.optional else "pods wait until it does"
        yield f"{_absent(needs.token, namespace)}, so {outcome}"
    for name in needs.pulls:
        if name in seen.missing:
            yield f"{_absent(name, namespace)}, so images come only from registries that are open"


def _absent(secret: str, namespace: str) -> str:
    return f"the Secret {secret} does not exist in namespace {namespace}"


def _invalid(message: str) -> Gap:
    return Gap(Condition(Type.VALIDATION, "False", "ValidationFailed", message), blocks=True)


def _components(spec: Object) -> Iterator[Object]:
    """Each component with its pod's spec and its main container under one name each, whatever the version."""
    for component in spec.get("components") or ():
        pod = (component.get("podTemplate") or {}).get("spec") or {}
        main: Object = next((one for one in pod.get("containers") or () if one.get("name") == "main"), {})
        yield {"given": component, "pod": pod, "main": main}
    for component in (spec.get("services") or {}).values():
        pod = component.get("extraPodSpec") or {}
        yield {"given": component, "pod": pod, "main": pod.get("mainContainer") or {}}


def _claim(spec: Object, components: list[Object]) -> str:
    """The claim that pods mount and nobody creates."""
    for claim in spec.get("pvcs") or ():
        if not claim.get("create"):
            return str(claim["name"])
    volumes = [volume for one in components for volume in one["pod"].get("volumes") or ()]
    claims = [
        volume["persistentVolumeClaim"].get("claimName") for volume in volumes if "persistentVolumeClaim" in volume
    ]
    return str(claims[0]) if claims else ""


def _token(components: list[Object]) -> tuple[str, bool]:
    """The Secret that pods take variables from, and whether they start without it."""
    for one in components:
        named = one["given"].get("envFromSecret")
        if named:
            return str(named), False
        for source in one["main"].get("envFrom") or ():
            reference = source.get("secretRef") or {}
            if reference.get("name"):
                return str(reference["name"]), bool(reference.get("optional"))
    return "", True


def _pulls(one: Object) -> Iterator[str]:
    yield from (str(secret["name"]) for secret in one["pod"].get("imagePullSecrets") or () if secret.get("name"))


def _overflows(found: list[views.View], annotations: Mapping[str, str]) -> bool:
    """Whether one node has too few GPUs for all pods."""
    gpus = annotations.get(NODE_GPUS, "")
    return gpus.isdecimal() and sum(view.gpus for view in found) > int(gpus)


def _apart(components: list[Object]) -> bool:
    """Whether some pods must not share a node."""
    return any("podAntiAffinity" in (one["pod"].get("affinity") or {}) for one in components)


def _beyond(one: Object) -> str:
    """What a component's pod asks for that the level baseline refuses."""
    security = one["main"].get("securityContext") or {}
    if security.get("privileged"):
        return "privileged containers"
    added = sorted(set((security.get("capabilities") or {}).get("add") or ()) - _HARMLESS)
    if added:
        return f"containers that add {' and '.join(added)}"
    return "folders of the node" if any("hostPath" in volume for volume in one["pod"].get("volumes") or ()) else ""
