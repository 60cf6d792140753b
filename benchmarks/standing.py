"""A cluster with thousands of requests, graphs and nodes that all stand as planned: `python -m benchmarks.standing`.

Prints how long the controller takes to its first reconcile, its memory, what it writes (nothing), how long an event
waits, and what it costs at rest. The API server is that of the tests: what is measured is the controller.
"""

from __future__ import annotations

import argparse
import gc
import json
import os
import re
import sys
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from benchmarks.bodies import node, renamed
from benchmarks.figures import LIMIT, counted, processor, say, waited
from e2e.user import example, synced
from tests.cluster.stage.replica import Replica
from tests.fakes.api import Api
from tests.fakes.aside import Aside
from tests.fakes.definitions import own_definitions
from tests.fakes.server import ApiServer

REQUESTS, GRAPHS = "dynamographdeploymentrequests", "dynamographdeployments"
EVENTS, PER_SECOND = 200, 10
EVENT_WAIT = "workqueue_queue_duration_seconds_bucket"

Object = dict[str, Any]


def main(arguments: Sequence[str] | None = None) -> int:
    """Prints the figures."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--requests", type=int, default=5000, help="requests that stand (default %(default)s)")
    parser.add_argument("--nodes", type=int, default=5000, help="GPU nodes (default %(default)s)")
    parser.add_argument("--rest", type=float, default=60.0, help="seconds to look on at rest (default %(default)s)")
    chosen = parser.parse_args(arguments)
    say(f"{os.cpu_count()} cores, load {os.getloadavg()[0]:.1f}; {chosen.requests} requests, {chosen.nodes} nodes")
    with tempfile.TemporaryDirectory(prefix="dgdr-") as folder, Aside() as aside:
        server = ApiServer()
        aside.do(server.start)
        try:
            measure(server, aside, Path(folder), chosen)
        finally:
            aside.do(server.stop)
    return 0


def measure(server: ApiServer, aside: Aside, folder: Path, chosen: argparse.Namespace) -> None:
    """Fills the cluster with what the controller itself made of one request, then starts it anew."""
    requests: int = chosen.requests
    api = Api(server.url)
    for definition in own_definitions():
        api.create("customresourcedefinitions", definition)
    api.create("namespaces", {"metadata": {"name": "team"}})
    aside.do(lambda: filled(server, chosen.nodes), LIMIT)
    once(server, aside, folder)
    aside.do(lambda: multiplied(server, requests), LIMIT)
    server.log.clear()
    gc.freeze()  # looking for garbage among so many objects would stop this API server for a second at a time
    replica = Replica(folder, server.url, "", ["--all-namespaces"], hurry={})
    began = time.monotonic()
    replica.begin()
    try:
        first = waited(lambda: counted(replica, "controller_runtime_reconcile_total") > 0, began)
        burnt, early = processor(replica.pid), replica.resident()
        ready = waited(lambda: replica.probe("readyz") == 200, began)
        everyone = waited(lambda: counted(replica, "controller_runtime_reconcile_total") >= requests, began)
        say(
            f"start -> ready {ready:.1f} s, -> first reconcile {first:.1f} s ({burnt:.1f} s of processor time), "
            f"-> all reconciled {everyone:.1f} s; writes {len(server.writes)}; "
            f"resident memory {early:.0f} MiB at first, then {replica.resident():.0f} MiB"
        )
        events(server, aside, replica, requests)
        rest(server, replica, chosen.rest)
    finally:
        replica.close()


async def filled(server: ApiServer, nodes: int) -> None:
    """The nodes."""
    for number in range(nodes):
        await server.put("nodes", node(number))


def once(server: ApiServer, aside: Aside, folder: Path) -> None:
    """Lets the controller serve one request called r0."""
    body = example("01", "r0")
    body["metadata"]["namespace"] = "team"
    aside.do(lambda: server.put(REQUESTS, body))
    replica = Replica(folder, server.url, "", ["--all-namespaces"], hurry={})
    replica.start()
    waited(lambda: synced(server.store.get(REQUESTS, ("team", "r0")) or {}), time.monotonic())
    replica.stop()


async def multiplied(server: ApiServer, count: int) -> None:
    """r0, its graph and what belongs to them, under as many other names."""
    for plural in (REQUESTS, GRAPHS, "configmaps"):
        known = [body for (_, name), body in server.store.objects[plural].items() if name.startswith("r0")]
        for text in [json.dumps(body) for body in known]:
            for number in range(1, count):
                await server.put(plural, renamed(text, number))


def events(server: ApiServer, aside: Aside, replica: Replica, requests: int) -> None:
    """Changes requests one after another, and reads from the controller's own metric how long each waited."""
    before = buckets(replica)
    for number in range(EVENTS):
        body = json.loads(json.dumps(server.store.get(REQUESTS, ("team", f"r{number % requests}"))))
        body["metadata"].setdefault("labels", {})["touched"] = str(number)
        aside.do(lambda body=body: server.put(REQUESTS, body))  # type: ignore[misc]  # the default binds it
        time.sleep(1 / PER_SECOND)
    time.sleep(1)
    after = buckets(replica)
    waits = {bound: after[bound] - before.get(bound, 0.0) for bound in after}
    total = max(waits.values())
    ranks = {rank: min(b for b, n in waits.items() if n >= rank / 100 * total) for rank in (50, 99)}
    say(f"{total:.0f} events at {PER_SECOND} a second: waited at most {ranks[50]:g} s (p50), {ranks[99]:g} s (p99)")


def buckets(replica: Replica) -> dict[float, float]:
    """Upper bound -> events that waited no longer."""
    found = re.findall(rf'^{EVENT_WAIT}\{{.*le="([^"]+)".*\}} (\S+)$', replica.metrics(), re.MULTILINE)
    return {float(bound): float(count) for bound, count in found}


def rest(server: ApiServer, replica: Replica, seconds: float) -> None:
    """What it writes and burns when nothing happens."""
    since, burnt = len(server.writes), processor(replica.pid)
    time.sleep(seconds)
    used = (processor(replica.pid) - burnt) / seconds
    say(f"{seconds:g} s at rest: {len(server.writes) - since} writes, {used * 1000:.0f} millicores")


if __name__ == "__main__":
    sys.exit(main())
