"""Scores: errors are relative to the measurement, bias keeps its sign."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dgdr_operator.report import scores
from dgdr_operator.report.grid import draw
from dgdr_operator.report.paper import Paper

TIMES = st.lists(st.floats(1e-6, 1e3), min_size=1, max_size=50)


def test_errors_are_shares_of_the_measured_time() -> None:
    found = scores.score([1.1, 1.8, 4.0], [1.0, 2.0, 2.0])

    assert found is not None
    assert found.mean == pytest.approx((0.1 + 0.1 + 1.0) / 3)
    assert found.median == pytest.approx(0.1)
    assert found.bias == pytest.approx(0.1)


def test_nothing_has_no_score() -> None:
    assert scores.score([], []) is None


@given(times=TIMES)
def test_a_perfect_prediction_has_no_error(times: list[float]) -> None:
    found = scores.score(times, times)

    assert found is not None
    assert (found.n, found.mean, found.median, found.p90, found.bias) == (len(times), 0, 0, 0, 0)


@given(times=TIMES, factor=st.floats(0.1, 10))
def test_a_constant_factor_is_all_bias(times: list[float], factor: float) -> None:
    found = scores.score([time * factor for time in times], times)

    assert found is not None
    assert found.bias == pytest.approx(factor - 1, abs=1e-9)
    assert found.mean == pytest.approx(abs(factor - 1), abs=1e-9)


def test_the_table_shows_both_times_in_percent() -> None:
    ttft, itl = scores.score([1.5], [1.0]), scores.score([0.9, 0.9], [1.0, 1.0])

    lines = draw(scores.columns("backend", {"vllm": (ttft, itl), "sglang": (None, itl)}), Paper())

    assert lines[-2].split() == ["vllm", "2", "10.0", "10.0", "10.0", "-10.0", "50.0", "50.0", "50.0", "+50.0"]
    assert lines[-1].split() == ["sglang", "2", "10.0", "10.0", "10.0", "-10.0", "-", "-", "-", "-"]
