"""A drawing as a list of strokes and words, before anyone decides whether it becomes SVG or PNG.

Coordinates are in pixels, the origin is the top left corner.
"""

from dataclasses import dataclass
from typing import Literal

Point = tuple[float, float]
Anchor = Literal["start", "middle", "end"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Stroke:
    """A line through *points* with round ends; a single point is a dot as wide as the stroke."""

    points: tuple[Point, ...]
    width: float
    color: str
    title: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Word:
    """Text whose base line starts, is centred or ends at a point; size: height of a capital letter."""

    text: str
    at: Point
    size: float
    color: str
    anchor: Anchor = "start"


@dataclass(frozen=True, slots=True, kw_only=True)
class Scene:
    """What is drawn on a white sheet, in order; colours are #rrggbb."""

    width: int
    height: int
    strokes: tuple[Stroke, ...]
    words: tuple[Word, ...]
