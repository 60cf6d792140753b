"""How far a plan is to be believed, in tables, sentences and documents."""

from dataclasses import replace

import pytest

from dgdr_operator.report import answer, figures, ranking, rows
from dgdr_operator.report.paper import Paper
from estimator.estimates import Estimate, Trust

KNOWN = Trust(probability=0.8149, ttft=(0.2, 0.9), itl=(0.010, 0.020), tokens_per_second=(3000.0, 4000.0))
WIDE = Paper(width=160)


@pytest.fixture
def believed(aggregated: tuple[Estimate, ...]) -> Estimate:
    return replace(aggregated[0], trust=KNOWN)


def test_the_table_tells_how_probable_it_is_that_targets_are_kept(
    believed: Estimate, aggregated: tuple[Estimate, ...]
) -> None:
    lines = ranking.table((believed, aggregated[1]), believed, WIDE)
    notes = ranking.footnotes((believed, aggregated[1]), believed)

    assert "P(SLA" in lines[0]
    assert " 0.81 " in lines[3]
    assert any("P(SLA kept)" in note for note in notes)


def test_a_table_of_plans_of_which_nothing_is_known_has_no_odds(aggregated: tuple[Estimate, ...]) -> None:
    assert "P(SLA" not in "\n".join(ranking.table(aggregated, aggregated[0], WIDE))


def test_the_record_holds_odds_and_the_ends_of_intervals(believed: Estimate) -> None:
    record = rows.row(believed)

    assert record["sla_probability"] == pytest.approx(0.8149)
    assert (record["ttft_ms_low"], record["ttft_ms_high"]) == (200, 900)
    assert (record["itl_ms_low"], record["itl_ms_high"]) == (10, 20)
    assert (record["tokens_per_second_low"], record["tokens_per_second_high"]) == (3000, 4000)


def test_a_probability_is_never_rounded_up() -> None:
    assert [figures.probability(value) for value in (0.8, 0.809999, 0.995, 1.0)] == ["0.80", "0.80", "0.99", "1.00"]


def test_the_plan_says_what_is_known_about_it(believed: Estimate) -> None:
    text = " ".join(answer.trusted(believed))

    assert "with probability 0.81" in text
    assert "TTFT 90 % between 200.0 and 900.0 ms" in text
    assert "output 90 % between 3000 and 4000 tokens/s" in text
