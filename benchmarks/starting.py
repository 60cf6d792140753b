"""A start beside thousands of requests, graphs and nodes on the real API server: `python -m benchmarks.starting`.

Prints when the first and the last reconcile came, the processor time until then, and memory. It takes three minutes
to fill the cluster. API server, etcd and controller share the processor; TLS, the rights of the chart and what the API
server keeps beside each object are part of what is measured.
"""

from __future__ import annotations

import argparse
import asyncio
import copy
import json
import os
import sys
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from benchmarks.bodies import node, renamed
from benchmarks.controller import GRAPHS, REQUESTS, at_work, each
from benchmarks.figures import counted, processor, say, waited
from dgdr_operator.controller.cluster import MANAGER, NODES, STATUS_MANAGER
from dgdr_operator.controller.cluster import Cluster as Client
from e2e import backends, definitions
from e2e.cluster import Cluster
from e2e.operator_process import OperatorProcess
from e2e.processes import resident
from e2e.user import example, synced

NAMESPACE = "bench-starting"
SETTLING = 10.0
"""Seconds that API server and etcd have for what so many writes leave to do."""
RECONCILED = "controller_runtime_reconcile_total"

Object = dict[str, Any]


def main(arguments: Sequence[str] | None = None) -> int:
    """Prints the figures."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--count", type=int, default=5000, help="requests, graphs and nodes (default %(default)s)")
    parser.add_argument("--starts", type=int, default=3, help="starts (default %(default)s)")
    chosen = parser.parse_args(arguments)
    with tempfile.TemporaryDirectory(prefix="dgdr-") as folder, backends.choose(Path(folder)) as cluster:
        os.environ["KUBECONFIG"] = str(cluster.kubeconfig)
        with (
            definitions.installed(cluster, definitions.default_origin()),
            at_work(cluster, NAMESPACE, [], Path(folder)) as operator,
        ):
            request, graph = one(cluster)
            operator.stop()
            asyncio.run(filled(request, graph, chosen.count))
            time.sleep(SETTLING)
            say(f"{os.cpu_count()} cores, load {os.getloadavg()[0]:.1f}; {chosen.count} requests, graphs and nodes")
            for _ in range(chosen.starts):
                start(operator, chosen.count)
    return 0


def one(cluster: Cluster) -> tuple[Object, Object]:
    """A request that the controller has served, and its graph."""
    body = copy.deepcopy(example("01", "r0"))
    body["metadata"]["namespace"] = NAMESPACE
    cluster.apply(body)
    waited(lambda: synced(read(cluster, REQUESTS.plural, "r0")), time.monotonic())
    return read(cluster, REQUESTS.plural, "r0"), read(cluster, GRAPHS.plural, "r0-dgd")


def read(cluster: Cluster, plural: str, name: str) -> Object:
    """One object."""
    found: Object = json.loads(cluster.kubectl("get", plural, name, "--namespace", NAMESPACE, "--output", "json"))
    return found


async def filled(request: Object, graph: Object, count: int) -> None:
    """Nodes, and under as many other names the request and its graph, written as the controller does."""
    client, asked, made = await Client.connect(), json.dumps(request), json.dumps(graph)

    async def add_node(number: int) -> None:
        body = node(number)
        await client.create(NODES, "", body)
        metadata = {"name": body["metadata"]["name"], "namespace": ""}
        status = {"apiVersion": "v1", "kind": "Node", "metadata": metadata, "status": body["status"]}
        await client.apply(NODES, status, manager="kubelet", subresource="status")

    async def add_request(number: int) -> None:
        await client.apply(GRAPHS, authored(renamed(made, number)), manager=MANAGER)
        body = authored(renamed(asked, number))
        status = body.pop("status")
        await client.create(REQUESTS, NAMESPACE, body)
        metadata = {name: body["metadata"][name] for name in ("name", "namespace")}
        body = {"apiVersion": body["apiVersion"], "kind": body["kind"], "metadata": metadata, "status": status}
        await client.apply(REQUESTS, body, manager=STATUS_MANAGER, subresource="status")

    try:
        await each(add_node, range(count))
        await each(add_request, range(1, count))
    finally:
        await client.close()


def authored(body: Object) -> Object:
    """*body* as its author would write it."""
    kept = ("name", "namespace", "labels", "annotations")
    return {**body, "metadata": {name: body["metadata"][name] for name in kept if name in body["metadata"]}}


def start(operator: OperatorProcess, count: int) -> None:
    """One start, until all are reconciled."""
    began = time.monotonic()
    operator.begin()
    first = waited(lambda: counted(operator, RECONCILED) > 0, began)
    burnt, early = processor(operator.pid), resident(operator.pid)
    everyone = waited(lambda: counted(operator, RECONCILED) >= count, began)
    say(
        f"start -> first reconcile {first:.1f} s ({burnt:.1f} s of processor time), "
        f"-> all reconciled {everyone:.1f} s; "
        f"resident memory {early:.0f} MiB at first, then {resident(operator.pid):.0f} MiB"
    )
    operator.stop()


if __name__ == "__main__":
    sys.exit(main())
