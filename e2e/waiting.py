"""Waiting for something to become true, with words for the case that it does not."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import TypeVar

T = TypeVar("T")


def eventually(look: Callable[[], T], what: str, *, seconds: float = 30.0, pause: float = 0.05) -> T:
    """Polls *look* until it answers something true, and answers with that; AssertionError names *what* was awaited."""
    deadline = time.monotonic() + seconds
    while not (seen := look()):
        if time.monotonic() > deadline:
            raise AssertionError(f"waited {seconds:g} s for {what}; last seen: {seen!r}")
        time.sleep(pause)
    return seen
