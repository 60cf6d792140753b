"""The hands: every write to a request or a graph, and the look at the live object before one that matters."""

import logging
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass
from typing import Any

from dgdr_operator.controller import answering, covers, differ, errors, recall, record, review
from dgdr_operator.controller.cache import Cache, Name, name_of
from dgdr_operator.controller.cluster import CONFIG_MAPS, JOBS, MANAGER, STATUS_MANAGER, Cluster, Kind, kind_of
from dgdr_operator.controller.record import Draft
from dgdr_operator.controller.world import ApplyGraph, ApplyRecord, Object, is_ours, taken
from dgdr_operator.planned import Planned

log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True, kw_only=True)
class Kinds:
    """The two kinds we live between, in the versions that this cluster serves.

    launcher: whether it also serves what starts workers of several nodes; None: it does not say.
    """

    request: Kind
    graph: Kind
    launcher: bool | None = None


class Hands:
    """What they write they also remember, so that the next look does not see an older world."""

    def __init__(self, cluster: Cluster, cache: Cache, kinds: Kinds) -> None:
        self._cluster = cluster
        self._cache = cache
        self._kinds = kinds
        self._unheeded: dict[Name, frozenset[str]] = {}

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
        body = _to_apply(request, action.graph)
        namespace, name = body["metadata"]["namespace"], body["metadata"]["name"]
        live = await self.look(namespace, name) if action.create else None
        if live is not None and not is_ours(live, request):
            raise errors.NameTaken(taken(live))
        companions = recall.companions(action.graph)
        for companion in companions:
            await self._cluster.apply(CONFIG_MAPS, _placed(companion, namespace), manager=MANAGER)
        body = covers.yielding(body, self._cache.graphs.get((namespace, name)))
        written = await self._cluster.apply(kind, body, manager=MANAGER)
        if kind == self._kinds.graph:
            self._cache.graphs.put(written)
            self._compare(written, body)
        for companion in companions:
            owned = _owned(_placed(companion, namespace), action.graph, written["metadata"]["uid"])
            await self._cluster.apply(CONFIG_MAPS, owned, manager=MANAGER)

    def unheeded(self, graph: Object | None) -> frozenset[str]:
        """The paths at which the cluster did not take what was last written to *graph*: to write again is in vain."""
        return self._unheeded.get(name_of(graph), frozenset()) if graph else frozenset()

    def _compare(self, written: Object, body: Object) -> None:
        left = frozenset(covers.differences(written, body))
        if left:
            log.warning("%s: the cluster does not take %s", body["metadata"]["name"], ", ".join(sorted(left)[:10]))
            self._unheeded[name_of(written)] = left
        else:
            self._unheeded.pop(name_of(written), None)

    async def delete_graph(self, graph: Object) -> None:
        """Deletes this very graph; one that is gone, or is another one by now, is as good as deleted."""
        with suppress(errors.NotFound, errors.Conflict):
            await self._cluster.delete(self._kinds.graph, graph)
        await self.look(graph["metadata"]["namespace"], graph["metadata"]["name"])

    async def read_record(self, request: Object) -> Object | None:
        """The report as it lies in the cluster; None where there is none, or no right to read it."""
        try:
            return await self._cluster.get(CONFIG_MAPS, request["metadata"]["namespace"], record.name_of(request))
        except (errors.NotFound, errors.Denied):
            return None

    async def write_record(self, request: Object, action: ApplyRecord, live: Object | None, now: str) -> None:
        """Writes the report, with what the plan would change in the graph *live*. Nothing depends on it but people:
        where it is refused, or is not ours to write, the log says so and the request goes on.
        """
        diff = await self._difference(request, live, action.pending or action.plan)
        draft = Draft(plan=action.plan, pending=action.pending, diff=diff, now=now)
        try:
            # a request that was never edited has hardly a report yet; to create one costs half of a change
            if request["metadata"].get("generation", 1) > 1 or not await self._first_record(request, draft):
                await self._change_record(request, draft)
        except (errors.Denied, errors.Rejected) as error:
            log.warning("no report: %s", error)

    async def _first_record(self, request: Object, draft: Draft) -> bool:
        """Writes a report where there is none; says whether there was none."""
        try:
            await self._cluster.create(
                CONFIG_MAPS, request["metadata"]["namespace"], record.build(request, None, draft)
            )
        except errors.Conflict:
            return False
        return True

    async def _change_record(self, request: Object, draft: Draft) -> None:
        """Writes the report over the one that lies there, if that is ours to write."""
        before = await self.read_record(request)
        if before is None:
            await self._first_record(request, draft)
        elif record.is_ours(before):
            wanted = record.build(request, before, draft)
            if record.says(before, wanted):
                return
            name, namespace = before["metadata"]["name"], before["metadata"]["namespace"]
            await self._cluster.merge(CONFIG_MAPS, namespace, name, record.changes(before, wanted))
        else:
            log.warning("%s is not a report in our format, and is left", record.name_of(request))

    async def expects(self, request: Object, job: str) -> bool:
        """Whether the Job stands for which the platform's controller waits, and is this request's."""
        try:
            found = await self._cluster.get(JOBS, request["metadata"]["namespace"], job)
        except errors.NotFound:
            return False
        return answering.is_expected(request, found)

    async def has_answered(self, request: Object) -> bool:
        """Whether the platform's controller has our answer."""
        try:
            live = await self._cluster.get(CONFIG_MAPS, request["metadata"]["namespace"], answering.name_of(request))
        except errors.NotFound:
            return False
        return answering.is_given(request, live)

    async def hand_over(self, answer: Object) -> None:
        """Gives the platform's controller our answer."""
        await self._cluster.apply(CONFIG_MAPS, answer, manager=MANAGER)

    async def _difference(self, request: Object, live: Object | None, plan: Planned) -> str:
        """What applying *plan* would change, as the API server itself says in a dry run."""
        if live is None:
            return "no graph stands yet\n"
        if recall.same_plan(live, plan):
            return "nothing would change\n"
        name = live["metadata"]["name"]
        if name != plan.name:
            return f"a new graph {plan.name} beside {name}:\n{_lines(differ.changes(live, plan.graph))}"
        try:
            kind = kind_of(self._kinds.graph, plan.graph)
            body = covers.yielding(_to_apply(request, plan.graph), live)
            after = await self._cluster.try_out(kind, body, manager=MANAGER)
        except (errors.Rejected, errors.Denied) as error:
            return f"the cluster would refuse it: {error}\n"
        return _lines(differ.changes(live, after, whole=True))

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


def _to_apply(request: Object, graph: Mapping[str, Any]) -> dict[str, Any]:
    """*graph* as it is sent: in its request's namespace, and owned by it where the user wants it to go along.

    Who may write a status or a report there may make it name another namespace, and would write there with our rights.
    """
    metadata = request["metadata"]
    placed = {**graph["metadata"], "namespace": metadata["namespace"]}
    if review.goes_along(request):
        kind = {name: request[name] for name in ("apiVersion", "kind")}
        placed["ownerReferences"] = [{**kind, "name": metadata["name"], "uid": metadata["uid"]}]
    return {**graph, "metadata": placed}


def _lines(changes: list[differ.Change]) -> str:
    return "".join(f"{change}\n" for change in changes) or "nothing would change\n"


def _placed(companion: Object, namespace: str) -> dict[str, Any]:
    return {**companion, "metadata": {**companion["metadata"], "namespace": namespace}}


def _owned(companion: dict[str, Any], graph: Mapping[str, Any], uid: str) -> dict[str, Any]:
    """*companion*, deleted by the cluster when *graph* is: it serves no other."""
    kind = {name: graph[name] for name in ("apiVersion", "kind")}
    owner = {**kind, "name": graph["metadata"]["name"], "uid": uid}
    return {**companion, "metadata": {**companion["metadata"], "ownerReferences": [owner]}}
