"""The controller as a process: it becomes ready with the rights it is given, ends in order, and comes back."""

from __future__ import annotations

from e2e import audit
from e2e.cluster import Cluster
from e2e.operator_process import OperatorProcess
from e2e.waiting import eventually


def test_it_becomes_ready_and_has_written_nothing(cluster: Cluster, operator: OperatorProcess) -> None:
    operator.stop()
    since = audit.mark(cluster)

    operator.start()

    assert operator.ready()
    assert audit.writes(cluster, since, user=operator.user) == []


def test_it_ends_in_order_when_asked_to(operator: OperatorProcess) -> None:
    assert operator.stop() == 0
    assert "Traceback" not in operator.words()


def test_it_comes_back_after_a_crash(operator: OperatorProcess) -> None:
    first = operator.pid
    operator.kill()
    assert not operator.running

    operator.start()

    assert operator.pid != first
    assert operator.ready()


def test_a_crash_leaves_no_estimator_behind(operator: OperatorProcess) -> None:
    eventually(lambda: len(operator.processes()) > 1, "an estimator process to start")

    operator.kill()

    eventually(lambda: not operator.processes(), "every process of the controller to end", seconds=5)
