"""The rights that the chart renders are enough, and each of them is needed: what breaks without it is said by name."""

from __future__ import annotations

import copy
import secrets
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from e2e import chart, definitions
from e2e.cluster import Cluster, Identity
from e2e.conftest import LOGS
from e2e.operator_process import OperatorProcess
from e2e.user import User, example, user_of, with_spec
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
    ("configmaps", "get"): "missing right: get configmaps",
    ("configmaps", "create"): "missing right: create configmaps",
    ("configmaps", "patch"): "missing right: patch configmaps",
    ("events", "create"): "no Event",
    ("nodes", "list"): "planning without an inventory",
}
"""Right -> what the log says where it is missing."""


@pytest.fixture
def user(cluster: Cluster, namespace: str, crds: definitions.Origin) -> Iterator[User]:
    """Someone who uses the controller in this test's namespace."""
    del crds  # must be there, is not looked at
    with user_of(cluster, namespace) as found:
        yield found


@pytest.fixture
def restricted(cluster: Cluster) -> Identity:
    """A service account of this test alone, to which nothing is granted yet."""
    return cluster.identity(f"short-{secrets.token_hex(3)}")


def without(objects: list[chart.Object], resource: str, verb: str) -> list[chart.Object]:
    """The same roles less one right, under names of their own."""
    less = copy.deepcopy(objects)
    role, binding = less
    name = f"{role['metadata']['name']}:{secrets.token_hex(3)}"
    for rule in role["rules"]:
        if resource in rule["resources"]:
            rule["verbs"] = [allowed for allowed in rule["verbs"] if allowed != verb]
    role["rules"] = [rule for rule in role["rules"] if rule["verbs"]]
    role["metadata"]["name"] = binding["metadata"]["name"] = binding["roleRef"]["name"] = name
    return less


def test_every_rendered_right_is_one_whose_loss_is_known() -> None:
    role = chart.of_kind(chart.rights("operator"), "ClusterRole")

    rendered = {(resource, verb) for rule in role["rules"] for resource in rule["resources"] for verb in rule["verbs"]}

    assert rendered == NEEDED.keys()


@pytest.fixture
def begin(
    request: pytest.FixtureRequest, restricted: Identity, user: User, tmp_path: Path
) -> Iterator[Callable[[], Path]]:
    """Starts the controller under that account, and answers with its log; it may never become ready."""
    log = tmp_path / "operator.log"
    operator = OperatorProcess(restricted, ["--namespace", user.namespace], log=log)
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
    cluster.apply(*without(chart.rights(account), *right))
    log = begin()

    user.apply(with_spec(example("01", "r"), autoApply=True))

    eventually(lambda: NEEDED[right] in log.read_text(), f"{' '.join(right)} to be missed", seconds=40)
    assert "Traceback" not in log.read_text()
