"""The terminal chart: round axes, every point inside, the plan and the promise visible in any encoding."""

from collections.abc import Callable
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dgdr_operator.report import chart, scale
from dgdr_operator.report.canvas import Canvas
from dgdr_operator.report.paper import Paper, can_show_unicode
from estimator.estimates import Estimate, Worker

POSITIVE = st.floats(1e-3, 1e7)


def test_the_chart_reads_like_this(aggregated: tuple[Estimate, ...], disaggregated: tuple[Estimate, ...]) -> None:
    lines = chart.pareto((*aggregated, *disaggregated), disaggregated[0], 0.01667, Paper(width=52, unicode=False))

    assert lines == [
        "tokens/s/GPU (up) over tokens/s/user (right)",
        "     600 |        |",
        "         |        |    d                     X",
        "         |        |",
        "         |        |",
        "     400 |        |a",
        "         |        |a",
        "         |        |",
        "         |        |",
        "         |        |   a",
        "     200 |        |",
        "         |        |",
        "         |        |",
        "         |        |",
        "       0 |        |",
        "         +-----------------------------------------",
        "          55      60      65      70      75     80",
        "",
        "          a aggregated   d disaggregated   X the plan   | ITL 16.67 ms, faster to the right",
    ]


def test_ascii_paper_gets_ascii_only(outcome_points: tuple[Estimate, ...]) -> None:
    text = "\n".join(chart.pareto(outcome_points, outcome_points[0], 0.01667, Paper(unicode=False)))

    assert text.isascii()


def test_the_plan_is_marked_even_where_another_point_lies(outcome_points: tuple[Estimate, ...]) -> None:
    twin = replace(outcome_points[0], backend="sglang")

    assert "◆" in "\n".join(chart.pareto((*outcome_points, twin), outcome_points[0], None, Paper())[:-2])


def test_a_target_far_beyond_every_plan_is_told_in_words(outcome_points: tuple[Estimate, ...]) -> None:
    lines = chart.pareto(outcome_points, None, 0.002, Paper())

    assert lines[-1].endswith("off the chart: ITL 2 ms, faster to the right")


def test_single_tokens_have_no_chart(estimate: Callable[..., Estimate], worker: Callable[..., Worker]) -> None:
    single = estimate((worker("aggregated", 1, 2, 4),), replicas=1, rate=10.0, ttft=0.2, itl=None)

    assert chart.pareto((single,), None, None, Paper()) == []


@pytest.mark.parametrize("width", [20, 40, 80, 200])
def test_the_frame_fits_the_paper(outcome_points: tuple[Estimate, ...], width: int) -> None:
    lines = chart.pareto(outcome_points, None, None, Paper(width=width))

    assert max(map(len, lines[1:-2])) <= max(width, 30)


@pytest.mark.parametrize(("encoding", "able"), [("utf-8", True), ("ascii", False), ("latin-1", False), (None, False)])
def test_unicode_is_used_where_the_encoding_has_it(encoding: str | None, able: bool) -> None:  # noqa: FBT001  # a case
    assert can_show_unicode(encoding) is able


@given(low=POSITIVE, span=st.floats(0, 1e7), intervals=st.integers(2, 10))
def test_an_axis_covers_what_it_must_in_few_round_steps(low: float, span: float, intervals: int) -> None:
    axis = scale.around(low, low + span, intervals)

    assert axis.low <= low * (1 + 1e-6)
    assert axis.high >= (low + span) * (1 - 1e-6)
    assert 1 <= len(axis.ticks()) - 1 <= intervals + 2


@given(value=POSITIVE, cells=st.integers(2, 500))
def test_every_value_lands_on_the_sheet(value: float, cells: int) -> None:
    axis = scale.around(1.0, 1000.0, 5)

    assert 0 <= axis.cell(value, cells) < cells


@given(points=st.lists(st.tuples(st.integers(0, 19), st.integers(0, 19)), min_size=2, max_size=2))
def test_a_line_touches_both_its_ends(points: list[tuple[int, int]]) -> None:
    start, end = points
    canvas = Canvas(10, 5, Paper(unicode=False))

    canvas.line(start, end)
    rows = canvas.lines()

    for across, upward in points:
        assert rows[4 - upward // 4][across // 2] == "."


@pytest.fixture
def outcome_points(aggregated: tuple[Estimate, ...], disaggregated: tuple[Estimate, ...]) -> tuple[Estimate, ...]:
    return (*aggregated, *disaggregated)
