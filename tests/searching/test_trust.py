"""Odds: promises are kept with the share of compared runs that would keep them; confidence is asked and answered."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from estimator import catalogue, hardware, intervals, search, trust
from estimator.errors import InvalidWorkload, NoFeasibleCandidate
from estimator.problem import Problem
from estimator.trust import Experience, Latencies
from estimator.workload import Targets, Workload
from perf_db import accuracy
from perf_db.accuracy import Accuracy, Band
from perf_db.catalog import SHIPPED, Catalog

LOGS = st.floats(-2.0, 2.0).map(lambda value: round(value, 3))
PAIRS = st.lists(st.tuples(LOGS, LOGS), min_size=1, max_size=30)
SECONDS = st.floats(1e-3, 10.0)
LIMITS = st.one_of(st.none(), SECONDS)
OSL = 100


def _accuracy(pairs: list[tuple[float, float]], wider: float = 1.0) -> Accuracy:
    band = Band(low=0.5, high=2.0, rows=len(pairs), groups=2, coverage=0.9)
    return Accuracy(
        source="invented",
        sha256="",
        date="2026-01-31",
        measurements="",
        method="",
        counts={},
        bands={"vllm": dict.fromkeys(("itl", "ttft", "throughput"), band)},
        wider={"formula": dict.fromkeys(("itl", "ttft", "throughput"), wider)},
        errors={},
        regret={},
        joint={"vllm": pairs},
        worst={},
    )


def _experience(pairs: list[tuple[float, float]], wider: float = 1.0) -> Experience:
    found = trust.experience(_accuracy(pairs, wider), "vllm")
    assert found is not None
    return found


def _told(itl: float, ttft: float, wider: float = 1.0) -> Latencies:
    factors = dict.fromkeys(("itl", "ttft"), np.array([wider]))
    return Latencies(itl=np.array([itl]), ttft=np.array([ttft]), wider=factors, osl=OSL)


def _within(limit: float | None, value: float) -> bool:
    return limit is None or value <= limit


@given(pairs=PAIRS, itl=SECONDS, ttft=SECONDS, limits=st.tuples(LIMITS, LIMITS, LIMITS))
def test_odds_are_the_share_of_runs_that_would_keep_every_promise(
    pairs: list[tuple[float, float]], itl: float, ttft: float, limits: tuple[float | None, float | None, float | None]
) -> None:
    targets = Targets(itl=limits[0], ttft=limits[1], e2e=limits[2])
    seen = [(itl * np.exp(first), ttft * np.exp(second)) for first, second in pairs]
    kept = [
        _within(targets.itl, one) and _within(targets.ttft, two) and _within(targets.e2e, two + one * (OSL - 1))
        for one, two in seen
    ]

    odds = _experience(pairs).kept(targets, _told(itl, ttft))

    # A run exactly at its limit may fall to either side.
    assert odds[0] == pytest.approx(np.mean(kept), abs=1 / len(pairs) + 1e-9)


@given(pairs=PAIRS, itl=SECONDS, ttft=SECONDS, limit=SECONDS)
def test_looser_promises_are_kept_more_often(
    pairs: list[tuple[float, float]], itl: float, ttft: float, limit: float
) -> None:
    experience, told = _experience(pairs), _told(itl, ttft)

    odds = [experience.kept(Targets(itl=factor * limit, ttft=limit), told)[0] for factor in (1, 2, 4)]

    assert odds == sorted(odds)
    assert experience.kept(Targets(), told)[0] == 1


@given(pairs=PAIRS, level=st.floats(0.01, 1.0))
def test_a_factor_is_not_exceeded_as_often_as_it_says(pairs: list[tuple[float, float]], level: float) -> None:
    factor = _experience(pairs).factor("itl", np.array([level]), _told(1.0, 1.0))[0]

    assert np.mean([np.exp(first) <= factor * (1 + 1e-12) for first, _ in pairs]) >= level - 1e-9


@given(pairs=PAIRS, high=st.floats(1.0, 20.0))
def test_pairs_are_only_ever_stretched_away_from_their_middle(pairs: list[tuple[float, float]], high: float) -> None:
    band = Band(low=1 / high, high=high, rows=1, groups=1, coverage=0.9)

    kept = np.array(intervals.joint(np.array(pairs), (band, band)))

    for column, before in zip(kept.T, np.array(pairs).T, strict=True):
        middle = np.median(before)
        assert np.all(np.abs(np.sort(column) - middle) >= np.abs(np.sort(before) - middle) - 1e-9)


def test_stretched_pairs_reach_the_ends_of_both_bands() -> None:
    logs = np.linspace(-0.1, 0.1, 101)
    narrow = Band(low=0.99, high=1.01, rows=1, groups=1, coverage=0.9)
    wide = Band(low=0.5, high=3.0, rows=1, groups=1, coverage=0.9)

    kept = np.array(intervals.joint(np.stack([logs, logs], axis=1), (wide, narrow)))

    assert np.exp(np.quantile(kept[:, 0], [0.05, 0.95])) == pytest.approx([0.5, 3.0])
    assert kept[:, 1] == pytest.approx(logs)


def test_doubtful_predictions_are_believed_less() -> None:
    experience = _experience([(-0.1, -0.1), (0.0, 0.0), (0.1, 0.1), (0.2, 0.2)], wider=3.0)
    targets = Targets(itl=1.25, ttft=1.25)

    factors = [experience.wider("itl", evidence) for evidence in ("measured", "formula")]
    sure, doubtful = (experience.kept(targets, _told(1.0, 1.0, wider=one))[0] for one in factors)

    assert (sure, doubtful) == (1.0, 0.5)


def test_without_a_second_token_any_promise_about_the_time_between_tokens_is_kept() -> None:
    experience = _experience([(0.0, 0.0), (0.5, 0.5)])

    assert experience.kept(Targets(itl=0.001, ttft=1.0), _told(0.0, 1.0))[0] == 0.5
    assert experience.kept(Targets(itl=0.001, e2e=1.0), _told(0.0, 1.0))[0] == 0.5


def test_nothing_is_said_about_an_engine_of_which_no_run_was_compared() -> None:
    assert trust.experience(_accuracy([(0.0, 0.0)]), "sglang") is None
    assert trust.experience(None, "vllm") is None


def _problem(catalog: Catalog, targets: Targets) -> Problem:
    return Problem(
        model=catalogue.load("Qwen/Qwen3-32B-FP8"),
        system=hardware.system("h200_sxm", catalog.facts("h200_sxm")),
        backend="vllm",
        gpus=8,
        workload=Workload(isl=4000, osl=500),
        targets=targets,
    )


TARGETS = Targets(ttft=0.6, itl=0.030)


def test_asking_for_more_confidence_costs_output(shipped: Catalog) -> None:
    found = [
        search.search(_problem(shipped, replace(TARGETS, confidence=asked)), shipped).choice for asked in (0, 0.6, 0.8)
    ]

    rates = [choice.load.tokens_per_second for choice in found]
    assert rates == sorted(rates, reverse=True)
    for choice, asked in zip(found, (0, 0.6, 0.8), strict=True):
        assert choice.trust is not None
        assert choice.trust.probability >= asked


def test_every_shown_plan_carries_odds_and_intervals_around_its_numbers(shipped: Catalog) -> None:
    outcome = search.search(_problem(shipped, TARGETS), shipped)

    for estimate in (*outcome.aggregated, *outcome.disaggregated, *outcome.frontier):
        known = estimate.trust
        assert known is not None
        assert 0 <= known.probability <= 1
        assert known.ttft is not None
        assert known.ttft[0] < estimate.latency.ttft < known.ttft[1]


def test_a_refusal_says_the_highest_probability_and_what_would_be_sure_enough(shipped: Catalog) -> None:
    asked = Targets(ttft=0.2, itl=0.006, confidence=0.95)

    with pytest.raises(NoFeasibleCandidate) as refusal:
        search.search(_problem(shipped, asked), shipped)

    ways = {one.knob: one for one in refusal.value.report.relaxations}
    best = ways["confidence"].value
    assert 0 < best < asked.confidence
    sure = search.search(_problem(shipped, replace(asked, confidence=best)), shipped).choice
    assert sure.trust is not None
    assert sure.trust.probability == pytest.approx(best)
    for knob, change in ways.items():
        if knob in {"ttft", "itl"}:
            loosened = replace(asked, **{knob: change.value * 1.001})
            assert search.search(_problem(shipped, loosened), shipped).choice.trust is not None


def test_confidence_without_compared_runs_is_refused(tmp_path: Path) -> None:
    for path in SHIPPED.iterdir():
        if path.name != accuracy.FILE:
            (tmp_path / path.name).symlink_to(path)
    bare = Catalog(tmp_path)

    with pytest.raises(InvalidWorkload, match="no run of vllm was compared"):
        search.search(_problem(bare, replace(TARGETS, confidence=0.5)), bare)
    assert search.search(_problem(bare, TARGETS), bare).choice.trust is None


def test_confidence_is_a_probability_below_one() -> None:
    with pytest.raises(InvalidWorkload, match="confidence"):
        Targets(confidence=1.0)
