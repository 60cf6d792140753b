"""The rights that the chart renders are enough, and each of them is needed: what breaks without it is said by name."""

from __future__ import annotations

import copy
import secrets
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from e2e import chart
from e2e.cluster import HOME, Cluster, Identity
from e2e.conftest import LOGS
from e2e.operator_process import OperatorProcess
from e2e.user import User, example, with_spec
from e2e.waiting import eventually

REQUESTS, GRAPHS = "dynamographdeploymentrequests", "dynamographdeployments"

NEEDED = {
    (REQUESTS, "get"): "missing right: get dynamographdeploymentrequests",
    (REQUESTS, "list"): "is forbidden",
    (REQUESTS, "watch"): "missing right: watch dynamographdeploymentrequests",
    (f"{REQUESTS}/status", "patch"): "missing right: patch dynamographdeploymentrequests/status",
    (GRAPHS, "get"): "missing right: get dynamographdeployments",
    (GRAPHS, "list"): "is forbidden",
    (GRAPHS, "watch"): "missing right: watch dynamographdeployments",
    (GRAPHS, "create"): "missing right: create dynamographdeployments",
    (GRAPHS, "patch"): "missing right: patch dynamographdeployments",
    (GRAPHS, "delete"): "missing right: delete dynamographdeployments",
    ("configmaps", "get"): "missing right: get configmaps",
    ("configmaps", "create"): "missing right: create configmaps",
    ("configmaps", "patch"): "missing right: patch configmaps",
    ("events", "create"): "no Event",
    ("events", "patch"): "missing right: patch events",
    ("nodes", "list"): "planning without an inventory",
    ("pods", "list"): "counting all GPUs as free",
    ("resourcequotas", "list"): "planning without quotas",
    ("persistentvolumeclaims", "get"): "missing right: get persistentvolumeclaims",
    ("namespaces", "get"): "missing right: get namespaces",
    ("secrets", "get"): "whether secrets exist is not looked at",
    ("jobs", "get"): "missing right: get jobs",
    ("validatingwebhookconfigurations", "list"): "missing right: list validatingwebhookconfigurations",
    ("deployments", "list"): "missing right: list deployments",
    ("leases", "create"): "cannot create resource",
    ("leases", "get"): "cannot get resource",
    ("leases", "update"): "cannot update resource",
}
"""Right -> what the log says where it is missing."""


@pytest.fixture
def restricted(cluster: Cluster) -> Identity:
    """A service account of this test alone, to which nothing is granted yet."""
    return cluster.identity(f"short-{secrets.token_hex(3)}")


def without(objects: list[chart.Object], resource: str, verb: str) -> list[chart.Object]:
    """The same roles less one right, under names of their own."""
    less, own = copy.deepcopy(objects), secrets.token_hex(3)
    for body in less:
        body["metadata"]["name"] += f":{own}"
        if "roleRef" in body:
            body["roleRef"]["name"] += f":{own}"
        for rule in body.get("rules", ()):
            if resource in rule["resources"]:
                rule["verbs"] = [allowed for allowed in rule["verbs"] if allowed != verb]
        if "rules" in body:
            body["rules"] = [rule for rule in body["rules"] if rule["verbs"]]
    return less


def test_every_rendered_right_is_one_whose_loss_is_known() -> None:
    rules = [rule for body in chart.rights("operator") for rule in body.get("rules", ())]

    rendered = {(resource, verb) for rule in rules for resource in rule["resources"] for verb in rule["verbs"]}

    assert rendered == NEEDED.keys()


@pytest.fixture
def begin(
    request: pytest.FixtureRequest, restricted: Identity, user: User, tmp_path: Path
) -> Iterator[Callable[[], Path]]:
    """Starts the controller under that account, and answers with its log; it may never become ready."""
    log = tmp_path / "operator.log"
    flags = ["--namespace", user.namespace, f"--lease={chart.LEASE}"]
    operator = OperatorProcess(restricted, flags, log=log)
    request.config.stash.setdefault(LOGS, []).append(log)

    def start() -> Path:
        operator.begin()
        return log

    yield start
    operator.close()
    request.config.stash[LOGS].remove(log)


@pytest.mark.parametrize("right", NEEDED, ids="-".join)
def test_a_right_that_is_taken_away_is_missed_by_name(
    right: tuple[str, str], cluster: Cluster, restricted: Identity, begin: Callable[[], Path], user: User
) -> None:
    account = restricted.user.rpartition(":")[2]
    cluster.kubectl("-n", HOME, "delete", "lease", chart.LEASE.partition("/")[2], "--ignore-not-found")
    cluster.apply(*without(chart.rights(account), *right))
    log = begin()

    user.apply(with_spec(example("01", "r"), autoApply=True))

    eventually(lambda: NEEDED[right] in log.read_text(), f"{' '.join(right)} to be missed", seconds=40)
    assert "Traceback" not in log.read_text()
