"""The hands: every write to a request or a graph, and the look at the live object before one that matters."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from dgdr_operator.controller import covers, errors, recall
from dgdr_operator.controller.cache import Cache, Object
from dgdr_operator.controller.cluster import CONFIG_MAPS, MANAGER, STATUS_MANAGER, Cluster, Kind, kind_of
from dgdr_operator.controller.world import ApplyGraph, is_ours, taken


@dataclass(frozen=True, slots=True, kw_only=True)
class Kinds:
    """The two kinds we live between, in the versions that this cluster serves."""

    request: Kind
    graph: Kind


class Hands:
    """What they write they also remember, so that the next look does not see an older world."""

    def __init__(self, cluster: Cluster, cache: Cache, kinds: Kinds) -> None:
        self._cluster = cluster
        self._cache = cache
        self._kinds = kinds

    async def look(self, namespace: str, name: str) -> Object | None:
        """The live graph, or None: a watch that missed something makes things look deleted."""
        try:
            graph = await self._cluster.get(self._kinds.graph, namespace, name)
        except errors.NotFound:
            self._cache.graphs.drop((namespace, name))
            return None
        self._cache.graphs.put(graph)
        return graph

    async def write_status(self, request: Object, status: Mapping[str, Any]) -> None:
        """Applies the whole status; the uid makes sure that it lands on this request and no namesake."""
        metadata = {name: request["metadata"][name] for name in ("name", "namespace", "uid")}
        body = {"apiVersion": request["apiVersion"], "kind": request["kind"], "metadata": metadata, "status": status}
        kind = self._kinds.request
        written = await self._cluster.apply(kind, body, manager=STATUS_MANAGER, subresource="status")
        self._cache.requests.put(written)

    async def write_graph(self, request: Object, action: ApplyGraph) -> None:
        """Makes the graph say what *action* wants. Raises NameTaken if another's graph has the name."""
        kind = kind_of(self._kinds.graph, action.graph)
        metadata = action.graph["metadata"]
        namespace = metadata.get("namespace") or request["metadata"]["namespace"]
        if action.create:
            live = await self.look(namespace, metadata["name"])
            if live is not None and not is_ours(live, request):
                raise errors.NameTaken(taken(live))
        body = {**action.graph, "metadata": {**metadata, "namespace": namespace}}
        companions = recall.companions(action.graph)
        for companion in companions:
            await self._cluster.apply(CONFIG_MAPS, _placed(companion, namespace), manager=MANAGER)
        written = await self._cluster.apply(kind, body, manager=MANAGER)
        if kind == self._kinds.graph:
            self._cache.graphs.put(written)
        for companion in companions:
            owned = _owned(_placed(companion, namespace), action.graph, written["metadata"]["uid"])
            await self._cluster.apply(CONFIG_MAPS, owned, manager=MANAGER)

    async def lacking(self, planned: Mapping[str, Any], graph: Mapping[str, Any]) -> tuple[str, ...]:
        """The companions of *planned* that are missing, changed, or not yet collected with *graph*, its live form."""
        namespace, uid = graph["metadata"]["namespace"], graph["metadata"]["uid"]
        named = [(str(one["metadata"]["name"]), one) for one in recall.companions(planned)]
        return tuple([f"ConfigMap {name}" for name, one in named if not await self._stands(one, namespace, uid)])

    async def _stands(self, companion: Object, namespace: str, owner: str) -> bool:
        try:
            live = await self._cluster.get(CONFIG_MAPS, namespace, companion["metadata"]["name"])
        except errors.NotFound:
            return False
        except errors.Denied:
            return True  # a missing right is told when something has to be written
        owners = {reference.get("uid") for reference in live["metadata"].get("ownerReferences") or ()}
        return owner in owners and covers.covers(live, _placed(companion, namespace))


def _placed(companion: Object, namespace: str) -> dict[str, Any]:
    return {**companion, "metadata": {**companion["metadata"], "namespace": namespace}}


def _owned(companion: dict[str, Any], graph: Mapping[str, Any], uid: str) -> dict[str, Any]:
    """*companion*, deleted by the cluster when *graph* is: it serves no other."""
    kind = {name: graph[name] for name in ("apiVersion", "kind")}
    owner = {**kind, "name": graph["metadata"]["name"], "uid": uid}
    return {**companion, "metadata": {**companion["metadata"], "ownerReferences": [owner]}}
