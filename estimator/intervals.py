"""How far measurements fall from predictions: quantiles of their ratio that hold for models and systems not yet seen.

Rows of one group (a model on a system) err alike, so a group is one experience, not many. Quantiles are conformal
(Vovk, Gammerman, Shafer, "Algorithmic Learning in a Random World", 2005) with whole groups held out: the tails are cut
where leaving each group out in turn covers the share that is asked for.
"""

from dataclasses import dataclass

import numpy as np

from estimator.ops import Array
from perf_db.accuracy import Band

LEVEL = 0.90
_PAIRS = 200
"""Pairs to keep: half a percent of probability each."""
_DRAWS, _SEED = 400, 20261121
_FEWEST = 2
"""Groups without which nothing can be left out."""
_TAILS = np.array([0.05, 0.04, 0.03, 0.02, 0.015, 0.01, 0.005, 0.0])
"""Shares cut off at either end, widest interval last: never narrower than the level itself asks for."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Residuals:
    """Natural logarithms of measured over predicted, shape (n,), and the group of each."""

    logs: Array
    groups: tuple[str, ...]

    def names(self) -> list[str]:
        """The groups, each once."""
        return sorted(set(self.groups))

    def split(self, group: str) -> tuple["Residuals", "Residuals"]:
        """Those outside of *group*, and those in it."""
        inside = np.array([one == group for one in self.groups])
        others = tuple(one for one in self.groups if one != group)
        return (
            Residuals(logs=self.logs[~inside], groups=others),
            Residuals(logs=self.logs[inside], groups=(group,) * int(inside.sum())),
        )


def band(residuals: Residuals) -> Band | None:
    """The interval learned from all *residuals*, its coverage from leaving out whole groups; None for less than two."""
    if len(residuals.names()) < _FEWEST:
        return None
    inside = _held_out(residuals)
    low, high = _ends(residuals)
    return Band(
        low=float(np.exp(low)),
        high=float(np.exp(high)),
        rows=len(residuals.logs),
        groups=len(residuals.names()),
        coverage=float(np.mean(inside)),
    )


def _held_out(residuals: Residuals) -> Array:
    """1 for every row that an interval learned without its group covers, tails chosen without it too."""
    found: list[Array] = []
    for group in residuals.names():
        others, own = residuals.split(group)
        low, high = _ends(others)
        found.append(((low <= own.logs) & (own.logs <= high)).astype(float))
    return np.concatenate(found)


def _ends(residuals: Residuals) -> tuple[float, float]:
    """The quantiles at the largest tail that covers LEVEL of the rows of groups left out one by one."""
    low, high = _quantiles(residuals)
    names = residuals.names()
    if len(names) < _FEWEST:
        return float(low[-1]), float(high[-1])
    inside = np.zeros(len(_TAILS))
    for group in names:
        others, own = residuals.split(group)
        least, most = _quantiles(others)
        inside += ((least <= own.logs[:, None]) & (own.logs[:, None] <= most)).sum(axis=0)
    enough = np.flatnonzero(inside / len(residuals.logs) >= LEVEL)
    chosen = int(enough[0]) if enough.size else len(_TAILS) - 1
    return float(low[chosen]), float(high[chosen])


def _quantiles(residuals: Residuals) -> tuple[Array, Array]:
    """Lower and upper quantiles at every tail, shape (len(_TAILS),)."""
    return np.quantile(residuals.logs, _TAILS), np.quantile(residuals.logs, 1 - _TAILS)


def widening(doubtful: Residuals, sure: Residuals) -> float:
    """How many times further measurements fall from doubtful predictions than from sure ones, at LEVEL; at least 1.

    Few groups have doubtful predictions, so the ratio is what it could be had others been measured: the upper end of
    its distribution over groups drawn anew (bootstrap), at LEVEL.
    """
    if not len(doubtful.logs) or not len(sure.logs):
        return 1.0
    usual = float(np.quantile(np.abs(sure.logs), LEVEL))
    if usual <= 0:
        return 1.0
    dice = np.random.default_rng(_SEED)
    names = doubtful.names()
    own = [np.abs(doubtful.split(name)[1].logs) for name in names]
    drawn = [
        np.quantile(np.concatenate([own[index] for index in dice.integers(len(names), size=len(names))]), LEVEL)
        for _ in range(_DRAWS)
    ]
    return max(float(np.quantile(drawn, LEVEL)) / usual, 1.0)


def joint(logs: Array, bands: tuple[Band, Band]) -> list[tuple[float, float]]:
    """At most _PAIRS of the pairs *logs*, shape (n, 2), stretched so that their ends are those of both *bands*.

    What is cut off beyond the ends of a band is what LEVEL leaves out, half on either side. Rows are known better than
    groups: without stretching, models and systems not yet seen would count as well known.
    """
    order = np.lexsort((logs[:, 1], logs[:, 0]))
    kept = logs[order[np.linspace(0, len(order) - 1, min(len(order), _PAIRS)).round().astype(int)]]
    ends = [(float(np.log(band.low)), float(np.log(band.high))) for band in bands]
    columns = [_stretched(kept[:, index], *ends[index]) for index in range(2)]
    return [(float(first), float(second)) for first, second in zip(*columns, strict=True)]


def _stretched(values: Array, low: float, high: float) -> Array:
    """*values* moved away from their median until LEVEL of them lies between *low* and *high*."""
    tail = (1 - LEVEL) / 2
    least, middle, most = np.quantile(values, [tail, 0.5, 1 - tail])
    below = (middle - low) / (middle - least) if middle > least else 1.0
    above = (high - middle) / (most - middle) if most > middle else 1.0
    moved: Array = middle + (values - middle) * np.where(values < middle, max(below, 1.0), max(above, 1.0))
    return moved
