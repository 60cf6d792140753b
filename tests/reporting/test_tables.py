"""Tables: columns line up, marks are explained, narrow paper costs the least needed columns."""

from collections.abc import Callable
from dataclasses import replace

from hypothesis import given
from hypothesis import strategies as st

from dgdr_operator.report import grid, ranking
from dgdr_operator.report.grid import Column
from dgdr_operator.report.paper import Paper
from estimator.estimates import Estimate, Worker

PAPER = Paper(width=80, unicode=False)
WORDS = st.text(alphabet="abc 0123456789", min_size=1, max_size=12)
COLUMNS = st.integers(1, 8).flatmap(
    lambda rows: st.lists(
        st.builds(
            Column,
            head=st.tuples(WORDS, WORDS),
            cells=st.lists(WORDS, min_size=rows, max_size=rows).map(tuple),
            need=st.integers(0, 9),
            left=st.booleans(),
        ),
        min_size=1,
        max_size=9,
    )
)


def test_the_aggregated_table_reads_like_this(aggregated: tuple[Estimate, ...]) -> None:
    assert ranking.table(aggregated, aggregated[0], PAPER) == [
        "   tok/s tok/s  TTFT   ITL request                                      GPU",
        " #  /GPU /user    ms    ms      ms concurrency     GPUs parallel batch  GiB",
        "---------------------------------------------------------------------------",
        "*1 397.3 60.66 509.1 16.48    8735  56 (=14x4) 8 (=4x2) tp2         14 24.7",
        " 2 349.9 60.98 412.6 16.40    8596  48 (=24x2) 8 (=2x4) tp4         24 24.7",
        " 3 235.6 62.71 482.6 15.95    8440  32 (=32x1) 8 (=1x8) tp8         32 24.7",
    ]


def test_the_disaggregated_table_reads_like_this(disaggregated: tuple[Estimate, ...]) -> None:
    assert ranking.table(disaggregated, None, PAPER) == [
        "   tok/s tok/s  TTFT   ITL request                                          GPU",
        " #  /GPU /user    ms    ms      ms concurrency     GPUs prefill  decode     GiB",
        "-------------------------------------------------------------------------------",
        " 1 521.8 76.98 388.1 12.99    6870  60 (=60x1) 8 (=1x8) 2xtp2 b1 1xtp4 b60 24.7",
        "!2 521.2 63.29 388.1 15.80    8272  80 (=40x2) 8 (=2x4) 1xtp2 b1 1xtp2 b40 24.7",
    ]


def test_every_mark_in_a_table_is_explained_below_it(disaggregated: tuple[Estimate, ...]) -> None:
    notes = ranking.footnotes(disaggregated, disaggregated[0])

    assert notes == ["* the plan", "! more than 20 % of its step time is transferred or formula, not measured"]


def test_a_table_without_marks_needs_no_explanation(aggregated: tuple[Estimate, ...]) -> None:
    assert ranking.footnotes(aggregated, None) == []


def test_engines_are_named_when_there_are_several(aggregated: tuple[Estimate, ...]) -> None:
    mixed = (aggregated[0], replace(aggregated[1], backend="sglang"))

    lines = ranking.table(mixed, None, Paper(width=120))

    assert "backend" in lines[1]
    assert "sglang" in lines[4]


def test_columns_that_do_not_fit_are_named(disaggregated: tuple[Estimate, ...]) -> None:
    lines = ranking.table(disaggregated, None, Paper(width=72))

    assert lines[-1] == "(left out at this width: request ms, GPU GiB)"


def test_one_output_token_has_no_speed_per_user(
    estimate: Callable[..., Estimate], worker: Callable[..., Worker]
) -> None:
    single = estimate((worker("aggregated", 1, 2, 4),), replicas=1, rate=10.0, ttft=0.2, itl=None)

    assert ranking.table((single,), None, PAPER)[-1].split()[2:5] == ["-", "200.0", "-"]


def test_nothing_to_rank_gives_no_table() -> None:
    assert ranking.table((), None, PAPER) == []


@given(columns=COLUMNS, width=st.integers(10, 120))
def test_a_table_never_exceeds_the_paper_unless_one_column_does(columns: list[Column], width: int) -> None:
    lines = grid.draw(columns, Paper(width=width))
    widest = max(column.width for column in columns)

    assert max(map(len, lines)) <= max(width, widest)


@given(columns=COLUMNS, width=st.integers(10, 120))
def test_every_column_is_shown_or_named_as_left_out(columns: list[Column], width: int) -> None:
    paper = Paper(width=width)
    missing = len(grid.left_out(columns, paper))
    wide = grid.draw(columns, Paper(width=10_000))

    assert missing < len(columns)
    assert missing > 0 or grid.draw(columns, paper)[-1].split() == wide[-1].split()
