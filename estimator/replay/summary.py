"""What happened to every request, and what that comes to."""

from dataclasses import dataclass

import numpy as np

from estimator.ops import Array, Counts, Mask


@dataclass(frozen=True, slots=True, kw_only=True)
class Spread:
    """Mean and percentiles of one time over requests, seconds."""

    mean: float
    p50: float
    p90: float
    p99: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Summary:
    """The figures of a run: itl is None when every answer has one token; rates over the middle half of the answers."""

    requests: int
    ttft: Spread
    itl: Spread | None
    latency: Spread
    request_rate: float
    tokens_per_second: float
    evictions: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Played:
    """Every request of a run, arrays of shape (n,) in the order sent: seconds sent, of first and last token; tokens.

    evictions: times that a request lost its cache to others and was computed again.
    """

    sent: Array
    first: Array
    done: Array
    osl: Counts
    evictions: int = 0

    @property
    def ttft(self) -> Array:
        """Seconds from sending to the first token."""
        return self.first - self.sent

    @property
    def latency(self) -> Array:
        """Seconds from sending to the last token."""
        return self.done - self.sent

    @property
    def itl(self) -> Array:
        """Mean seconds between the tokens of each request with more than one, in the order sent; shape (m,), m <= n."""
        several = self.osl > 1
        between: Array = (self.done - self.first)[several] / (self.osl[several] - 1)
        return between

    def steady(self) -> "Played":
        """The requests sent in the middle half: neither the first crowd nor the emptying at the end."""
        count = len(self.sent)
        return self._only(slice(count // 4, count - count // 4))

    def summary(self) -> Summary:
        """Means, percentiles and rates."""
        itl, rates = self.itl, self._rates()
        return Summary(
            requests=len(self.sent),
            ttft=_spread(self.ttft),
            itl=_spread(itl) if len(itl) else None,
            latency=_spread(self.latency),
            request_rate=rates[0],
            tokens_per_second=rates[1],
            evictions=self.evictions,
        )

    def _only(self, part: slice) -> "Played":
        return Played(sent=self.sent[part], first=self.first[part], done=self.done[part], osl=self.osl[part])

    def _rates(self) -> tuple[float, float]:
        """Requests and tokens per second while the middle half of the answers ended; of a short run, over all of it."""
        ended, quarter = np.sort(self.done), len(self.done) // 4
        began, until = ended[quarter], ended[-1 - quarter]
        inside: Mask = (self.done > began) & (self.done <= until)
        if not inside.any():
            began, inside = self.sent.min(), np.ones(len(ended), bool)
            until = ended[-1]
        seconds = float(until - began)
        return float(inside.sum()) / seconds, float(self.osl[inside].sum()) / seconds


def _spread(values: Array) -> Spread:
    p50, p90, p99 = np.percentile(values, [50, 90, 99])
    return Spread(mean=float(values.mean()), p50=float(p50), p90=float(p90), p99=float(p99))
