"""What every benchmark of the controller needs to print a figure: patience, processor time, and a voice."""

from __future__ import annotations

import os
import sys
import time
from collections.abc import Callable
from pathlib import Path

from e2e.operator_process import Controller

LIMIT = 300.0


def say(sentence: str) -> None:
    """Prints a figure."""
    sys.stdout.write(f"{sentence}\n")
    sys.stdout.flush()


def waited(look: Callable[[], object], since: float) -> float:
    """The seconds from *since* until *look* is true. Raises TimeoutError."""
    while not look():
        if time.monotonic() - since > LIMIT:
            raise TimeoutError("the controller did not get there")
        time.sleep(0.05)
    return time.monotonic() - since


def processor(pid: int) -> float:
    """Seconds of processor time of one process."""
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def counted(controller: Controller, name: str) -> float:
    """A metric, 0 while nobody answers."""
    try:
        return controller.metric(name)
    except OSError:
        return 0.0
