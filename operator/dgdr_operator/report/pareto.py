"""The Pareto chart as a drawing: throughput per GPU over speed per user, both modes, the plan, the promise."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from dgdr_operator.report import figures, scale
from dgdr_operator.report.scale import Scale
from dgdr_operator.report.scene import Point, Scene, Stroke, Word
from estimator.estimates import Estimate, Mode

WIDTH, HEIGHT = 960, 560
_LEFT, _RIGHT, _TOP, _BOTTOM = 84, 24, 56, 68
_INK, _GREY, _PALE = "#1f2933", "#7b8794", "#e4e7eb"
_PLAN, _PROMISE = "#d64545", "#8a6d1d"
_COLORS: dict[Mode, str] = {"aggregated": "#2f6fb0", "disaggregated": "#2a9461"}
_TEXT, _SMALL = 11.0, 9.0
_FAR = 1.5
"""A promise this much faster than the fastest plan would squeeze the plans into a corner; it is left out."""


@dataclass(frozen=True, slots=True, kw_only=True)
class _Sheet:
    """Where values lie on the drawing."""

    across: Scale
    upward: Scale

    def at(self, speed: float, rate: float) -> Point:
        right = (speed - self.across.low) / (self.across.high - self.across.low)
        up = (rate - self.upward.low) / (self.upward.high - self.upward.low)
        across = _LEFT + right * (WIDTH - _LEFT - _RIGHT)
        return _round(across), _round(HEIGHT - _BOTTOM - up * (HEIGHT - _TOP - _BOTTOM))


def scene(points: Sequence[Estimate], chosen: Estimate | None, itl: float | None, title: str) -> Scene:
    """The drawing of *points*; *itl* is the promise in seconds. Without a speed per user there is only the frame."""
    shown = [one for one in points if one.tokens_per_second_per_user is not None]
    sheet = _sheet(shown, None if itl is None else 1 / itl)
    strokes = [*_grid(sheet), *_promise(sheet, itl), *_edge(sheet, shown), *_dots(sheet, shown, chosen)]
    words = [Word(text=title, at=(_LEFT, 30.0), size=_TEXT, color=_INK)]
    words += [*_labels(sheet), *_legend(itl)]
    return Scene(width=WIDTH, height=HEIGHT, strokes=(*strokes, *_legend_dots()), words=tuple(words))


def _sheet(shown: Sequence[Estimate], promised: float | None) -> _Sheet:
    speeds = [one.tokens_per_second_per_user or 0.0 for one in shown] or [0.0, 1.0]
    rates = [one.tokens_per_second_per_gpu for one in shown] or [1.0]
    if promised is not None and promised <= max(speeds) * _FAR:
        speeds.append(promised)
    return _Sheet(across=scale.around(min(speeds), max(speeds), 8), upward=scale.around(0.0, max(rates), 6))


def _grid(sheet: _Sheet) -> Iterator[Stroke]:
    low, high = sheet.across.low, sheet.across.high
    for tick in sheet.upward.ticks():
        yield Stroke(points=(sheet.at(low, tick), sheet.at(high, tick)), width=1, color=_PALE)
    for tick in sheet.across.ticks():
        ends = sheet.at(tick, sheet.upward.low), sheet.at(tick, sheet.upward.high)
        yield Stroke(points=ends, width=1, color=_PALE)
    corners = (sheet.at(low, sheet.upward.high), sheet.at(low, sheet.upward.low), sheet.at(high, sheet.upward.low))
    yield Stroke(points=corners, width=1.5, color=_GREY)


def _promise(sheet: _Sheet, itl: float | None) -> Iterator[Stroke]:
    """A dashed line at the promised speed."""
    if itl is None or not sheet.across.low <= 1 / itl <= sheet.across.high:
        return
    (across, bottom), (_, top) = sheet.at(1 / itl, sheet.upward.low), sheet.at(1 / itl, sheet.upward.high)
    for dash in range(int(top), int(bottom), 10):
        yield Stroke(points=((across, dash), (across, min(dash + 5.0, bottom))), width=1.5, color=_PROMISE)


def _edge(sheet: _Sheet, shown: Sequence[Estimate]) -> Iterator[Stroke]:
    """The line through those points that no other one outdoes in both."""
    highest, points = -1.0, []
    for one in sorted(shown, key=lambda one: (-(one.tokens_per_second_per_user or 0), -one.tokens_per_second_per_gpu)):
        if one.tokens_per_second_per_gpu > highest:
            highest = one.tokens_per_second_per_gpu
            points.append(sheet.at(one.tokens_per_second_per_user or 0.0, highest))
    if len(points) > 1:
        yield Stroke(points=tuple(points), width=1.5, color=_GREY)


def _dots(sheet: _Sheet, shown: Sequence[Estimate], chosen: Estimate | None) -> Iterator[Stroke]:
    for one in sorted(shown, key=lambda one: one == chosen):
        place = sheet.at(one.tokens_per_second_per_user or 0.0, one.tokens_per_second_per_gpu)
        if one == chosen:
            yield Stroke(points=(place,), width=17, color=_PLAN)
        yield Stroke(points=(place,), width=10, color=_COLORS[one.mode], title=_told(one))


def _told(one: Estimate) -> str:
    rate, itl = figures.plain(one.tokens_per_second_per_gpu), figures.ms(one.latency.itl)
    return f"{figures.configuration(one)}: {rate} tokens/s/GPU, TTFT {figures.ms(one.latency.ttft)} ms, ITL {itl} ms"


def _labels(sheet: _Sheet) -> Iterator[Word]:
    for tick in sheet.upward.ticks():
        across, down = sheet.at(sheet.across.low, tick)
        yield Word(text=figures.short(tick), at=(across - 8, down + 4), size=_SMALL, color=_GREY, anchor="end")
    for tick in sheet.across.ticks():
        across, down = sheet.at(tick, sheet.upward.low)
        yield Word(text=figures.short(tick), at=(across, down + 20), size=_SMALL, color=_GREY, anchor="middle")
    yield Word(text="tokens/s/GPU", at=(_LEFT - 70, _TOP - 12.0), size=_SMALL, color=_GREY)
    right = sheet.at(sheet.across.high, sheet.upward.low)[0]
    yield Word(text="tokens/s/user", at=(right, HEIGHT - 12.0), size=_SMALL, color=_GREY, anchor="end")


_ENTRIES = (("aggregated", _COLORS["aggregated"]), ("disaggregated", _COLORS["disaggregated"]), ("the plan", _PLAN))
_STEP = 150


def _legend_dots() -> Iterator[Stroke]:
    for place, (_, color) in enumerate(_ENTRIES):
        yield Stroke(points=((_LEFT + 6.0 + place * _STEP, HEIGHT - 16.0),), width=10, color=color)


def _legend(itl: float | None) -> Iterator[Word]:
    for place, (name, _) in enumerate(_ENTRIES):
        yield Word(text=name, at=(_LEFT + 18.0 + place * _STEP, HEIGHT - 12.0), size=_SMALL, color=_INK)
    if itl is not None:
        text = f"- - ITL {figures.short(float(f'{figures.milliseconds(itl):.6g}'))} ms"
        yield Word(text=text, at=(_LEFT + 3.0 * _STEP - 20, HEIGHT - 12.0), size=_SMALL, color=_PROMISE)


def _round(value: float) -> float:
    """Half a pixel is enough, and keeps files short and equal everywhere."""
    return round(value * 2) / 2
