"""C02: an estimator process is killed, again and again, or stopped in its tracks."""

from __future__ import annotations

import os
import signal
from contextlib import suppress
from pathlib import Path

import pytest

from tests.cluster.stage.stage import Stage


def estimators(stage: Stage) -> list[int]:
    """The processes that plan: grandchildren of the controller, behind the server that forks them."""
    others = [pid for pid in stage.replica.processes() if pid != stage.replica.pid]
    return [pid for pid in others if _parent(pid) in others]


def _parent(pid: int) -> int:
    with suppress(FileNotFoundError, ProcessLookupError):
        return int(Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[1])
    return 0


@pytest.mark.chaos
def test_c02_a_killed_estimator_is_replaced_and_neighbours_get_their_plans(stage: Stage) -> None:
    stage.ask("before")
    stage.settled("before")
    victims = estimators(stage)

    for pid in victims:
        os.kill(pid, signal.SIGKILL)
    names = [f"r{number}" for number in range(4)]
    for number, name in enumerate(names):
        stage.ask(name, workload={"isl": 2000 + number, "osl": 300})

    assert victims
    stage.settled(*names)
    assert stage.replica.probe("healthz") == 200


@pytest.mark.chaos
def test_c02_an_estimator_that_dies_at_every_question_fails_the_request_and_not_the_controller(stage: Stage) -> None:
    stage.ask("kept")
    stage.settled("kept")
    stage.ask("poison", workload={"isl": 3111, "osl": 311}, backend="auto")
    for _ in range(200):
        for pid in estimators(stage):
            with suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)
        if stage.phase("poison") in ("Failed", "Deployed", "Deploying"):
            break

    stage.eventually(lambda: stage.phase("poison") in ("Failed", "Deployed", "Deploying"), "an end")
    stage.ask("after", workload={"isl": 3222, "osl": 322})
    stage.settled("after", "kept")
