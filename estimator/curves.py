"""Piecewise linear curves of time, alone and with the evidence behind every knot."""

from bisect import bisect_left
from collections.abc import Iterable
from dataclasses import dataclass
from functools import cached_property

import numpy as np

from estimator.estimates import DOUBTFUL, OpTime
from estimator.layers.parts import Phase
from estimator.ops import Array
from perf_db.provenance import Provenance
from perf_db.table import ClassArray

ELEMENTWISE = "elementwise"
"""The evidence of kernels that do nothing but pass bytes through memory: a formula by nature, which nobody measures."""
_WORDS = [provenance.word for provenance in Provenance]
_DOUBTFUL = min(provenance for provenance in Provenance if provenance.word in DOUBTFUL)
"""The best class of evidence that is doubtful; classes are ordered."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Line:
    """A piecewise linear curve, constant below its first knot."""

    x: Array
    y: Array

    def __call__(self, x: Array) -> Array:
        """Values at *x*, any shape."""
        return np.interp(x, self.x, self.y)


def total(lines: Iterable[Line]) -> Line:
    """The sum of curves; its knots are those of every part, so nothing is rounded off. No curves: zero everywhere."""
    lines = list(lines)
    if not lines:
        return Line(x=np.zeros(1), y=np.zeros(1))
    x = np.unique(np.concatenate([line.x for line in lines]))
    return Line(x=x, y=sum((line(x) for line in lines), np.zeros_like(x)))


@dataclass(frozen=True, kw_only=True)
class Part:
    """One operation of a step: seconds along what its cost depends on, and the evidence at each knot.

    elementwise: it only moves bytes, so that its formula is as good as evidence gets.
    """

    name: str
    role: str
    beside: str
    line: Line
    classes: ClassArray
    elementwise: bool = False

    @property
    def doubtful(self) -> bool:
        """Whether anything along the curve was not measured for this very operation."""
        return not self.elementwise and bool(self.classes.max() >= _DOUBTFUL)

    def at(self, phase: Phase, x: float) -> OpTime:
        """Its time at *x*; between two knots the weaker evidence of both counts, and it is interpolated at best.

        Plain Python on purpose: a record asks for one point of some thirty curves, where numpy's overhead dominates.
        """
        knots, times, classes = self._lists
        right = min(bisect_left(knots, x), len(knots) - 1)
        left = max(right - 1, 0)
        word, seconds = classes[right], times[right]
        if knots[left] < x < knots[right]:
            share = (x - knots[left]) / (knots[right] - knots[left])
            seconds = times[left] + share * (times[right] - times[left])
            word = max(word, classes[left], Provenance.INTERPOLATED)
        evidence = ELEMENTWISE if self.elementwise else _WORDS[word]
        return OpTime(phase=phase, name=self.name, seconds=seconds, provenance=evidence)

    @cached_property
    def _lists(self) -> tuple[list[float], list[float], list[int]]:
        return self.line.x.tolist(), self.line.y.tolist(), self.classes.tolist()
