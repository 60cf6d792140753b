"""How far predictions are to be believed: the probability that promises are kept, and intervals.

What measured runs of an engine taught are pairs: by what factors the time between tokens and the time to the first
token of one run fell from their predictions, together. Promises are kept with the share of those pairs that would keep
them, so nothing is assumed about their distributions or about how they go together.
"""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from functools import cached_property

import numpy as np

from estimator.estimates import Estimate, Trust
from estimator.ops import Array, Counts, Mask
from estimator.workload import Targets
from perf_db.accuracy import Accuracy


@dataclass(frozen=True, slots=True, kw_only=True)
class Latencies:
    """Predicted seconds of deployments, arrays of shape (n,).

    wider: metric (itl, ttft) -> by what powers measurements scatter more than where all is measured; osl: output tokens
    of a request.
    """

    itl: Array
    ttft: Array
    wider: Mapping[str, Array]
    osl: int

    def row(self, index: int) -> "Latencies":
        """One deployment alone."""
        one = slice(index, index + 1)
        wider = {name: values[one] for name, values in self.wider.items()}
        return Latencies(itl=self.itl[one], ttft=self.ttft[one], wider=wider, osl=self.osl)


@dataclass(frozen=True, kw_only=True)
class Experience:
    """Natural logarithms of measured over predicted: one pair per run, arrays of shape (runs,)."""

    accuracy: Accuracy
    backend: str
    itl: Array
    ttft: Array

    def kept(self, targets: Targets, told: Latencies) -> Array:
        """Probability that all *targets* are kept, shape (n,); 1 where there are none."""
        if targets.e2e is not None:
            return self._counted(targets, told)
        first = np.searchsorted(self._sorted[0], _room(targets.itl, told.itl, told.wider["itl"]), "right")
        second = np.searchsorted(self._sorted[1], _room(targets.ttft, told.ttft, told.wider["ttft"]), "right")
        return self._below[first, second] / len(self.itl)

    def factor(self, metric: str, level: Array, told: Latencies) -> Array:
        """What times the predicted *metric* (itl, ttft) is not exceeded with probability *level*, shape (n,).

        For "request" the larger of both factors at half the risk each, which is more than enough.
        """
        if metric == "request":
            half = (1 + level) / 2
            either: Array = np.maximum(*(self.factor(one, half, told) for one in ("itl", "ttft")))
            return either
        values = self._sorted[0 if metric == "itl" else 1]
        rank = np.clip(np.ceil(level * len(values)).astype(int) - 1, 0, len(values) - 1)
        factor: Array = np.exp(values[rank] * told.wider[metric])
        return factor

    def wider(self, metric: str, evidence: str) -> float:
        """By what power measurements of *metric* scatter more where a prediction rests on *evidence*."""
        return self.accuracy.factor(metric, evidence)

    def of(self, estimate: Estimate, probability: float) -> Trust:
        """What is known about *estimate*, whose targets are kept with that *probability*."""
        latency, load = estimate.latency, estimate.load
        itl = None if latency.itl is None else self._ends(estimate, "itl", latency.itl)
        return Trust(
            probability=probability,
            ttft=self._ends(estimate, "ttft", latency.ttft),
            itl=itl,
            tokens_per_second=self._ends(estimate, "throughput", load.tokens_per_second),
        )

    def _ends(self, estimate: Estimate, metric: str, value: float) -> tuple[float, float] | None:
        band = self.accuracy.band(self.backend, metric, estimate.evidence)
        return None if band is None else band.around(value)

    def _counted(self, targets: Targets, told: Latencies) -> Array:
        """The same with a promise about whole requests, which hang on both times: run by run, some rows at a time."""
        share = np.empty(told.itl.shape)
        for start in range(0, len(share), _AT_ONCE):
            rows = slice(start, start + _AT_ONCE)
            itl = told.itl[rows, None] * np.exp(self.itl * told.wider["itl"][rows, None])
            ttft = told.ttft[rows, None] * np.exp(self.ttft * told.wider["ttft"][rows, None])
            share[rows] = _keeps(targets, itl, ttft, told.osl).mean(axis=1)
        return share

    @cached_property
    def _sorted(self) -> tuple[Array, Array]:
        return np.sort(self.itl), np.sort(self.ttft)

    @cached_property
    def _below(self) -> Counts:
        """How many runs have one of the i smallest itl and one of the j smallest ttft, shape (runs + 1, runs + 1)."""
        grid = np.zeros((len(self.itl) + 1, len(self.itl) + 1), dtype=np.intp)
        ranks = [np.argsort(np.argsort(values, kind="stable"), kind="stable") for values in (self.itl, self.ttft)]
        grid[ranks[0] + 1, ranks[1] + 1] = 1
        return grid.cumsum(axis=0).cumsum(axis=1)


def _room(target: float | None, predicted: Array, wider: Array) -> Array:
    """The largest logarithm at which *target* is still kept, in the scale of predictions that rest on measurements."""
    room = np.full(predicted.shape, np.inf)
    if target is not None:
        # Without a second token there is no time between tokens, and any promise about it is kept.
        np.divide(target, predicted, out=room, where=predicted > 0)
        with np.errstate(divide="ignore"):
            room = np.log(room)
    return room / wider


_AT_ONCE = 512
"""Rows whose latencies under all runs fit a processor's cache."""


def _keeps(targets: Targets, itl: Array, ttft: Array, osl: int) -> Mask:
    """Whether latencies keep every target, any shape."""
    kept = ttft + itl * (osl - 1) <= (targets.e2e or np.inf)
    if targets.itl is not None:
        kept &= itl <= targets.itl
    if targets.ttft is not None:
        kept &= ttft <= targets.ttft
    return kept


def experience(accuracy: Accuracy | None, backend: str) -> Experience | None:
    """What runs of that engine taught; None where none were compared."""
    pairs = accuracy.joint.get(backend) if accuracy is not None else None
    if accuracy is None or not pairs:
        return None
    itl, ttft = np.array(pairs, dtype=float).T
    return Experience(accuracy=accuracy, backend=backend, itl=itl, ttft=ttft)


def without(targets: Targets, name: str) -> Targets:
    """*targets* less the latency target called so in a request (ttft, itl, e2eLatency)."""
    match name:
        case "ttft":
            return replace(targets, ttft=None)
        case "itl":
            return replace(targets, itl=None)
    return replace(targets, e2e=None)
