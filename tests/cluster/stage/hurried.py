"""The controller with its long waits made short: `python -m tests.cluster.stage.hurried sweep.PERIOD=5 ... -- FLAGS`.

A test of ten minutes is a test that nobody runs. What changes is how long it waits, never what it does.
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Sequence
from datetime import UTC, datetime, timedelta
from importlib import import_module
from typing import TYPE_CHECKING, Any

from dgdr_operator.controller import run
from dgdr_operator.controller.clock import Clock

if TYPE_CHECKING:
    import kopf


def main(arguments: Sequence[str]) -> int:
    """Changes the named constants of controller rooms, then runs with what stands behind `--`."""
    split = arguments.index("--")
    for change in arguments[:split]:
        name, _, value = change.partition("=")
        if name in SPECIAL:
            SPECIAL[name](float(value))
            continue
        room, _, constant = name.partition(".")
        module = import_module(f"dgdr_operator.controller.{room}")
        if not isinstance(getattr(module, constant), int | float):
            raise SystemExit(f"{name} is no number")
        before = getattr(module, constant)
        setattr(module, constant, type(before)(float(value)))
    return run.main(arguments[split + 1 :])


def _skew(seconds: float) -> None:
    """The wall clock of this process is wrong."""

    def wrong() -> str:
        return (datetime.now(UTC) + timedelta(seconds=seconds)).strftime("%Y-%m-%dT%H:%M:%SZ")

    def skewed() -> Clock:
        return Clock(timestamp=wrong)

    vars(run)["Clock"] = skewed


def _haste(share: float) -> None:
    """The watch is patient for this share of its times only."""

    def hasty(chosen: kopf.OperatorSettings) -> None:
        watching = chosen.watching
        watching.inactivity_timeout *= share
        if watching.server_timeout and watching.client_timeout:
            watching.server_timeout = round(watching.server_timeout * share)
            watching.client_timeout *= share

    _choosing(hasty)


def _library() -> Any:  # noqa: ANN401 -- a module
    """The watch library, loaded only where something of it is changed: the controller itself loads it late."""
    return import_module("kopf")


def _kill(seconds: float) -> None:
    """The watch library, left to itself, kills a process that takes longer to end."""
    vars(type(_library().OperatorSettings().process))["__init__"].__defaults__ = (seconds,)


def _unguarded(_: float) -> None:
    """It is left to itself in that."""

    def let(chosen: kopf.OperatorSettings) -> None:
        chosen.process = _library().OperatorSettings().process

    _choosing(let)


def _choosing(change: Callable[[kopf.OperatorSettings], None]) -> None:
    """What the doorbell chooses for the watch library is changed."""
    doorbell = import_module("dgdr_operator.controller.doorbell")
    choose = doorbell.settings

    def changed() -> kopf.OperatorSettings:
        chosen: kopf.OperatorSettings = choose()
        change(chosen)
        return chosen

    vars(doorbell)["settings"] = changed


SPECIAL = {"SKEW": _skew, "HASTE": _haste, "KILL": _kill, "UNGUARDED": _unguarded}
"""What is no constant."""


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
