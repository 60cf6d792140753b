"""Constants of a host chosen by measured runs: within their bounds, robustly, and judged by what they had not seen.

Every constant adds time, so predictions between its bounds are close to straight lines; they are evaluated at the prior
and at both bounds of each constant and added up in between. On a grid over all constants, the loss of every run is then
a table, and fitting any subset of the runs is finding a row of it: leaving out groups, models and systems, or drawing
groups anew (bootstrap), costs nothing more.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import product

import numpy as np

from estimator.ops import Array
from perf_db.hosts import Constant, Fit

CAP = 0.5
"""A run further off than this (natural logarithm) counts as much as this: what is wrong with it is not the host."""
GAIN = 0.01
"""Share by which a fit must be better than the prior on what it had not seen, to be kept."""
_STEPS = 4
"""Grid points on either side of the prior."""
_PULL = 0.002
"""Loss of a constant at its far bound: where runs say nothing about a constant, its prior stays."""
_DRAWS, _SEED = 200, 20261121
_ENDS = (5, 95)
_FLOOR = 0.1
"""Predictions never fall below this share of those at the prior, whatever straight lines say."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Axis:
    """One constant: its prior and bounds in seconds; change: metric -> predictions at the lower and at the upper bound
    less those at the prior, shape (2, n)."""

    name: str
    prior: float
    least: float
    most: float
    change: Mapping[str, Array]

    def points(self) -> Array:
        """Values to try: the prior, and steps towards both bounds."""
        steps = np.arange(1, _STEPS + 1) / _STEPS
        below, above = self.prior + (self.least - self.prior) * steps, self.prior + (self.most - self.prior) * steps
        return np.unique(np.concatenate([[self.prior], below, above]))

    def moved(self, metric: str, value: float) -> Array:
        """Change of the predictions of *metric* when the constant becomes *value*, shape (n,)."""
        end, span = (0, self.least - self.prior) if value < self.prior else (1, self.most - self.prior)
        share = (value - self.prior) / span if span else 0.0
        moved: Array = share * self.change[metric][end]
        return moved

    def pull(self, value: float) -> float:
        """What leaving the prior costs."""
        return _PULL * abs(value - self.prior) / (self.most - self.least)


@dataclass(frozen=True, slots=True, kw_only=True)
class Runs:
    """Runs of one engine: metric -> seconds predicted at the priors and measured, arrays of shape (n,); weights: what a
    metric's error counts; groups: grouping -> the group of each run."""

    predicted: Mapping[str, Array]
    measured: Mapping[str, Array]
    weights: Mapping[str, float]
    groups: Mapping[str, Sequence[str]]


def fit(runs: Runs, axes: Sequence[Axis]) -> Fit:
    """The constants of *axes* that the runs ask for, and what they are worth."""
    points = list(product(*(axis.points().tolist() for axis in axes)))
    table = _Table(
        losses=np.stack([_losses(runs, axes, point) for point in points]),
        pulls=np.array([sum(axis.pull(value) for axis, value in zip(axes, point, strict=True)) for point in points]),
    )
    prior = points.index(tuple(axis.prior for axis in axes))
    best = table.best(np.ones(table.losses.shape[1]))
    labels = {name: np.array(found) for name, found in runs.groups.items()}
    scores = {
        "prior": dict.fromkeys(("in sample", *labels), _told(table.losses[prior].mean())),
        "fitted": {
            "in sample": _told(table.losses[best].mean()),
            **{name: _told(table.held_out(found)) for name, found in labels.items()},
        },
    }
    drawn = np.array([points[index] for index in table.drawn(next(iter(labels.values())))])
    return Fit(
        constants={axis.name: _constant(axis, points[best][at], drawn[:, at]) for at, axis in enumerate(axes)},
        kept=best != prior and _earned(scores),
        scores=scores,
        rows=table.losses.shape[1],
        groups=len(np.unique(next(iter(labels.values())))),
    )


def _earned(scores: Mapping[str, Mapping[str, float]]) -> bool:
    """Better on the first two groupings left out (groups, models), and no worse on the others (systems)."""
    names = [name for name in scores["fitted"] if name != "in sample"]
    gains = [1 - scores["fitted"][name] / scores["prior"][name] for name in names]
    return all(gain >= GAIN for gain in gains[:2]) and all(gain >= -GAIN for gain in gains[2:])


@dataclass(frozen=True, slots=True, kw_only=True)
class _Table:
    """losses: of every run at every grid point, shape (points, n); pulls: what the point itself costs."""

    losses: Array
    pulls: Array

    def best(self, weights: Array) -> int:
        """The point of least loss over runs of these *weights*, shape (n,)."""
        return int((self.losses @ (weights / weights.sum()) + self.pulls).argmin())

    def held_out(self, labels: Array) -> float:
        """Mean loss of runs at points chosen without their label; the only label there is is judged in sample."""
        lost = np.empty(len(labels))
        names = np.unique(labels)
        for name in names:
            inside = labels == name
            others = ~inside if len(names) > 1 else inside
            lost[inside] = self.losses[self.best(others.astype(float)), inside]
        return float(lost.mean())

    def drawn(self, labels: Array) -> list[int]:
        """Points chosen by groups drawn anew, as many as there are."""
        dice = np.random.default_rng(_SEED)
        names, member = np.unique(labels, return_inverse=True)
        draws = (dice.multinomial(len(names), np.full(len(names), 1 / len(names))) for _ in range(_DRAWS))
        return [self.best(counts[member].astype(float)) for counts in draws]


def _losses(runs: Runs, axes: Sequence[Axis], point: Sequence[float]) -> Array:
    """The loss of every run at one grid point, shape (n,)."""
    total = np.zeros(len(next(iter(runs.measured.values()))))
    for metric, weight in runs.weights.items():
        at_prior = runs.predicted[metric]
        moved = sum((axis.moved(metric, value) for axis, value in zip(axes, point, strict=True)), at_prior)
        off = np.abs(np.log(np.maximum(moved, _FLOOR * at_prior) / runs.measured[metric]))
        total += weight * np.minimum(off, CAP)
    losses: Array = total / sum(runs.weights.values())
    return losses


def _constant(axis: Axis, value: float, drawn: Array) -> Constant:
    low, high = np.percentile(drawn, _ENDS)
    ends = {"prior": axis.prior, "least": axis.least, "most": axis.most}
    return Constant(value=_told(value), low=_told(low), high=_told(high), **ends)


def _told(value: float) -> float:
    """Four digits, which is more than is known."""
    return float(f"{value:.4g}")
