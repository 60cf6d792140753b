"""The request's own annotations (`dgdr-operator.io/...`): what each may say, and the Knobs they become."""

import re
from collections.abc import Iterator, Mapping
from dataclasses import replace
from typing import Any

from dgdr_operator.errors import InvalidSpec, nearest
from dgdr_operator.request import OWN, Knobs, Policy
from dgdr_operator.spec.words import show
from estimator import pins
from estimator.errors import InvalidWorkload
from estimator.workload import Targets

_CHOICES = {
    "mode": ("auto", "owner", "plugin", "ignore"),
    "drift": ("correct", "report", "ignore"),
    "deletion-policy": ("keep", "delete"),
    "disagg-without-rdma": ("refuse", "intra-node", "allow"),
    "dgd-api": ("auto", "v1alpha1", "v1beta1"),
    "prefix-caching": ("false", "true"),
    "context-limit": ("planned", "model"),
    "kv-router": ("false", "true"),
    "on-infeasible": ("fail", "best-effort"),
    "on-unsupported": ("fail", "memory-fit"),
    "pause": ("false", "true"),
    "replan-policy": ("preview", "never", "auto"),
    "replan-strategy": ("hold", "blue-green", "recreate"),
    "validate": ("false", "true"),
    "eplb": ("false", "true"),
}
"""Annotations with a list of values, and the values; the first is what silence means."""

_FREE = ("retry", "fabric", "hf-secret", "pin", "approve", "rollback", "confidence")
_ALL = (*_CHOICES, *_FREE)
_SHARE = re.compile(r"0?\.[0-9]{1,6}|0", re.ASCII)


def problems(annotations: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
    """Every own annotation that is unknown or misspelt."""
    for key, value in _own(annotations).items():
        path = f"metadata.annotations[{OWN}/{key[:60]}]"
        if key not in _ALL:
            yield path, f"is not an annotation we know: {', '.join(_ALL)}{nearest(key, _ALL)}"
        elif not isinstance(value, str):
            yield path, f"must be text in quotes, not {show(value)}"
        elif key in _CHOICES and value not in _CHOICES[key]:
            allowed = _CHOICES[key]
            yield path, f"must be {' or '.join(allowed)}, not {show(value)}{nearest(value, allowed)}"
        elif key == "pin":
            yield from ((path, problem) for problem in _pin_problems(value))
        elif key == "confidence" and _probability(value) is None:
            yield path, f'must be a probability below 1 such as "0.9", not {show(value)}'


def knobs(annotations: Mapping[str, Any]) -> Knobs:
    """The knobs that valid *annotations* set."""
    own = _own(annotations)
    names = {
        "drift": "drift",
        "retry": "retry",
        "disagg-without-rdma": "without_rdma",
        "fabric": "fabric",
        "dgd-api": "dgd_api",
        "context-limit": "context_limit",
        "hf-secret": "hf_secret",
    }
    chosen = {names[key]: value for key, value in own.items() if key in names}
    return Knobs(**chosen, prefix_caching=_on(own, "prefix-caching"), kv_router=_on(own, "kv-router"))


def policy(annotations: Mapping[str, Any], said: Policy) -> Policy:
    """*said*, with what valid *annotations* add to it. Raises InvalidSpec where the two contradict each other."""
    found, mode = pins.parse(_own(annotations).get("pin", "")), said.pins.mode
    if mode and not found.allows(mode):
        problem = f"counts workers of {mode} plans, but the annotation pin wants {found.mode} ones"
        raise InvalidSpec.at("spec.features.planner.mode", problem)
    own = _own(annotations)
    return replace(
        said,
        pins=replace(found, mode=mode or found.mode),
        balanced=_on(own, "eplb"),
        best_effort=own.get("on-infeasible") == "best-effort",
        memory_fit=own.get("on-unsupported") == "memory-fit",
        measured=_on(own, "validate"),
    )


def targets(annotations: Mapping[str, Any], said: Targets) -> Targets:
    """*said*, with the confidence that valid *annotations* ask for."""
    return replace(said, confidence=_probability(_own(annotations).get("confidence", "0")) or 0.0)


def _probability(text: str) -> float | None:
    return float(text) if _SHARE.fullmatch(text) else None


def _pin_problems(value: str) -> Iterator[str]:
    try:
        pins.parse(value)
    except InvalidWorkload as problem:
        yield f"must be {problem.allowed}, not {problem.value}"


def _on(own: Mapping[str, Any], key: str) -> bool:
    return bool(own.get(key) == "true")


def _own(annotations: Mapping[str, Any]) -> dict[str, Any]:
    prefix = f"{OWN}/"
    return {key.removeprefix(prefix): annotations[key] for key in annotations if key.startswith(prefix)}
