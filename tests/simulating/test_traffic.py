"""What comes, and what bursts do to those who wait."""

from collections.abc import Callable

import numpy as np
import pytest

from estimator.errors import InvalidWorkload
from estimator.ops import Array
from estimator.replay import Played, Rules, Stage, Traffic, play, traffic

Ranks = Callable[..., Stage]
RULES = Rules(policy="decode_first", budget=2048, seats=64)


def _alike(times: Array) -> Traffic:
    return Traffic(isl=np.full(len(times), 1000), osl=np.full(len(times), 50), times=times)


def test_a_burst_hurts_the_last_in_line_and_not_the_rate(round_numbers: Ranks) -> None:
    even = np.linspace(0, 80, 400)
    bursts = np.repeat(np.linspace(0, 78, 40), 10)

    calm, crowded = (play([round_numbers(RULES)], _alike(times)).summary() for times in (even, bursts))

    assert crowded.ttft.p99 > 3 * calm.ttft.p99
    assert crowded.ttft.p50 > calm.ttft.p50
    assert crowded.tokens_per_second == pytest.approx(calm.tokens_per_second, rel=0.05)


def test_arrivals_at_random_wait_longer_than_evenly_spaced_ones(
    round_numbers: Ranks, dice: np.random.Generator
) -> None:
    at_random = traffic.poisson(5, 2000, dice=dice)
    even = np.linspace(0, 400, 2000)

    wild, calm = (play([round_numbers(RULES)], _alike(times)).summary() for times in (at_random, even))

    assert wild.ttft.mean > calm.ttft.mean
    assert wild.ttft.p99 > 1.5 * calm.ttft.p99


def test_the_same_seed_plays_the_same_run_and_another_seed_another(round_numbers: Ranks) -> None:
    def played(seed: int) -> Played:
        dice = np.random.default_rng(seed)
        isl, osl = (traffic.lengths(nominal, 300, spread=0.2, dice=dice) for nominal in (1000, 50))
        coming = Traffic(isl=isl, osl=osl, times=traffic.poisson(5, 300, dice=dice))
        return play([round_numbers(RULES, 3)], coming)

    once, again, other = played(1), played(1), played(2)

    assert (once.first == again.first).all()
    assert (once.done == again.done).all()
    assert (once.done != other.done).any()


def test_random_arrivals_come_at_their_rate(dice: np.random.Generator) -> None:
    times = traffic.poisson(8, 20_000, dice=dice)

    gaps = np.diff(times)
    assert (gaps >= 0).all()
    # Three standard errors of 20,000 exponential gaps are 2 %.
    assert gaps.mean() == pytest.approx(1 / 8, rel=0.02)
    assert gaps.std() == pytest.approx(1 / 8, rel=0.03)


def test_lengths_stay_within_their_spread(dice: np.random.Generator) -> None:
    drawn = traffic.lengths(4000, 20_000, spread=0.2, dice=dice)

    assert (drawn.min(), drawn.max()) == (3200, 4000)
    assert drawn.mean() == pytest.approx(3600, rel=0.01)


def test_lengths_without_spread_are_all_alike(dice: np.random.Generator) -> None:
    assert (traffic.lengths(500, 10, dice=dice) == 500).all()


def test_a_trace_is_played_in_order_from_its_first_request() -> None:
    coming = traffic.trace([(105.0, 30, 3), (100.0, 10, 1), (101.5, 20, 2)])

    assert coming.times is not None
    assert coming.times.tolist() == [0, 1.5, 5]
    assert (coming.isl.tolist(), coming.osl.tolist()) == ([10, 20, 30], [1, 2, 3])


@pytest.mark.parametrize(
    ("rows", "complaint"),
    [
        ([], "trace must be at least one request"),
        ([(float("nan"), 1, 1)], "trace must be finite times"),
        ([(0.0, 0, 1)], "isl must be at least 1 token, not 0"),
        ([(0.0, 1, -3)], "osl must be at least 1 token, not -3"),
    ],
)
def test_an_impossible_trace_is_refused(rows: list[tuple[float, int, int]], complaint: str) -> None:
    with pytest.raises(InvalidWorkload, match=complaint):
        traffic.trace(rows)


def test_clients_and_rates_must_be_positive(dice: np.random.Generator) -> None:
    with pytest.raises(InvalidWorkload, match="concurrency"):
        Traffic(isl=np.array([1]), osl=np.array([1]))
    with pytest.raises(InvalidWorkload, match="requestRate"):
        traffic.poisson(0, 5, dice=dice)


def test_answers_of_one_token_have_no_time_between_tokens(round_numbers: Ranks) -> None:
    coming = Traffic(isl=np.full(9, 100), osl=np.ones(9, np.intp), clients=2)

    summary = play([round_numbers(RULES)], coming).summary()

    assert summary.itl is None
    assert summary.ttft == summary.latency
