"""Constants of a host chosen by measured runs: within their bounds, robustly, and judged by what they had not seen.

Every constant adds time, so predictions between its bounds are close to straight lines; they are evaluated at the prior
and at both bounds of each constant and added up in between. On a grid over all constants, the loss of every run is then
a table, and fitting any subset of the runs is finding a row of it: leaving out groups, models and systems, or drawing
groups anew (bootstrap), costs nothing more.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from itertools import product
from typing import TypeVar

import numpy as np

from estimator.ops import Array, Counts
from perf_db.hosts import Constant, Fit

Told = TypeVar("Told")
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
    rows = table.losses.shape[1]
    prior, best = points.index(tuple(axis.prior for axis in axes)), table.best(np.ones(rows))
    labels = {name: np.array(found) for name, found in runs.groups.items()}
    at = {"in sample": np.full(rows, best), **{name: table.held_out(found) for name, found in labels.items()}}
    chosen = {"prior": dict.fromkeys(at, np.full(rows, prior)), "fitted": at}
    drawn = np.array([points[index] for index in table.drawn(next(iter(labels.values())))])
    scores = _mapped(chosen, table.loss)
    return Fit(
        constants={axis.name: _constant(axis, points[best][at], drawn[:, at]) for at, axis in enumerate(axes)},
        kept=best != prior and _earned(scores),
        scores=scores,
        errors=_mapped(chosen, lambda picks: _errors(runs, axes, points, picks)),
        rows=rows,
        groups=len(np.unique(next(iter(labels.values())))),
    )


def _mapped(chosen: Mapping[str, Mapping[str, Counts]], told: Callable[[Counts], Told]) -> dict[str, dict[str, Told]]:
    """What is *told* of the grid points chosen for every run, by whose they are and what was left out."""
    return {who: {name: told(picks) for name, picks in found.items()} for who, found in chosen.items()}


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

    def loss(self, picks: Counts) -> float:
        """Mean loss with the point picked for every run, shape (n,)."""
        return _told(float(self.losses[picks, np.arange(len(picks))].mean()))

    def held_out(self, labels: Array) -> Counts:
        """For every run the point chosen without its label; the only label there is is judged in sample."""
        picks = np.empty(len(labels), dtype=np.intp)
        names = np.unique(labels)
        for name in names:
            inside = labels == name
            others = ~inside if len(names) > 1 else inside
            picks[inside] = self.best(others.astype(float))
        return picks

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
        off = np.abs(np.log(_moved(runs, axes, point, metric) / runs.measured[metric]))
        total += weight * np.minimum(off, CAP)
    losses: Array = total / sum(runs.weights.values())
    return losses


def _moved(runs: Runs, axes: Sequence[Axis], point: Sequence[float], metric: str) -> Array:
    """Predictions of *metric* at one grid point, shape (n,)."""
    at_prior = runs.predicted[metric]
    moved = sum((axis.moved(metric, value) for axis, value in zip(axes, point, strict=True)), at_prior)
    return np.maximum(moved, _FLOOR * at_prior)


def _errors(
    runs: Runs, axes: Sequence[Axis], points: Sequence[Sequence[float]], picks: Counts
) -> dict[str, tuple[float, float]]:
    """Mean and median size of the relative error by metric, with the point picked for every run."""
    found = {}
    for metric, measured in runs.measured.items():
        predicted = np.empty(len(picks))
        for pick in np.unique(picks):
            inside = picks == pick
            predicted[inside] = _moved(runs, axes, points[int(pick)], metric)[inside]
        sizes = np.abs(predicted / measured - 1)
        found[metric] = (_told(float(sizes.mean())), _told(float(np.median(sizes))))
    return found


def _constant(axis: Axis, value: float, drawn: Array) -> Constant:
    low, high = np.percentile(drawn, _ENDS)
    ends = {"prior": axis.prior, "least": axis.least, "most": axis.most}
    return Constant(value=_told(value), low=_told(low), high=_told(high), **ends)


def _told(value: float) -> float:
    """Four digits, which is more than is known."""
    return float(f"{value:.4g}")
