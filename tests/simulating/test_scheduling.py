"""What a played run keeps, whatever its rules: nobody is lost, nothing is quicker than its work, order is kept."""

from collections.abc import Callable
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from estimator.backends.engine import Policy
from estimator.errors import InvalidWorkload
from estimator.replay import Rules, Stage, Traffic, play
from tests.simulating.plodding import Plodder

POLICIES: tuple[Policy, ...] = ("decode_first", "prompt_only", "whole_prompts")
Ranks = Callable[..., Stage]

rules = st.builds(Rules, policy=st.sampled_from(POLICIES), budget=st.integers(64, 600), seats=st.integers(1, 8))


@st.composite
def traffics(draw: st.DrawFn) -> Traffic:
    """Up to thirty requests, of clients that wait for their answers or at given times."""
    rows = draw(st.lists(st.tuples(st.integers(1, 500), st.integers(1, 40)), min_size=1, max_size=30))
    isl, osl = (np.array(column, np.intp) for column in zip(*rows, strict=True))
    if draw(st.booleans()):
        return Traffic(isl=isl, osl=osl, clients=draw(st.integers(1, 10)))
    gaps = draw(st.lists(st.floats(0, 0.3), min_size=len(rows), max_size=len(rows)))
    return Traffic(isl=isl, osl=osl, times=np.cumsum(gaps))


@given(rules=rules, traffic=traffics())
def test_strides_end_where_single_iterations_do(round_numbers: Ranks, rules: Rules, traffic: Traffic) -> None:
    played = play([round_numbers(rules)], traffic)

    first, done = Plodder(rules).play(traffic)
    # An iteration is 10 ms at least: rounding must not move a token to another one, except where a request comes
    # within a rounding error of its end, which these few draws do not hit.
    assert played.first == pytest.approx(first, abs=1e-6)
    assert played.done == pytest.approx(done, abs=1e-6)


@given(rules=rules, traffic=traffics())
def test_nobody_is_answered_before_the_work_is_done(round_numbers: Ranks, rules: Rules, traffic: Traffic) -> None:
    played = play([round_numbers(rules)], traffic)

    assert (played.ttft >= 10e-3 + 20e-6 * traffic.isl - 1e-9).all()
    assert (played.done - played.first >= 10e-3 * (traffic.osl - 1) - 1e-9).all()


@given(traffic=traffics(), policy=st.sampled_from(POLICIES), reserve=st.sampled_from([0.0, 0.5, 1.0]))
def test_a_tight_cache_delays_and_loses_nobody(
    round_numbers: Ranks, traffic: Traffic, policy: Policy, reserve: float
) -> None:
    tight = Rules(policy=policy, budget=512, seats=64, capacity=560, reserve=reserve)

    played = play([round_numbers(tight)], traffic)

    assert np.isfinite(played.done).all()
    assert reserve < 1 or played.evictions == 0


def test_sequences_that_outgrow_the_cache_are_computed_again(round_numbers: Ranks) -> None:
    traffic = Traffic(isl=np.full(4, 100), osl=np.full(4, 200), clients=4)
    hopeful = Rules(policy="decode_first", budget=512, seats=64, capacity=700, reserve=0.0)

    played = play([round_numbers(hopeful)], traffic)

    roomy = play([round_numbers(replace(hopeful, capacity=2000))], traffic)
    assert played.evictions > 0 == roomy.evictions
    assert played.done.max() > roomy.done.max()


@given(traffic=traffics())
def test_clients_that_wait_are_all_in_flight_until_the_last_request_is_sent(
    round_numbers: Ranks, traffic: Traffic
) -> None:
    closed = replace(traffic, times=None, clients=5)

    played = play([round_numbers(Rules(policy="decode_first", budget=512, seats=64))], closed)

    for sent in played.sent[played.sent < played.sent[-1]]:
        assert ((played.sent <= sent) & (played.done > sent)).sum() == 5


@given(traffic=traffics())
def test_first_tokens_come_in_the_order_in_which_requests_were_sent(round_numbers: Ranks, traffic: Traffic) -> None:
    played = play([round_numbers(Rules(policy="decode_first", budget=256, seats=64))], traffic)

    assert (np.diff(played.first) >= 0).all()


@given(traffic=traffics(), ranks=st.integers(1, 3))
def test_an_overloaded_fleet_answers_no_later_with_more_ranks(
    round_numbers: Ranks, traffic: Traffic, ranks: int
) -> None:
    crowd = replace(traffic, times=np.zeros(len(traffic.isl)))
    waits = Rules(policy="whole_prompts", budget=512, seats=1)

    few, many = (play([round_numbers(waits, count)], crowd) for count in (ranks, 2 * ranks))

    assert many.ttft.mean() <= few.ttft.mean() + 1e-9


def test_a_request_beyond_the_cache_is_refused_with_numbers(round_numbers: Ranks) -> None:
    small = round_numbers(Rules(policy="decode_first", budget=512, seats=64, capacity=1000))

    with pytest.raises(InvalidWorkload, match=r"isl \+ osl must be at most the 1000 tokens .* not 1200"):
        play([small], Traffic(isl=np.array([1000]), osl=np.array([200]), clients=1))


def test_drafted_tokens_shorten_the_answer(round_numbers: Ranks) -> None:
    traffic = Traffic(isl=np.array([100]), osl=np.array([101]), clients=1)
    plain = Rules(policy="decode_first", budget=512, seats=64)

    slow, quick = (play([round_numbers(one)], traffic) for one in (plain, replace(plain, width=3, accepted=2.0)))

    assert quick.itl[0] == pytest.approx(slow.itl[0] / 2)
