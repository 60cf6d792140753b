"""One request's life, and a leader's death, on the real API server: `python -m benchmarks.living`.

Prints how soon `kubectl apply` ends in a graph, what a whole life writes, and when the next replica acts.
"""

from __future__ import annotations

import argparse
import os
import statistics
import sys
import tempfile
import time
from collections.abc import Sequence
from itertools import pairwise
from pathlib import Path

import yaml

from benchmarks.controller import at_work
from benchmarks.figures import say, waited
from e2e import audit, backends, chart, definitions
from e2e.cluster import Cluster
from e2e.dynamo_operator import DynamoOperator
from e2e.operator_process import OperatorProcess
from e2e.user import ROOT, User, example, user_of

NAMESPACE = "bench-living"
FLAGS = [f"--lease={chart.LEASE}"]
ENDS = {"SIGKILL": OperatorProcess.kill, "SIGTERM": OperatorProcess.stop}
SETTLING = 2.0
"""Seconds after `Deployed` in which a life might still write something."""


def main(arguments: Sequence[str] | None = None) -> int:
    """Prints the figures."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--requests", type=int, default=20, help="applied one after another (default %(default)s)")
    chosen = parser.parse_args(arguments)
    say(f"{os.cpu_count()} cores, load {os.getloadavg()[0]:.1f}")
    with tempfile.TemporaryDirectory(prefix="dgdr-") as folder, backends.choose(Path(folder)) as cluster:
        origin = definitions.default_origin()
        with (
            definitions.installed(cluster, origin),
            at_work(cluster, NAMESPACE, FLAGS, Path(folder)) as leader,
            user_of(cluster, NAMESPACE) as user,
        ):
            applied(user, chosen.requests)
            lived(cluster, leader, user, origin.version)
            survived(cluster, leader, user, Path(folder))
    return 0


def applied(user: User, count: int) -> None:
    """Until the graph stands, kubectl itself included."""
    took = []
    for number in range(count):
        began = time.monotonic()
        user.apply(example("01", f"r{number}"))
        user.wait_graph(f"r{number}-dgd", pause=0.005)
        took.append(time.monotonic() - began)
    say(f"kubectl apply -> graph, {count} requests: p50 {statistics.median(took):.2f} s, max {max(took):.2f} s")


def lived(cluster: Cluster, leader: OperatorProcess, user: User, version: str) -> None:
    """From the request until its graph serves."""
    stand_in = DynamoOperator(cluster.identity("dynamo-operator"), NAMESPACE, version)
    cluster.apply(*yaml.safe_load_all((ROOT / "e2e" / "rights.yaml").read_text()))
    stand_in.slow = 0.3
    stand_in.start()
    try:
        waited(lambda: user.status("r0").get("phase") == "Deployed", time.monotonic())
        time.sleep(SETTLING)
        since = audit.mark(cluster)
        user.apply(example("01", "whole"))
        waited(lambda: user.status("whole").get("phase") == "Deployed", time.monotonic())
        time.sleep(SETTLING)
    finally:
        stand_in.stop()
    made = [write for write in audit.writes(cluster, since, user=leader.user) if write.namespace == NAMESPACE]
    events = sum(write.resource == "events" for write in made)
    say(f"a life until Deployed: {len(made) - events} object writes, {events} Events")


def survived(cluster: Cluster, leader: OperatorProcess, user: User, folder: Path) -> None:
    """From the end of a leader until the next replica, ready and warm, has made a graph."""
    account, flags = cluster.identity("operator"), ["--namespace", NAMESPACE, *FLAGS]
    replicas = [leader, *(OperatorProcess(account, flags, log=folder / f"replica-{n}.log") for n in (1, 2))]
    try:
        for (end, how), (leader_now, follower) in zip(ENDS.items(), pairwise(replicas), strict=True):
            follower.start()
            began = time.monotonic()
            how(leader_now)
            user.apply(example("01", end.lower()))
            user.wait_graph(f"{end.lower()}-dgd")
            say(f"leader ends by {end} -> the next graph {time.monotonic() - began:.1f} s later")
    finally:
        for replica in replicas[1:]:
            replica.close()


if __name__ == "__main__":
    sys.exit(main())
