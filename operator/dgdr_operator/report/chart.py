"""The Pareto chart for a terminal: throughput per GPU over speed per user, both modes, the plan, the promise."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import pairwise

from dgdr_operator.report import figures, scale
from dgdr_operator.report.canvas import Canvas
from dgdr_operator.report.paper import Paper
from dgdr_operator.report.scale import Scale
from estimator.estimates import Estimate, Mode

_ROWS = 14
_WIDEST = 110
_NARROWEST = 20
_MARGIN = 8
# A target this much faster than the fastest plan would squeeze the plans into a corner; it is told in words instead.
_FAR = 1.5
_MODES: tuple[Mode, Mode] = ("aggregated", "disaggregated")


@dataclass(frozen=True, slots=True, kw_only=True)
class _Marks:
    aggregated: str
    disaggregated: str
    chosen: str
    target: str

    def of(self, mode: Mode) -> str:
        return self.aggregated if mode == "aggregated" else self.disaggregated


_UNICODE = _Marks(aggregated="○", disaggregated="●", chosen="◆", target="┊")
_ASCII = _Marks(aggregated="a", disaggregated="d", chosen="X", target="|")


def pareto(points: Sequence[Estimate], chosen: Estimate | None, itl: float | None, paper: Paper) -> list[str]:
    """Lines of the chart; *itl* is the target in seconds; no lines when no point has a speed per user."""
    shown = [point for point in points if point.tokens_per_second_per_user is not None]
    if not shown:
        return []
    marks = _UNICODE if paper.unicode else _ASCII
    target = None if itl is None else 1 / itl
    across, upward = _scales(shown, target)
    canvas = Canvas(_columns(paper), _ROWS, paper)
    places = {id(point): _place(point, across, upward, canvas) for point in shown}
    for start, end in pairwise(_edge(list(places.values()))):
        canvas.line(start, end)
    for point in shown:
        canvas.mark(places[id(point)], marks.of(point.mode))
    for point in shown:
        if point == chosen:
            canvas.mark(places[id(point)], marks.chosen)
    if target is not None and across.low <= target <= across.high:
        canvas.column(across.cell(target, canvas.dots[0]), marks.target)
    return [*_framed(canvas.lines(), across, upward, paper), "", *_legend(shown, chosen, itl, marks, across)]


def _columns(paper: Paper) -> int:
    return max(min(paper.width, _WIDEST) - _MARGIN - 3, _NARROWEST)


def _xy(point: Estimate) -> tuple[float, float]:
    return point.tokens_per_second_per_user or 0.0, point.tokens_per_second_per_gpu


def _scales(points: Sequence[Estimate], target: float | None) -> tuple[Scale, Scale]:
    speeds, rates = zip(*map(_xy, points), strict=True)
    if target is not None and target <= max(speeds) * _FAR:
        speeds = (*speeds, target)
    return scale.around(min(speeds), max(speeds), 6), scale.around(0.0, max(rates), 5)


def _place(point: Estimate, across: Scale, upward: Scale, canvas: Canvas) -> tuple[int, int]:
    speed, rate = _xy(point)
    return across.cell(speed, canvas.dots[0]), upward.cell(rate, canvas.dots[1])


def _edge(places: list[tuple[int, int]]) -> Iterator[tuple[int, int]]:
    """Those places that nothing both faster and higher outdoes, fastest first."""
    highest = -1
    for across, upward in sorted(places, reverse=True):
        if upward > highest:
            highest = upward
            yield across, upward


def _framed(rows: list[str], across: Scale, upward: Scale, paper: Paper) -> Iterator[str]:
    side, corner, flat = ("│", "└", "─") if paper.unicode else ("|", "+", "-")
    labels = {len(rows) - 1 - upward.cell(tick, len(rows)): figures.short(tick) for tick in upward.ticks()}
    yield "tokens/s/GPU (up) over tokens/s/user (right)"
    for index, row in enumerate(rows):
        yield f"{labels.get(index, ''):>{_MARGIN}} {side}{row}".rstrip()
    columns = len(rows[0])
    yield f"{'':>{_MARGIN}} {corner}{flat * columns}"
    yield _axis(across, columns)


def _axis(across: Scale, columns: int) -> str:
    line = [" "] * columns
    for tick in across.ticks():
        label = figures.short(tick)
        start = min(across.cell(tick, columns), columns - len(label))
        if all(cell == " " for cell in line[max(start - 1, 0) : start + len(label)]):
            line[start : start + len(label)] = label
    return f"{'':>{_MARGIN + 2}}{''.join(line)}".rstrip()


def _legend(
    points: Sequence[Estimate], chosen: Estimate | None, itl: float | None, marks: _Marks, across: Scale
) -> Iterator[str]:
    words = [f"{marks.of(mode)} {mode}" for mode in _MODES if any(point.mode == mode for point in points)]
    if chosen in points:
        words.append(f"{marks.chosen} the plan")
    if itl is not None:
        where = f"{marks.target} " if across.low <= 1 / itl <= across.high else "off the chart: "
        words.append(f"{where}ITL {figures.short(figures.milliseconds(itl) or 0)} ms, faster to the right")
    yield f"{'':>{_MARGIN + 2}}{'   '.join(words)}"
