"""What the controller costs and how fast it is: `python -m benchmarks.controller` prints figures and judges nothing.

It runs the controller as a process of its own, under the chart's rights, against the real API server of `make e2e`.
"""

from __future__ import annotations

import argparse
import asyncio
import copy
import os
import statistics
import sys
import tempfile
from collections.abc import Awaitable, Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from datetime import datetime
from pathlib import Path
from typing import Any

from benchmarks.figures import say
from dgdr_operator.controller.cluster import Cluster as Client
from dgdr_operator.controller.cluster import Kind
from e2e import audit, backends, chart, definitions
from e2e.cluster import Cluster
from e2e.operator_process import OperatorProcess
from e2e.processes import family, resident
from e2e.user import example

REQUESTS = Kind(group="nvidia.com", version="v1beta1", plural="dynamographdeploymentrequests")
GRAPHS = Kind(group="nvidia.com", version="v1beta1", plural="dynamographdeployments")
AT_ONCE = 32
"""Requests that are written at a time."""
LIMIT = 600.0
POLL = 1.0
HTTP_ERROR = 400

Object = dict[str, Any]


def main(arguments: Sequence[str] | None = None) -> int:
    """Prints the figures; 1 when requests were left without a plan."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--requests", type=int, default=1000, help="requests at once (default %(default)s)")
    parser.add_argument("--estimators", type=int, default=1, help="processes that plan (default %(default)s)")
    chosen = parser.parse_args(arguments)
    say(f"{os.cpu_count()} cores, load {os.getloadavg()[0]:.1f}, {chosen.estimators} estimator process(es)")
    with tempfile.TemporaryDirectory(prefix="dgdr-") as folder, backends.choose(Path(folder)) as cluster:
        os.environ["KUBECONFIG"] = str(cluster.kubeconfig)
        with definitions.installed(cluster, definitions.default_origin()):
            for kind in ("equal", "different"):
                flags = [f"--estimators={chosen.estimators}"]
                with at_work(cluster, f"bench-{kind}", flags, Path(folder)) as operator:
                    asyncio.run(flood(cluster, operator, f"bench-{kind}", bodies(kind, chosen.requests), kind))
    return 0


@contextmanager
def at_work(cluster: Cluster, namespace: str, flags: list[str], folder: Path) -> Iterator[OperatorProcess]:
    """The controller, ready, in a namespace of its own."""
    cluster.kubectl("create", "namespace", namespace)
    account = cluster.identity("operator")
    cluster.apply(*chart.rights("operator"))
    log = folder / f"{namespace}.log"
    operator = OperatorProcess(account, ["--namespace", namespace, *flags], log=log)
    say(f"ready {operator.start():.2f} s after its start")
    try:
        yield operator
    finally:
        operator.close()


def bodies(kind: str, count: int) -> list[Object]:
    """Requests that ask the same, or each something else."""
    made = []
    for number in range(count):
        body = copy.deepcopy(example("01", f"r{number}"))
        if kind == "different":
            body["spec"]["workload"] = {"isl": 1000 + number, "osl": 500}
        made.append(body)
    return made


async def flood(cluster: Cluster, operator: OperatorProcess, namespace: str, asked: list[Object], kind: str) -> None:
    """Writes all requests at once, and waits for their graphs."""
    client, since = await Client.connect(), audit.mark(cluster)
    async with asyncio.timeout(LIMIT):
        await each(lambda body: client.create(REQUESTS, namespace, body), asked)
        while logged(cluster, since) < len(asked):  # noqa: ASYNC110 -- a file is polled
            await asyncio.sleep(POLL)
    await client.close()
    tell(audit.writes(cluster, since), namespace, kind)
    main, *others = (resident(pid) for pid in family(operator.pid))
    say(f"resident memory {main:.0f} MiB, of its children {', '.join(f'{other:.0f}' for other in others)} MiB")


async def each(write: Callable[[Any], Awaitable[object]], things: Iterable[object]) -> None:
    """Writes all of them, some at a time."""
    gate = asyncio.Semaphore(AT_ONCE)

    async def gated(thing: object) -> None:
        async with gate:
            await write(thing)

    async with asyncio.TaskGroup() as group:
        for thing in things:
            group.create_task(gated(thing))


def logged(cluster: Cluster, since: int) -> int:
    """Graphs that were written since, as the API server's own log says: to list or to watch them would burden it."""
    if cluster.audit_log is None:
        raise audit.NoAuditLog
    with cluster.audit_log.open("rb") as log:
        log.seek(since)
        return log.read().count(b'"resource":"dynamographdeployments"')


def tell(writes: Sequence[audit.Write], namespace: str, kind: str) -> None:
    """Prints when requests were there, had their plans and had their graphs, on the API server's clock."""
    asked: dict[str, float] = {}
    planned: dict[str, float] = {}
    stood: dict[str, float] = {}
    for write in writes:
        if write.namespace != namespace or write.code >= HTTP_ERROR:
            continue
        at = datetime.fromisoformat(write.at).timestamp()
        if (write.verb, write.resource) == ("create", REQUESTS.plural):
            asked[write.name] = at
        elif write.resource == f"{REQUESTS.plural}/status" and f"{write.name}-dgd" not in stood:
            planned[write.name] = at  # the last status before the graph names it
        elif write.resource == GRAPHS.plural:
            stood.setdefault(write.name, at)
    began = min(asked.values())
    waits = sorted(planned[name] - asked[name] for name in planned)
    ranks = statistics.quantiles(waits, n=100)
    say(
        f"{len(asked)} {kind} requests: written in {max(asked.values()) - began:.1f} s; last plan at "
        f"{max(planned.values()) - began:.1f} s, last of {len(stood)} graphs at {max(stood.values()) - began:.1f} s; "
        f"request -> plan p50 {ranks[49]:.2f} s, p99 {ranks[98]:.2f} s"
    )


if __name__ == "__main__":
    sys.exit(main())
