"""What the nodes offer, in groups of nodes alike: GPUs, which of them are free and in what pieces, and fabric."""

import hashlib
import json
from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass, field, replace
from typing import Any

from dgdr_operator.inventory.amounts import GPU
from dgdr_operator.inventory.pods import GraphName, Usage
from dgdr_operator.inventory.servers import Server, Taint, tolerates
from dgdr_operator.inventory.skus import sku
from estimator.vacancy import Vacancy


@dataclass(frozen=True, slots=True, kw_only=True)
class NodeGroup:
    """The ready, schedulable nodes with one GPU product, one number of GPUs, and the same guards.

    sku: our name of the GPU, None for a product no SKU stands for; product: its exact node label;
    memory: bytes per GPU, None if no node says; fabric: devices per node by resource name, the least of the nodes
    that have it; fabric_nodes: nodes that offer each resource; taints: GPU taints found on any of them, which our
    pods tolerate; guards: all other taints that keep pods out; rdma_hint: some label promises RDMA;
    machine: the processors' architecture, "" if nodes do not say or differ; zones: nodes by zone, where they say;
    free: nodes by the number of GPUs that no pod holds.
    """

    sku: str | None
    product: str
    nodes: int
    gpus_per_node: int
    memory: float | None
    fabric: Mapping[str, int]
    fabric_nodes: Mapping[str, int]
    taints: tuple[Mapping[str, Any], ...] = ()
    guards: tuple[Taint, ...] = ()
    rdma_hint: bool = False
    machine: str = ""
    zones: Mapping[str, int] = field(default_factory=dict)
    free: Mapping[int, int] = field(default_factory=dict)

    @property
    def gpus(self) -> int:
        """GPUs of all its nodes."""
        return self.nodes * self.gpus_per_node

    @property
    def free_gpus(self) -> int:
        """GPUs that no pod holds."""
        return sum(gpus * nodes for gpus, nodes in self.free.items())


@dataclass(frozen=True, slots=True, kw_only=True)
class Holding:
    """What the pods of one graph hold on one node: of which group, how much is free beside them, and their GPUs."""

    group: int
    free: int
    gpus: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Inventory:
    """Groups of GPU nodes, most GPUs per node first, then most memory; hash: stable digest of all a plan may depend on.

    limit: GPUs that a quota leaves to whom this is for, None for any number; aside: nodes with GPUs that do not count,
    by reason; counted: whether pods were looked at, so that `free` is less than everything where something runs;
    holdings: what graphs hold themselves, and quotas: what is left by namespace; `seen_by` turns both into numbers.
    """

    groups: tuple[NodeGroup, ...]
    hash: str
    limit: int | None = None
    aside: Mapping[str, int] = field(default_factory=dict)
    counted: bool = False
    holdings: Mapping[GraphName, tuple[Holding, ...]] = field(default_factory=dict)
    quotas: Mapping[str, int] = field(default_factory=dict)

    def group(self, name: str) -> NodeGroup | None:
        """The group of the SKU *name* with most GPUs per node, or None."""
        return next(iter(self.alike(name)), None)

    def alike(self, name: str) -> tuple[NodeGroup, ...]:
        """All groups that pods meant for `group` may land on: of its SKU, product and architecture."""
        first = next((group for group in self.groups if group.sku == name), None)
        if first is None:
            return ()
        kind = (first.product, first.machine)
        return tuple(group for group in self.groups if (group.product, group.machine) == kind)

    def vacancy(self, name: str) -> Vacancy | None:
        """The free GPUs of the SKU *name*, node by node; None where no node has it."""
        groups = self.alike(name)
        if not groups:
            return None
        free: Counter[int] = Counter()
        for group in groups:
            free.update(group.free)
        return Vacancy(free=dict(sorted(free.items())), node_gpus=groups[0].gpus_per_node, limit=self.limit)

    def room(self, name: str | None) -> int:
        """Free GPUs of the SKU *name*, or of the one that has most; what is left of the quota, if that is less."""
        names = {group.sku for group in self.groups if group.sku} if name is None else {name}
        return max((found.gpus for one in names if (found := self.vacancy(one))), default=0)

    def tolerated(self, tolerations: Sequence[Mapping[str, Any]]) -> "Inventory":
        """Without the nodes that keep out pods with these *tolerations*; those are put aside."""
        allowed = [all(any(tolerates(one, guard) for one in tolerations) for guard in g.guards) for g in self.groups]
        if all(allowed):
            return self
        kept = tuple(group for group, may in zip(self.groups, allowed, strict=True) if may)
        barred = sum(group.nodes for group, may in zip(self.groups, allowed, strict=True) if not may)
        aside = {**self.aside, "tainted": self.aside.get("tainted", 0) + barred}
        return replace(self, groups=kept, aside=aside, holdings={})

    def seen_by(self, namespace: str, graphs: Iterable[str] = ()) -> "Inventory":
        """As a request in *namespace* sees it: the pods of its own *graphs* are in nobody's way, and quotas bind."""
        own = [holding for name in graphs for holding in self.holdings.get((namespace, name), ())]
        limit = self.quotas.get(namespace)
        if limit is not None:
            limit += sum(holding.gpus for holding in own)
        groups = _given_back(self.groups, own) if own else self.groups
        return _inventory(groups, limit=limit, aside=self.aside, counted=self.counted)

    @property
    def supply(self) -> str:
        """A digest of what there is, whoever holds it: it stays when pods come and go."""
        return _digest([asdict(replace(group, free={})) for group in self.groups])


def of(servers: Iterable[Server], usage: Usage | None = None, quotas: Mapping[str, int] | None = None) -> Inventory:
    """The inventory of *servers*; *usage*: what pods hold, None to count everything as free."""
    alike: dict[tuple[str, int, tuple[Taint, ...]], list[Server]] = defaultdict(list)
    aside: Counter[str] = Counter()
    for one in servers:
        if one.unfit:
            aside[one.unfit] += 1
        else:
            alike[one.product, one.gpus, _guards(one)].append(one)
    held = usage.by_node if usage else Counter[str]()
    pairs = [(_group(members, held), members) for members in alike.values()]
    pairs.sort(key=lambda pair: (-pair[0].gpus_per_node, -(pair[0].memory or 0), pair[0].product, pair[0].guards))
    return _inventory(
        tuple(group for group, _ in pairs),
        aside=dict(sorted(aside.items())),
        counted=usage is not None,
        holdings=_holdings(pairs, usage) if usage else {},
        quotas=quotas or {},
    )


def _inventory(
    groups: tuple[NodeGroup, ...],
    *,
    limit: int | None = None,
    aside: Mapping[str, int],
    counted: bool,
    holdings: Mapping[GraphName, tuple[Holding, ...]] | None = None,
    quotas: Mapping[str, int] | None = None,
) -> Inventory:
    return Inventory(
        groups=groups,
        hash=_digest([[asdict(group) for group in groups], limit, aside, counted]),
        limit=limit,
        aside=aside,
        counted=counted,
        holdings=holdings or {},
        quotas=quotas or {},
    )


def _digest(parts: list[Any]) -> str:
    return hashlib.sha256(json.dumps(parts, sort_keys=True).encode()).hexdigest()


def _group(servers: Sequence[Server], held: Mapping[str, int]) -> NodeGroup:
    first = servers[0]
    memories = [one.memory for one in servers if one.memory is not None]
    machines = {one.machine for one in servers}
    devices: dict[str, list[int]] = defaultdict(list)
    for one in servers:
        for name, number in one.devices.items():
            devices[name].append(number)
    return NodeGroup(
        sku=sku(first.product),
        product=first.product,
        nodes=len(servers),
        gpus_per_node=first.gpus,
        memory=min(memories, default=None),
        fabric={name: min(counts) for name, counts in sorted(devices.items())},
        fabric_nodes={name: len(counts) for name, counts in sorted(devices.items())},
        taints=_gpu_taints(servers),
        guards=_guards(first),
        machine=machines.pop() if len(machines) == 1 else "",
        rdma_hint=any(one.rdma_hint for one in servers),
        zones=dict(sorted(Counter(one.zone for one in servers if one.zone).items())),
        free=dict(sorted(Counter(_free(one, held) for one in servers).items())),
    )


def _free(one: Server, held: Mapping[str, int]) -> int:
    return max(0, one.gpus - held.get(one.name, 0))


def _guards(one: Server) -> tuple[Taint, ...]:
    return tuple(taint for taint in one.taints if taint[0] != GPU)


def _gpu_taints(servers: Iterable[Server]) -> tuple[Mapping[str, Any], ...]:
    kept = sorted({taint for one in servers for taint in one.taints if taint[0] == GPU})
    return tuple({"key": key, **({"value": value} if value else {}), "effect": effect} for key, value, effect in kept)


def _holdings(
    pairs: Sequence[tuple[NodeGroup, Sequence[Server]]], usage: Usage
) -> dict[GraphName, tuple[Holding, ...]]:
    """What each graph holds on nodes that count."""
    places = {one.name: (index, one) for index, (_, servers) in enumerate(pairs) for one in servers}
    found: dict[GraphName, tuple[Holding, ...]] = {}
    for graph, nodes in usage.by_graph.items():
        here = [(*places[node], gpus) for node, gpus in nodes.items() if node in places]
        held = [Holding(group=index, free=_free(one, usage.by_node), gpus=gpus) for index, one, gpus in here]
        if held:
            found[graph] = tuple(sorted(held, key=lambda one: (one.group, one.free, one.gpus)))
    return found


def _given_back(groups: Sequence[NodeGroup], own: Iterable[Holding]) -> tuple[NodeGroup, ...]:
    """The groups as they would be without those pods."""
    free = [Counter(group.free) for group in groups]
    for holding in own:
        nodes = free[holding.group]
        nodes[holding.free] -= 1
        nodes[min(holding.free + holding.gpus, groups[holding.group].gpus_per_node)] += 1
    return tuple(
        replace(group, free={gpus: count for gpus, count in sorted(nodes.items()) if count > 0})
        for group, nodes in zip(groups, free, strict=True)
    )
