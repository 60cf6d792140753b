"""Round numbers for the axis of a chart."""

from dataclasses import dataclass
from math import ceil, floor, log10

_ROUND = (1.0, 2.0, 2.5, 5.0, 10.0)


@dataclass(frozen=True, slots=True, kw_only=True)
class Scale:
    """An axis from *low* to *high*, both multiples of *step*, mapped to the cells 0 .. cells - 1."""

    low: float
    high: float
    step: float

    def cell(self, value: float, cells: int) -> int:
        """The cell that shows *value*, kept inside the axis."""
        share = (value - self.low) / (self.high - self.low)
        return min(max(round(share * (cells - 1)), 0), cells - 1)

    def ticks(self) -> list[float]:
        """The round numbers on the axis, ascending."""
        return [self.low + index * self.step for index in range(round((self.high - self.low) / self.step) + 1)]


def around(low: float, high: float, intervals: int) -> Scale:
    """The axis with about *intervals* round steps that covers low .. high (both finite, low <= high)."""
    span = (high - low) or abs(high) or 1.0
    rough = span / intervals
    unit = 10.0 ** floor(log10(rough))
    step = next(unit * factor for factor in _ROUND if unit * factor >= rough * (1 - 1e-9))
    first = floor(low / step + 1e-9) * step
    last = ceil(high / step - 1e-9) * step
    return Scale(low=first, high=last if last > first else first + step, step=step)
