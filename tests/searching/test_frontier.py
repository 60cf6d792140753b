"""The Pareto frontier holds what nothing beats, and nothing else."""

import numpy as np
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from estimator import choice
from estimator.deployments import Rows
from estimator.frontier import pareto_mask
from estimator.problem import Problem

POINTS = hnp.arrays(np.float64, st.tuples(st.integers(1, 40), st.just(2)), elements=st.integers(0, 9).map(float))


def beats(one: np.ndarray, other: np.ndarray) -> bool:
    return bool((one >= other).all() and (one > other).any())


@given(POINTS)
def test_no_row_on_the_frontier_is_beaten(points: np.ndarray) -> None:
    mask = pareto_mask(points[:, 0], points[:, 1])

    for kept in points[mask]:
        assert not any(beats(other, kept) for other in points)


@given(POINTS)
def test_every_row_off_the_frontier_is_beaten_or_repeated_by_a_row_on_it(points: np.ndarray) -> None:
    mask = pareto_mask(points[:, 0], points[:, 1])

    front = points[mask]
    for dropped in points[~mask]:
        assert any(beats(kept, dropped) or (kept == dropped).all() for kept in front)


@given(POINTS, st.tuples(st.integers(0, 9), st.integers(0, 9)))
def test_another_candidate_never_worsens_the_frontier(points: np.ndarray, extra: tuple[int, int]) -> None:
    more = np.vstack([points, np.array(extra, float)])

    before = points[pareto_mask(points[:, 0], points[:, 1])]
    after = more[pareto_mask(more[:, 0], more[:, 1])]
    for kept in before:
        assert any((other >= kept).all() for other in after)


@given(points=hnp.arrays(np.float64, st.tuples(st.integers(1, 40), st.just(2)), elements=st.floats(1.0, 2.0)))
def test_whatever_is_not_shown_is_matched_within_three_percent_by_a_point_that_is(
    points: np.ndarray, customers_problem: Problem
) -> None:
    seconds, output = points[:, 0], points[:, 1]
    zeros = np.zeros(len(points))
    rows = Rows(
        mode="aggregated",
        label="",
        ttft=zeros,
        itl=seconds,
        request=seconds,
        tokens_per_second=output,
        gpus=zeros + 1,
        concurrency=zeros,
        starts=np.ones(len(points), dtype=bool),
        admits=np.ones(len(points), dtype=bool),
        evidence="measured",
        build=lambda row: row,  # type: ignore[arg-type, return-value]  # its number is all that is asked
    )
    shown = [int(one) for one in choice.frontier(customers_problem, choice.survey(customers_problem, [rows]))]  # type: ignore[call-overload]  # the numbers

    front = set(np.flatnonzero(pareto_mask(1 / seconds, output)))
    assert set(shown) <= front
    for one in front:
        assert any(seconds[near] < seconds[one] * 1.03 and output[near] * 1.03 > output[one] for near in shown)
