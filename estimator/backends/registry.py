"""The engines by name."""

from collections.abc import Mapping
from dataclasses import replace
from difflib import get_close_matches

from estimator.backends import sglang, trtllm, vllm
from estimator.backends.engine import Engine
from estimator.errors import InvalidWorkload

_ENGINES = {engine.name: engine for engine in (vllm.ENGINE, sglang.ENGINE, trtllm.ENGINE)}
NAMES = tuple(_ENGINES)


def engine(name: str, host: Mapping[str, float] | None = None) -> Engine:
    """The engine called *name*, its host with the constants *host* instead of its priors.

    Raises InvalidWorkload, which names the choices.
    """
    if name not in _ENGINES:
        near = get_close_matches(name, NAMES, n=1, cutoff=0.0)
        raise InvalidWorkload("backend", name, f"one of {', '.join(NAMES)} (nearest: {near[0] if near else NAMES[0]})")
    found = _ENGINES[name]
    return replace(found, host=replace(found.host, **host)) if host else found
