"""What a child process of a test may be asked to do; importable, because it is sent by name."""

from __future__ import annotations

import os
import time
from pathlib import Path

from dgdr_operator.controller.answers import Refused
from dgdr_operator.controller.estimation import Job
from dgdr_operator.planned import Planned
from tests.reconciling import worlds


def plans(job: Job) -> Planned | Refused:
    """Answers; the model's name says what with."""
    said = job.body["spec"]["model"]
    if said == "crash":
        os._exit(9)
    if said == "fault":
        raise ZeroDivisionError("by zero")
    if said == f"fault in {job.body['metadata']['name']}":
        raise ZeroDivisionError("by zero")
    if said == "hang":
        time.sleep(600)
    if said.startswith("crash once, mark "):
        _crash_the_first_time(Path(said.removeprefix("crash once, mark ")))
    return Planned(
        graph=worlds.graph(), summary=str(os.getpid()), fabric=(True, "NotRequired", ""), report=f"on {said}".encode()
    )


def _crash_the_first_time(mark: Path) -> None:
    if not mark.exists():
        mark.touch()
        os._exit(9)
