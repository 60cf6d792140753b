"""Time, injected: whoever needs it is handed one, so that tests can hand over another."""

import time
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime


def _timestamp() -> str:
    return datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


@dataclass(frozen=True, slots=True, kw_only=True)
class Clock:
    """seconds: a clock that never goes back; timestamp: the date and time as the API server writes them."""

    seconds: Callable[[], float] = time.monotonic
    timestamp: Callable[[], str] = _timestamp
