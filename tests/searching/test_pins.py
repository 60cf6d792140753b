"""Pins leave plans out and change none: what remains is what the whole search found there, to the last digit."""

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from estimator import catalogue, hardware, pins, search
from estimator.errors import InvalidWorkload, NoFeasibleCandidate
from estimator.estimates import Estimate
from estimator.pins import Pin, Pins
from estimator.problem import Problem
from estimator.workload import Targets, Workload
from perf_db.catalog import Catalog

MODELS = {"Qwen/Qwen3-32B-FP8": "vllm", "Qwen/Qwen3-30B-A3B": "sglang"}


@pytest.fixture(scope="module", params=MODELS)
def problem(request: pytest.FixtureRequest, shipped: Catalog) -> Problem:
    """A dense and a mixture model on one server."""
    return Problem(
        model=catalogue.load(request.param),
        system=hardware.system("h200_sxm", shipped.facts("h200_sxm")),
        backend=MODELS[request.param],
        gpus=8,
        workload=Workload(isl=4000, osl=500),
        targets=Targets(ttft=0.6, itl=0.01667),
    )


def ranked(problem: Problem, shipped: Catalog) -> list[Estimate]:
    """Every ranked plan, the chosen one first."""
    outcome = search.search(problem, shipped)
    return [outcome.choice, *outcome.aggregated, *outcome.disaggregated]


def test_every_ranked_plan_is_found_again_by_its_own_pins(problem: Problem, shipped: Catalog) -> None:
    plans = ranked(problem, shipped)

    again = [search.search(replace(problem, pins=pins.of(plan)), shipped).choice for plan in plans]

    assert again == plans


@pytest.mark.parametrize(
    "text", ["mode=agg", "mode=disagg", "tp=2", "prefill.workers=2,decode.workers=1", "workers=2", "decode.batch=7"]
)
def test_every_ranked_plan_is_as_pinned(text: str, problem: Problem, shipped: Catalog) -> None:
    wanted = pins.parse(text)

    plans = ranked(replace(problem, pins=wanted), shipped)

    sizes = [(plan.mode, size) for plan in plans for size in pins.of(plan).sizes]
    assert all(wanted.allows(mode) for mode, _ in sizes)
    assert all(wanted.size(size.role, size.size) in {None, size.value} for _, size in sizes if size.role)


def test_a_pin_never_finds_more_than_the_whole_search(problem: Problem, shipped: Catalog) -> None:
    best = search.search(problem, shipped).choice

    for text in ("tp=1", "tp=4", "mode=aggregated", "decode.workers=2"):
        pinned = search.search(replace(problem, pins=pins.parse(text)), shipped).choice
        assert pinned.load.tokens_per_second <= best.load.tokens_per_second


def test_pinned_plans_still_have_to_keep_the_promises(problem: Problem, shipped: Catalog) -> None:
    hurried = replace(problem, targets=Targets(ttft=0.02, itl=0.004), pins=pins.parse("mode=agg,tp=2"))

    with pytest.raises(NoFeasibleCandidate) as refused:
        search.search(hurried, shipped)

    assert refused.value.report.best_ttft is not None
    assert refused.value.report.best_ttft.worker("aggregated").parallel.tp == 2


@pytest.mark.parametrize("text", ["tp=3", "tp=8,workers=2", "mode=agg,workers=9", "prefill.tp=8,decode.tp=8"])
def test_pins_that_nothing_can_follow_are_named(text: str, problem: Problem, shipped: Catalog) -> None:
    with pytest.raises(InvalidWorkload, match="pin must be something that") as refused:
        search.search(replace(problem, pins=pins.parse(text)), shipped)

    assert str(pins.parse(text)) in str(refused.value)


@pytest.mark.parametrize(
    "text",
    ["tp", "tp=", "tp=0", "tp=-1", "tp=two", "tp=99999999", "size=2", "mode=both", "cook.tp=2", "mode=agg,decode.tp=2"],
)
def test_what_is_no_pin_is_refused(text: str) -> None:
    with pytest.raises(InvalidWorkload, match="pin must be"):
        pins.parse(text)


def test_roles_of_one_mode_pin_the_mode() -> None:
    assert pins.parse("Prefill.TP=2, decode.replicas=1").mode == "disaggregated"
    assert pins.parse("worker.moe_ep=4").mode == "aggregated"
    assert pins.parse("tp=2").mode is None


SIZES = st.builds(
    Pin, size=st.sampled_from(pins.SIZES), value=st.integers(1, 1000), role=st.sampled_from([None, "prefill", "decode"])
)


@given(mode=st.sampled_from([None, "disaggregated"]), sizes=st.lists(SIZES, max_size=4))
def test_pins_are_read_as_they_are_written(mode: str | None, sizes: list[Pin]) -> None:
    named = any(pin.role for pin in sizes)
    written = Pins(mode="disaggregated" if mode or named else None, sizes=tuple(sizes))

    assert pins.parse(str(written)) == written
