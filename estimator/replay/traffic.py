"""Who asks when, and for how much."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from estimator.errors import InvalidWorkload
from estimator.ops import Array, Counts


@dataclass(frozen=True, slots=True, kw_only=True)
class Traffic:
    """Requests in the order in which they are sent; arrays of shape (n,).

    isl, osl: tokens; times: seconds at which they are sent, ascending, or None: *clients* send one each at the start,
    and the next one whenever one is answered.
    """

    isl: Counts
    osl: Counts
    times: Array | None = None
    clients: int = 0

    def __post_init__(self) -> None:
        for name, lengths in (("isl", self.isl), ("osl", self.osl)):
            if not len(lengths) or lengths.min() < 1:
                raise InvalidWorkload(name, int(lengths.min()) if len(lengths) else "nothing", "at least 1 token")
        if self.times is None and self.clients < 1:
            raise InvalidWorkload("concurrency", self.clients, "at least 1 request in flight")


def lengths(nominal: int, count: int, *, spread: float = 0.0, dice: np.random.Generator) -> Counts:
    """*count* lengths, uniform from (1 - spread) x nominal to nominal tokens, ends included; never below one."""
    least = max(round(nominal * (1 - spread)), 1)
    return dice.integers(least, nominal, size=count, endpoint=True).astype(np.intp)


def poisson(rate: float, count: int, *, dice: np.random.Generator) -> Array:
    """Seconds at which *count* requests are sent that know nothing of each other, *rate* per second on average."""
    if rate <= 0:
        raise InvalidWorkload("requestRate", rate, "positive")
    return np.cumsum(dice.exponential(1 / rate, size=count))


def trace(rows: Sequence[tuple[float, int, int]]) -> Traffic:
    """The traffic of a list of (seconds, isl, osl), in any order; the clock starts at the first of them."""
    if not rows:
        raise InvalidWorkload("trace", "empty", "at least one request")
    ordered = sorted(rows, key=lambda row: row[0])
    times = np.array([row[0] for row in ordered], float)
    if not np.isfinite(times).all():
        raise InvalidWorkload("trace", "a time that is no number", "finite times")
    return Traffic(
        isl=np.array([row[1] for row in ordered], np.intp),
        osl=np.array([row[2] for row in ordered], np.intp),
        times=times - times[0],
    )
