"""The closed forms of two pools beside played runs of them, requests coming at random."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass

import numpy as np

from estimator import disaggregated
from estimator.parallelism import Parallel
from estimator.replay import Traffic, play, stages, traffic
from estimator.step import Step
from estimator.workload import Workload

Priced = Callable[[str, str, Parallel, Workload], Step]

MODEL = "Qwen/Qwen3-32B-FP8"
LENGTHS = ((4000, 500), (1000, 1000), (8000, 200), (2000, 300))
LINK, REQUESTS, EVERY = 50e9, 800, 7
"""Bytes per second between the pools; requests of a run; of all pairs of pools, one in so many is played."""
BUSY = 0.8
"""Share of the prefill pool's time up to which its queue is held to a bound: beyond, one draw is not a mean."""


@dataclass(frozen=True)
class Point:
    """One pair of pools: busy: share of the prefill pool's time; errors: closed form / played - 1."""

    busy: float
    itl: float
    ttft: float


def points(priced: Priced) -> Iterator[Point]:
    """Pairs of pools of three engines, two splits, four pairs of lengths and three decode batches."""
    for backend in ("vllm", "sglang", "trtllm"):
        for tp in (2, 4):
            for isl, osl in LENGTHS:
                # Any rate: that there is one says that clients know nothing of each other.
                workload = Workload(isl=isl, osl=osl, request_rate=1.0)
                step = priced(backend, MODEL, Parallel(tp=tp), workload)
                prefill = disaggregated.prefill_workers(step, workload)[0]
                decode = disaggregated.decode_worker(step, workload, np.array([8.0, 24.0, 64.0]))
                pools = disaggregated.match(prefill, decode, workload, 8 * tp, LINK)
                assert pools is not None
                for row in range(0, len(pools.rate), EVERY):
                    yield point(pools, row, workload)


def point(pools: disaggregated.Pools, row: int, workload: Workload) -> Point:
    """The pair of pools in *row*, played at its own rate."""
    step, decode = pools.prefill.step, pools.decode
    dice, batch = np.random.default_rng(1), int(decode.batch[pools.row[row]])
    feeding, receiving = (step, int(pools.prefill_count[row])), (decode.step, int(pools.decode_count[row]))
    pair = stages.pools(feeding, receiving, workload, requests=batch, bandwidth=LINK)
    times = traffic.poisson(float(pools.rate[row]), REQUESTS, dice=dice)
    isl, osl = (np.full(REQUESTS, length) for length in (workload.isl, workload.osl))
    played = play(pair, Traffic(isl=isl, osl=osl, times=times)).steady().summary()
    assert played.itl is not None
    return Point(
        busy=float(pools.utilisation[row]),
        itl=float(decode.seconds[pools.row[row]]) / played.itl.mean - 1,
        ttft=float(pools.ttft[row]) / played.ttft.mean - 1,
    )


def test_the_closed_forms_of_two_pools_hold_at_random_arrivals(priced: Priced) -> None:
    grid = [one for one in points(priced) if one.busy <= BUSY]

    assert len(grid) >= 100
    itl, ttft = (np.abs([getattr(one, name) for one in grid]) for name in ("itl", "ttft"))
    # Over 107 points: ttft off by 6.7 % on average and 11.8 % at most; itl by 3.5 % and 24 %, 79 % of it within 5 %:
    # a request that comes at random finds a larger batch than the mean one that the closed form has it in.
    assert ttft.max() <= 0.15
    assert (itl <= 0.05).mean() >= 0.75
    assert itl.mean() <= 0.05
