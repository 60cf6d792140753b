"""What a graph and its components are called, within the limits of the platform."""

import hashlib
from collections.abc import Mapping

from dgdr_operator.errors import InvalidSpec
from dgdr_operator.manifest.parts import FRONTEND
from dgdr_operator.request import ApiVersion, DeploymentRequest
from estimator.estimates import Role

SET_NAME = 45
"""Characters that graph and component name may have together (Grove's pod clique sets)."""

LABEL = 63
"""Characters of a label value; the platform labels pods with <namespace>-<graph>."""

SHORTEST = 8
"""Characters below which a shortened name would say nothing."""

SUFFIX = "-dgd"

_BETA: Mapping[Role, str] = {"aggregated": "worker", "prefill": "prefill", "decode": "decode"}
_ENGINES = {"vllm": "VLLM", "sglang": "SGLang", "trtllm": "TRTLLM"}
_ALPHA: Mapping[Role, str] = {"aggregated": "Worker", "prefill": "PrefillWorker", "decode": "DecodeWorker"}


def components(
    request: DeploymentRequest, api: ApiVersion, backend: str, nodes: Mapping[Role, int]
) -> tuple[Mapping[Role, str], str, str]:
    """Component name by role, the graph's name, and a note when the name had to be shortened.

    *nodes*: pods of one replica, by role. v1alpha1 has longer names, given up where they would not fit.
    Raises InvalidSpec when no name fits, or a name that the user chose does not.
    """
    short = {role: _BETA[role] for role in nodes}
    long = {role: f"{_ENGINES[backend]}{_ALPHA[role]}" for role in nodes}
    wanted = _wanted(request)
    fits_long = all(count == 1 for count in nodes.values()) and len(wanted) <= _allowed(request, long, nodes)
    names = long if api == "v1alpha1" and fits_long else short
    allowed = _allowed(request, names, nodes)
    if len(wanted) <= allowed:
        return names, wanted, ""
    shortened = _shortened(request, wanted, allowed)
    return names, shortened, f"the graph is called {shortened}, because {wanted} is longer than {allowed} characters"


def taken(name: str, nodes: int) -> int:
    """Characters that a component of that many pods a replica takes from the graph's name: more than one, and it
    appears twice in its cliques' names."""
    return len(name) if nodes == 1 else 2 * len(name) + 4


def _wanted(request: DeploymentRequest) -> str:
    chosen = _chosen(request)
    return chosen if chosen is not None else f"{request.identity.name}{SUFFIX}"


def _chosen(request: DeploymentRequest) -> str | None:
    metadata = (request.overrides.graph or {}).get("metadata") or {}
    name = metadata.get("name")
    return None if name is None else str(name)


def _allowed(request: DeploymentRequest, names: Mapping[Role, str], nodes: Mapping[Role, int]) -> int:
    """The longest name that the graph may have."""
    budgets = [taken(name, nodes[role]) for role, name in names.items()]
    return min(SET_NAME - max(len(FRONTEND), *budgets), LABEL - 1 - len(request.identity.namespace))


def _shortened(request: DeploymentRequest, wanted: str, allowed: int) -> str:
    """The beginning of the name, and five characters that tell it from others beginning the same."""
    if _chosen(request) is not None:
        problem = f"must have at most {allowed} characters with these components, not {len(wanted)}"
        raise InvalidSpec.at("spec.overrides.dgd.metadata.name", problem)
    if allowed < SHORTEST + len(SUFFIX):
        namespace = request.identity.namespace
        raise InvalidSpec.at("metadata.namespace", f"leaves no room for a graph's name: {namespace} is too long")
    digest = hashlib.sha256(f"{request.identity.namespace}/{request.identity.name}".encode()).hexdigest()[:5]
    head = request.identity.name[: allowed - len(digest) - 1 - len(SUFFIX)].rstrip("-")
    return f"{head}-{digest}{SUFFIX}"
