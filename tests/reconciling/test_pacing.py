"""The pace of writes: a burst after a rest, and never more than the ceiling over any longer time."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from dgdr_operator.controller.pace import Bucket


@given(
    rate=st.floats(0.5, 1000),
    burst=st.floats(0, 10),
    pauses=st.lists(st.floats(0, 3), min_size=1, max_size=60),
)
def test_no_stretch_of_time_has_more_writes_than_its_share_and_one_burst(
    rate: float, burst: float, pauses: list[float]
) -> None:
    bucket, now, starts = Bucket(rate, burst), 0.0, []
    for pause in pauses:
        now += pause
        starts.append(now + bucket.take(now))

    assert starts == sorted(starts)
    for first in range(len(starts)):
        for last in range(first, len(starts)):
            assert last - first + 1 <= rate * (starts[last] - starts[first] + burst) + 1 + 1e-6


@given(rate=st.floats(0.5, 1000), writes=st.integers(1, 50))
def test_after_a_rest_a_burst_goes_through_at_once(rate: float, writes: int) -> None:
    bucket = Bucket(rate, burst=writes / rate)
    bucket.take(0.0)

    waits = [bucket.take(1e6) for _ in range(writes)]

    assert max(waits) <= 1e-6
    assert bucket.take(1e6) > 0
