"""Which workers of one graph must share a node, and which must not, by the network between them."""

from collections.abc import Mapping
from typing import Any

from dgdr_operator.inventory import GRAPH
from dgdr_operator.manifest.fabric import ProfileName
from estimator.estimates import Role

COMPONENT = "nvidia.com/dynamo-component"
COMPONENT_TYPE = "nvidia.com/dynamo-component-type"
"""Labels that the platform gives to pods, beside the graph's."""

Term = dict[str, Any]


def of(profile: ProfileName, role: Role, graph: str, names: Mapping[Role, str]) -> dict[str, Any]:
    """The affinity of the workers of *role* in *graph*, empty for none; *names*: component by role.

    Without a network, all workers share a node, and the first satisfies its own term. EFA does not reach from a node
    to itself. The network cards of a GKE node go to one pod.
    """
    match profile:
        case "intra-node":
            return {"podAffinity": _required(_workers(graph))}
        case "roce-gke" if role != "aggregated":
            return {"podAntiAffinity": _required(_workers(graph))}
        case "efa" if role == "decode":
            return {"podAntiAffinity": _required(_component(graph, names["prefill"]))}
        case _:
            return {}


def _workers(graph: str) -> Term:
    everyone_else = {"key": COMPONENT_TYPE, "operator": "NotIn", "values": ["frontend"]}
    return {"matchLabels": {GRAPH: graph}, "matchExpressions": [everyone_else]}


def _component(graph: str, name: str) -> Term:
    wanted = ((COMPONENT, name), (GRAPH, graph))
    return {"matchExpressions": [{"key": key, "operator": "In", "values": [value]} for key, value in wanted]}


def _required(selector: Term) -> dict[str, Any]:
    term = {"labelSelector": selector, "topologyKey": "kubernetes.io/hostname"}
    return {"requiredDuringSchedulingIgnoredDuringExecution": [term]}
