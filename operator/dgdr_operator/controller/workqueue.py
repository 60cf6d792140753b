"""Keys waiting for work: at most once in the queue, in one pair of hands each, later after each failure.

The ledger is plain arithmetic on a time that is passed in; the queue around it only waits.
"""

import asyncio
import heapq
import random
from collections import defaultdict
from collections.abc import Callable
from dataclasses import dataclass, field

from dgdr_operator.controller import metrics

Key = tuple[str, str]
"""Namespace and name of a request."""

FIRST_DELAY = 0.5
"""Seconds until the first retry; every further one waits twice as long."""
JITTER = 0.2
"""Share by which a delay is made longer or shorter at random, so that failures do not return in step."""
OVERDUE = 30.0
"""Seconds after which a second look goes first: where new requests never end, nobody waits for ever."""


@dataclass(slots=True)
class Ledger:
    """Who waits, who is in hand, who comes back when. Times are seconds on any clock that never goes back."""

    ready: dict[Key, None] = field(default_factory=dict)
    late: dict[Key, float] = field(default_factory=dict)
    waiting: list[tuple[float, Key]] = field(default_factory=list)
    in_hand: dict[Key, float] = field(default_factory=dict)
    failures: dict[Key, int] = field(default_factory=dict)
    held: dict[Key, float] = field(default_factory=dict)
    _again: set[Key] = field(default_factory=set)
    _alarms: defaultdict[Key, set[float]] = field(default_factory=lambda: defaultdict(set))

    def add(self, key: Key, *, late: float | None = None) -> None:
        """Queues *key* once; if it is in hand, it comes back when it is put down.

        Who comes *late*, at that time, for another try or another look, goes behind all that have news until that is
        `OVERDUE`, and moves up with news.
        """
        if key in self.in_hand:
            self._again.add(key)
        elif late is None:
            self.late.pop(key, None)
            self.ready.setdefault(key)
        elif key not in self.ready:
            self.late.setdefault(key, late)

    def add_at(self, key: Key, when: float) -> None:
        """Queues *key* at *when*, unless it is taken before: whoever works on it says anew when to look again."""
        self._alarms[key].add(when)
        heapq.heappush(self.waiting, (when, key))

    def take(self, now: float) -> Key | None:
        """The next key, now in the caller's hands, or None."""
        while self.waiting and self.waiting[0][0] <= now:
            when, key = heapq.heappop(self.waiting)
            if when in self._alarms.get(key, ()):
                self._alarms[key].discard(when)
                self.add(key, late=now)
        while line := self._line(now):
            key = next(iter(line))
            del line[key]
            if self.held.get(key, now) <= now:
                self.held.pop(key, None)
                self._alarms.pop(key, None)
                self.in_hand[key] = now
                return key
        return None

    def _line(self, now: float) -> dict[Key, None] | dict[Key, float]:
        """The line whose first key is next."""
        overdue = now - next(iter(self.late.values()), now) >= OVERDUE
        return self.late if overdue else self.ready or self.late

    def done(self, key: Key) -> None:
        """Puts *key* down; its failures are forgotten."""
        self.failures.pop(key, None)
        self._put_down(key)

    def failed(self, key: Key, now: float, *, cap: float, least: float = 0.0, jitter: float = 0.0) -> float:
        """Puts *key* down to come back after a delay, which is returned; *jitter* is a share of it, -1 to 1.

        Nothing brings it back before *least* is over: that is what the server asked for, whatever else happens.
        """
        tries = self.failures.get(key, 0)
        self.failures[key] = tries + 1
        delay = max(least, min(cap, FIRST_DELAY * 2.0 ** min(tries, 32)) * (1 + jitter))
        self._put_down(key)
        if least:
            self.held[key] = now + delay
        self.add_at(key, now + delay)
        return delay

    def next_time(self) -> float | None:
        """When the next waiting key is due."""
        return self.waiting[0][0] if self.waiting else None

    def __len__(self) -> int:
        return len(self.ready) + len(self.late)

    def _put_down(self, key: Key) -> None:
        del self.in_hand[key]
        if key in self._again:
            self._again.discard(key)
            self.add(key)


class Workqueue:
    """The ledger with somebody waiting at it; lives in one event loop."""

    def __init__(self, seconds: Callable[[], float]) -> None:
        self.ledger = Ledger()
        self._seconds = seconds
        self._changed = asyncio.Event()
        self._closed = False
        self._since: dict[Key, float] = {}

    def add(self, key: Key, *, late: bool = False) -> None:
        """Queues *key* now; *late*: behind all that have news."""
        metrics.QUEUE_ADDS.labels(metrics.NAME, metrics.NAME).inc()
        self._since.setdefault(key, self._seconds())
        self.ledger.add(key, late=self._seconds() if late else None)
        self._changed.set()

    def add_after(self, key: Key, delay: float) -> None:
        """Queues *key* after *delay* seconds."""
        self.ledger.add_at(key, self._seconds() + delay)
        self._changed.set()

    def close(self) -> None:
        """No key is handed out any more."""
        self._closed = True
        self._changed.set()

    async def take(self) -> Key | None:
        """The next key, as soon as there is one; None when the queue is closed."""
        while not self._closed:
            now = self._seconds()
            key = self.ledger.take(now)
            if key is not None:
                waited = now - self._since.pop(key, now)
                metrics.QUEUE_SECONDS.labels(metrics.NAME, metrics.NAME).observe(waited)
                return key
            self._changed.clear()
            due = self.ledger.next_time()
            await _wait(self._changed, None if due is None else due - now)
        return None

    def done(self, key: Key) -> None:
        """The work on *key* succeeded."""
        self.ledger.done(key)
        self._changed.set()

    def failed(self, key: Key, *, cap: float, least: float = 0.0) -> float:
        """The work on *key* failed: it comes back after the returned seconds, at most *cap*, at least *least*."""
        delay = self.ledger.failed(key, self._seconds(), cap=cap, least=least, jitter=random.uniform(-JITTER, JITTER))
        self._changed.set()
        return delay


async def _wait(event: asyncio.Event, seconds: float | None) -> None:
    try:
        async with asyncio.timeout(seconds):
            await event.wait()
    except TimeoutError:
        pass
