"""How far to believe an error or a prediction: intervals cover what they were not learned from."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from dgdr_operator.report import scores_spread
from estimator import intervals
from estimator.intervals import Residuals

LOG = st.integers(-128, 128).map(lambda count: count / 64)
LOGS = st.lists(st.lists(LOG, min_size=1, max_size=20), min_size=2, max_size=6)


def _residuals(groups: list[list[float]]) -> Residuals:
    names = tuple(f"group {index}" for index, group in enumerate(groups) for _ in group)
    return Residuals(logs=np.array([log for group in groups for log in group]), groups=names)


@given(groups=LOGS)
def test_a_band_lies_within_what_was_seen(groups: list[list[float]]) -> None:
    found, seen = intervals.band(_residuals(groups)), [log for group in groups for log in group]

    assert found is not None
    assert min(seen) - 1e-9 <= np.log(found.low) <= np.log(found.high) <= max(seen) + 1e-9
    assert 0 <= found.coverage <= 1


@given(groups=LOGS)
def test_errors_twice_as_large_make_a_band_twice_as_wide_and_change_nothing_else(groups: list[list[float]]) -> None:
    doubled = [[2 * log for log in group] for group in groups]
    before, after = intervals.band(_residuals(groups)), intervals.band(_residuals(doubled))

    assert before is not None
    assert after is not None
    assert after.low == pytest.approx(before.low**2)
    assert after.high == pytest.approx(before.high**2)
    assert after.coverage == before.coverage


def test_bands_cover_groups_they_were_not_learned_from() -> None:
    dice = np.random.default_rng(7)
    groups = [list(dice.normal(dice.normal(0, 0.2), 0.1, size=40)) for _ in range(30)]

    found = intervals.band(_residuals(groups))

    assert found is not None
    assert 0.85 <= found.coverage <= 0.95


def test_a_single_group_says_nothing_about_others() -> None:
    assert intervals.band(_residuals([[0.1, 0.2]])) is None


@given(groups=LOGS)
def test_doubt_never_makes_a_band_narrower(groups: list[list[float]]) -> None:
    found = intervals.band(_residuals(groups))
    doubtful, sure = _residuals(groups[:1]), _residuals(groups[1:])

    assert found is not None
    assert intervals.widening(doubtful, sure) >= 1


def test_a_band_widens_by_powers() -> None:
    found = intervals.band(_residuals([[-0.1, 0.1], [-0.2, 0.2]]))

    assert found is not None
    assert found.widened(2).low == pytest.approx(found.low**2)
    assert found.widened(2).high == pytest.approx(found.high**2)


@given(groups=st.lists(st.lists(LOG.map(abs), min_size=1, max_size=10), min_size=3, max_size=6))
def test_an_interval_of_a_mean_holds_means_of_groups_and_is_the_same_every_time(groups: list[list[float]]) -> None:
    found = scores_spread.spread(groups)
    everything = [size for group in groups for size in group]

    assert found == scores_spread.spread(groups)
    assert found is not None
    assert min(everything) - 1e-9 <= found.mean[0] <= found.mean[1] <= max(everything) + 1e-9


def test_two_groups_are_too_few_for_an_interval() -> None:
    assert scores_spread.spread([[0.1], [0.2]]) is None
