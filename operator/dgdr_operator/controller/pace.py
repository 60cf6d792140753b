"""How fast the process may write: a ceiling over all writes, so that a fault of ours never floods the cluster."""

from dataclasses import dataclass

WRITES_PER_SECOND = 250.0
"""Two writes for each of a thousand requests that arrive at once fit into ten seconds; see decision 0009."""
BURST_SECONDS = 2.0
"""Seconds' worth of writes that may follow each other at once after a rest."""

_ROUNDING = 1e-6


@dataclass(slots=True)
class Bucket:
    """Tokens that come at *rate* per second; those of *burst* seconds are kept. Times are seconds on any clock.

    Holds one number: when the last token handed out would have been due had there been no burst.
    """

    rate: float = WRITES_PER_SECOND
    burst: float = BURST_SECONDS
    _due: float = float("-inf")

    def take(self, now: float) -> float:
        """Takes the next token; answers with the seconds until it is there."""
        self._due = max(self._due, now - self.burst) + 1 / self.rate
        return max(0.0, self._due - now)

    def afford(self, now: float) -> bool:
        """Takes the next token if it is there."""
        if max(self._due, now - self.burst) + 1 / self.rate > now + _ROUNDING:
            return False
        self.take(now)
        return True
