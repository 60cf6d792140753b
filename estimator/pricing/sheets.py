"""What one operation costs, ready to be asked many times: a measured curve or surface, or a formula.

A sheet answers for any number of tokens at once. Measured sheets never go below their speed of light.
"""

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Protocol, TypeVar

import numpy as np

from estimator.ops import Array
from perf_db import interpolation
from perf_db.provenance import Provenance
from perf_db.table import ClassArray, Grid

Priced = tuple[Array, ClassArray]
Light = Callable[..., Array]
"""One array per axis -> seconds at the speed of light; the arrays broadcast."""


class Sheet(Protocol):
    """The price of one operation along its own axes: (tokens,), or (sequences, tokens of each)."""

    @property
    def floor(self) -> Provenance:
        """The best class that an answer can have."""

    @property
    def knots(self) -> Array:
        """Token counts between which the price is a straight line; empty for a formula or a surface."""

    def price(self, *at: Array) -> Priced:
        """Seconds and classes at arrays of one equal, one-dimensional shape."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Curve:
    """Measured along tokens. *points*: one axis; *light*: tokens -> seconds.

    launched: a message rather than work on weights: before its first point the launch is all, and there is no floor,
    because switches add up in flight.
    """

    points: Grid
    light: Light
    floor: Provenance
    launched: bool = False

    @property
    def knots(self) -> Array:
        """The measured token counts."""
        return self.points.axes[0]

    def price(self, *at: Array) -> Priced:
        """Linear between points, the utilisation of the edge beyond them."""
        (x,) = at
        if self.launched:
            seconds, classes = interpolation.collective(self.points, x)
            return seconds, np.maximum(classes, np.uint8(self.floor))
        seconds, classes = interpolation.along(self.points, x, self.light)
        return np.maximum(seconds, self.light(x)), np.maximum(classes, np.uint8(self.floor))


@dataclass(frozen=True, slots=True, kw_only=True)
class Surface:
    """Measured over sequences and the tokens of each. *points*: two axes, no holes."""

    points: Grid
    light: Light
    floor: Provenance
    square_root: bool = False

    @property
    def knots(self) -> Array:
        """None: a surface has no line of its own."""
        return np.empty(0)

    def price(self, *at: Array) -> Priced:
        """Bilinear; along tokens linear in time, or in its square root for work that grows with their square."""
        along = self.points.names[1] if self.square_root else None
        seconds, classes = interpolation.surface(self.points, at, self.light, square_root=along)
        return np.maximum(seconds, self.light(*at)), np.maximum(classes, np.uint8(self.floor))


@dataclass(frozen=True, slots=True, kw_only=True)
class Formula:
    """The speed of light divided by the share of it that such kernels typically reach."""

    light: Light
    typical: float
    floor: Provenance = Provenance.FORMULA

    @property
    def knots(self) -> Array:
        """None: a formula is not made of lines."""
        return np.empty(0)

    def price(self, *at: Array) -> Priced:
        """Seconds, all of class FORMULA (MEASURED for work that does not exist)."""
        seconds = self.light(*at) / self.typical
        return seconds, np.full(np.shape(seconds), self.floor, np.uint8)


Measured = TypeVar("Measured", Curve, Surface)


def rescaled(sheet: Measured, light: Light, floor: Provenance, level: float = 1.0) -> Measured:
    """The sheet of another operation: the same utilisation times *level* at every measured point.

    *light* is the other operation's speed of light, *floor* the class of such a loan.
    """
    at = np.meshgrid(*sheet.points.axes, indexing="ij", sparse=True)
    seconds = sheet.points.seconds * light(*at) / np.maximum(sheet.light(*at), np.finfo(np.float64).tiny) / level
    points = replace(sheet.points, seconds=np.broadcast_to(seconds, sheet.points.seconds.shape))
    return replace(sheet, points=points, light=light, floor=max(sheet.floor, floor))
