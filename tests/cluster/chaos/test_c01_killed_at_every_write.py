"""C01: the controller is killed before and after every one of its writes."""

from __future__ import annotations

import threading
from collections import Counter
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from functools import partial

import pytest

from dgdr_operator.planned import PLAN
from tests.cluster.stage.stage import Stage
from tests.fakes.asked import Asked, Fault


class Fate:
    """What happens to one namespace: its *count*-th write is cut off, done or undone, and nothing passes after it."""

    def __init__(self, namespace: str, count: int, *, done: bool) -> None:
        self.namespace = namespace
        self.met = threading.Event()
        self._left = count
        self._done = done

    def __call__(self, asked: Asked) -> Fault | None:
        if asked.namespace != self.namespace or not (asked.writes or self.met.is_set()):
            return None
        if self.met.is_set():
            return Fault(cut=True)
        self._left -= 1
        if self._left:
            return None
        self.met.set()
        return Fault(cut=True, after=self._done)


@contextmanager
def namespaces(stage: Stage, count: int) -> Iterator[list[str]]:
    """Namespaces of the test's own, beside its first one."""
    with ExitStack() as stack:
        names = [f"{stage.namespace}-{number}" for number in range(count)]
        for name in names:
            stage.api.create("namespaces", {"metadata": {"name": name}})
            stack.callback(stage.api.delete, "namespaces", "", name)
        yield names


@pytest.mark.chaos
def test_c01_killed_before_and_after_every_write_it_goes_on_where_it_was(stage: Stage) -> None:
    stage.ask()
    stage.settled()
    assert stage.quiet(0.5) == []
    points = [(count, done) for count in range(1, len(stage.writes()) + 1) for done in (False, True)]
    with namespaces(stage, len(points)) as places:
        fates = [Fate(place, *point[:1], done=point[1]) for place, point in zip(places, points, strict=True)]
        stage.proxy.fault = lambda asked: next(filter(None, (fate(asked) for fate in fates)), None)
        for place in places:
            stage.ask(namespace=place)
        stage.eventually(lambda: sum(fate.met.is_set() for fate in fates) >= len(fates) - 2, "the writes to be reached")

        stage.replica.kill()
        stage.proxy.calm()
        stage.replica.start()

        for place in places:
            stage.eventually(partial(stage.right, namespace=place), f"{place} to be served as planned")
            (graph,) = stage.graphs(place)
            report = stage.api.get("configmaps", place, "dgdr-report-chat") or {"data": {}}
            assert report["data"].get("plan-hash") == graph["metadata"]["annotations"][PLAN]
            told = Counter((one["reason"], one["note"]) for one in stage.api.list("events", place)["items"])
            assert max(told.values(), default=0) <= 1, told
