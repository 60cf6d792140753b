"""The controller with its long waits made short: `python -m tests.cluster.stage.hurried sweep.PERIOD=5 ... -- FLAGS`.

A test of ten minutes is a test that nobody runs. What changes is how long it waits, never what it does.
"""

from __future__ import annotations

import sys
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from importlib import import_module

from dgdr_operator.controller import run
from dgdr_operator.controller.clock import Clock

SKEW = "SKEW"
"""Stands for no constant: seconds by which the wall clock of this process is wrong."""


def main(arguments: Sequence[str]) -> int:
    """Changes the named constants of controller rooms, then runs with what stands behind `--`."""
    split = arguments.index("--")
    for change in arguments[:split]:
        name, _, value = change.partition("=")
        if name == SKEW:
            _skew(timedelta(seconds=float(value)))
            continue
        room, _, constant = name.partition(".")
        module = import_module(f"dgdr_operator.controller.{room}")
        if not isinstance(getattr(module, constant), int | float):
            raise SystemExit(f"{name} is no number")
        before = getattr(module, constant)
        setattr(module, constant, type(before)(float(value)))
    return run.main(arguments[split + 1 :])


def _skew(by: timedelta) -> None:
    def wrong() -> str:
        return (datetime.now(UTC) + by).strftime("%Y-%m-%dT%H:%M:%SZ")

    def skewed() -> Clock:
        return Clock(timestamp=wrong)

    vars(run)["Clock"] = skewed


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
