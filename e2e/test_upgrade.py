"""From the previous chart to this one and back, with fifty requests in every phase: nothing that serves is touched."""

from __future__ import annotations

import secrets
from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from dgdr_operator.controller import options
from e2e import audit, chart, definitions, former
from e2e.audit import Write
from e2e.cluster import HOME, OURS, Cluster, Identity
from e2e.former import GRAPHS, PHASES, REQUESTS, Left, Version, sort_of
from e2e.operator_process import OperatorProcess
from e2e.saying import Say
from e2e.user import VERSION
from e2e.waiting import eventually
from tests.cluster.stage.ground import administrator

COPIES = 50
GOES_ON = "planning"
"""The sort of request that is in the middle of something: it gets its graph."""
UNKNOWN = "paused"
"""The sort of request that the previous version takes for another one."""
AFTERWARDS = {**PHASES, GOES_ON: "Deploying"}
PATIENCE = 120.0
GONE: Version = ("", -1)

Object = dict[str, Any]


@dataclass(frozen=True, slots=True, kw_only=True)
class Seen:
    """What a version did: the phases it left, its writes, and the versions of what stood before and after it."""

    phases: Mapping[str, str]
    writes: list[Write]
    before: Mapping[str, Version]
    after: Mapping[str, Version]

    def statuses(self) -> Counter[str]:
        """How often each status was written."""
        return Counter(write.name for write in self.writes if write.resource == f"{REQUESTS}/status")

    def touched(self) -> set[str]:
        """What stood before and was written to."""
        return {name for name, was in self.before.items() if self.after.get(name) != was}

    def changed(self) -> set[str]:
        """What stood before and says something else, so that pods would move."""
        return {name for name, was in self.before.items() if self.after.get(name, GONE)[1] != was[1]}


@pytest.fixture(scope="module")
def left(cluster: Cluster, crds: definitions.Origin) -> Iterator[Left]:
    """What the previous version left: fifty requests of every sort."""
    if crds.version != VERSION:
        pytest.skip("the previous version wrote its graphs in the other version")
    name = f"t-{secrets.token_hex(3)}"
    cluster.kubectl("create", "namespace", name)
    yield Left(administrator(cluster), name, COPIES)
    cluster.kubectl("delete", "namespace", name, "--wait=false")


Work = Callable[..., Seen]


@pytest.fixture(scope="module")
def work(
    cluster: Cluster, left: Left, identities: Mapping[str, Identity], tmp_path_factory: pytest.TempPathFactory
) -> Work:
    """Lets one version work on what is there until it has nothing to do, and tells what it did."""

    def done(flags: list[str], **more: Path) -> Seen:
        log = tmp_path_factory.mktemp("logs") / "operator.log"
        before, since = left.versions(), audit.mark(cluster)
        flags = ["--namespace", left.namespace, *flags]
        process = OperatorProcess(identities["operator"], flags, log=log, **more)

        def writes() -> list[Write]:
            found = audit.writes(cluster, since, user=process.user)
            return [write for write in found if write.namespace == left.namespace]

        try:
            process.start()
            eventually(lambda: settled(left), "every plan", seconds=PATIENCE)
            eventually(still(writes), "the writes to end", seconds=PATIENCE, pause=2.0)
        finally:
            process.stop()
        phases = {name: body["status"]["phase"] for name, body in left.requests().items()}
        return Seen(phases=phases, writes=writes(), before=before, after=left.versions())

    return done


def settled(left: Left) -> bool:
    """Whether no request is in the middle of something."""
    return "Profiling" not in {body["status"]["phase"] for body in left.requests().values()}


def still(writes: Callable[[], list[Write]]) -> Callable[[], bool]:
    """Whether nothing was written since the last look."""
    counts = [-1]

    def look() -> bool:
        counts.append(len(writes()))
        return counts[-1] == counts[-2]

    return look


def upgraded(cluster: Cluster) -> list[Object]:
    """What `helm upgrade` does: this chart's objects are applied, and those that only the previous one had deleted."""
    return replaced(cluster, former.released(), present())


def present() -> list[Object]:
    """The objects of this chart."""
    return chart.rendered(serviceAccount={"create": False, "name": "operator"}, crds={"check": False})


def replaced(cluster: Cluster, before: list[Object], after: list[Object]) -> list[Object]:
    """From the objects of one chart to those of another, without what would start pods; answers with *after*."""
    old, new = (
        [_labelled(b) for b in objects if b["kind"] not in {"Deployment", "Service"}] for objects in (before, after)
    )
    cluster.apply(*old)
    cluster.apply(*new)
    kept = {(body["kind"], body["metadata"]["name"]) for body in new}
    for body in old:
        if (body["kind"], body["metadata"]["name"]) not in kept:
            cluster.kubectl("-n", HOME, "delete", body["kind"], body["metadata"]["name"])
    return after


@contextmanager
def downgraded(cluster: Cluster) -> Iterator[list[Object]]:
    """What `helm rollback` does, for a while: the controller has the rights of the previous chart only."""
    now = present()
    try:
        yield replaced(cluster, now, former.released())
    finally:
        replaced(cluster, former.released(), now)


def _labelled(body: Object) -> Object:
    metadata = body["metadata"]
    return {**body, "metadata": {**metadata, "labels": {**metadata.get("labels", {}), OURS: "true"}}}


def arguments(objects: list[Object]) -> list[str]:
    """The command line of the controller."""
    (container,) = chart.of_kind(objects, "Deployment")["spec"]["template"]["spec"]["containers"]
    return list(container["args"])


@pytest.fixture(scope="module")
def upgrade(cluster: Cluster, work: Work) -> Seen:
    """What this version does in the place of the previous one."""
    flags = arguments(upgraded(cluster))
    return work([flag for flag in flags if flag.startswith(("--writes", "--log", "--lease"))])


@pytest.fixture(scope="module")
def downgrade(cluster: Cluster, work: Work, upgrade: Seen, tmp_path_factory: pytest.TempPathFactory) -> Seen:
    """What the previous version does when it comes back."""
    del upgrade  # from there
    try:
        source = former.source(tmp_path_factory.mktemp("former"))
    except former.NoHistory as error:
        pytest.skip(str(error))
    with downgraded(cluster) as objects:
        flags = [flag for flag in arguments(objects) if flag.startswith(("--estimators", "--log"))]
        return work(flags, source=source)


def test_after_an_upgrade_every_request_is_where_it_was_and_what_was_begun_goes_on(upgrade: Seen) -> None:
    found = Counter((sort_of(name), phase) for name, phase in upgrade.phases.items())

    assert found == dict.fromkeys(AFTERWARDS.items(), COPIES)


def test_an_upgrade_touches_no_graph_and_no_status_twice(upgrade: Seen, say: Say) -> None:
    statuses = upgrade.statuses()
    settled = Counter({name: count for name, count in statuses.items() if sort_of(name) != GOES_ON})

    assert upgrade.touched() == set()
    assert {sort_of(write.name) for write in upgrade.writes if write.resource == GRAPHS} == {GOES_ON}
    assert {name: count for name, count in settled.items() if count > 1} == {}
    say(f"upgrade with {len(upgrade.phases)} requests: {settled.total()} status writes, 0 to the graphs that stood")


def test_a_downgrade_touches_no_graph_and_no_status_twice(downgrade: Seen, say: Say) -> None:
    """The previous version knows nothing of pausing: it plans anew what is paused, and finds what stands."""
    statuses = Counter({name: n for name, n in downgrade.statuses().items() if sort_of(name) != UNKNOWN})

    assert {name for name in downgrade.touched() if sort_of(name) != UNKNOWN} == set()
    assert {sort_of(write.name) for write in downgrade.writes if write.resource == GRAPHS} <= {UNKNOWN}
    assert downgrade.changed() == set()
    assert {name: count for name, count in statuses.items() if count > 1} == {}
    say(f"and back: {statuses.total()} status writes, 0 to the graphs that stood, those of paused requests apart")


def test_the_previous_command_line_is_still_understood() -> None:
    chosen = options.read(arguments(former.released()))

    assert (chosen.namespace, chosen.lease, chosen.metrics_port) == (None, None, None)


def test_the_previous_labels_still_select_the_pods() -> None:
    """A selector cannot be changed in place: `helm upgrade` would fail on it."""
    before, now = (chart.of_kind(objects, "Deployment") for objects in (former.released(), chart.rendered()))

    assert before["spec"]["selector"] == now["spec"]["selector"]
    assert before["metadata"]["name"] == now["metadata"]["name"]
