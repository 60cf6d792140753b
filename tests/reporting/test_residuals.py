"""The mean error taken apart: parts that sum up to the whole, and the runs that weigh most."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dgdr_operator.report import accuracy, residuals
from dgdr_operator.report.accuracy import Pair, Setting

RUNS = st.lists(
    st.tuples(
        st.sampled_from(("vllm", "sglang")),
        st.sampled_from(("a/first", "a/second")),
        st.floats(0.001, 1.0),
        st.floats(0.001, 1.0),
        st.integers(1, 5000),
    ),
    min_size=1,
    max_size=20,
)


def _pair(run: tuple[str, str, float, float, int]) -> Pair:
    backend, model, predicted, measured, concurrency = run
    return Pair(
        name=f"run {concurrency}",
        backend=backend,
        system="h200_sxm",
        model=model,
        setting=Setting(configuration="tp8pp1", isl=1000, osl=100, concurrency=concurrency, gpus=8),
        ttft=(predicted, measured),
        itl=(predicted, measured),
        throughput=None,
        evidence="measured",
        arithmetic=0.0,
    )


@given(runs=RUNS, grouping=st.sampled_from(("backend", "system", "model", "load")))
def test_the_parts_sum_up_to_the_mean_error(runs: list[tuple[str, str, float, float, int]], grouping: str) -> None:
    pairs = [_pair(run) for run in runs]
    whole = accuracy.standing(pairs, "itl")

    parts = residuals.contributions(accuracy.shares(accuracy.members(pairs, grouping)), "itl")

    assert whole is not None
    assert sum(parts.values()) == pytest.approx(whole.score.mean)


@given(runs=RUNS)
def test_the_worst_runs_are_the_largest_parts_of_it(runs: list[tuple[str, str, float, float, int]]) -> None:
    pairs = [_pair(run) for run in runs]
    whole = accuracy.standing(pairs, "ttft")

    rows = residuals.worst(pairs)["ttft"]

    shares = [row["share"] for row in rows]
    assert whole is not None
    assert shares == sorted(shares, reverse=True)
    assert sum(shares) <= whole.score.mean * (1 + 1e-9)
    assert len(rows) == min(len(pairs), 10)
    assert residuals.worst(pairs)["throughput"] == []


@pytest.mark.parametrize(
    ("concurrency", "words"), [(8, "0 to 1"), (9, "1 to 4"), (128, "4 to 16"), (513, "64 and more")]
)
def test_loads_are_told_by_requests_per_gpu(concurrency: int, words: str) -> None:
    assert accuracy.load(_pair(("vllm", "a/first", 1.0, 1.0, concurrency))).strip() == f"{words} per GPU"
