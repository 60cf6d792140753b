"""One question to several engines: their answers are merged by the rule that each of them ranks by."""

from collections.abc import Mapping
from dataclasses import replace

import pytest

from dgdr_operator import engines
from estimator import catalogue, hardware
from estimator.errors import NoFeasibleCandidate
from estimator.estimates import Infeasible
from estimator.problem import Problem
from estimator.workload import Targets, Workload
from perf_db.catalog import Catalog

BACKENDS = ("vllm", "sglang", "trtllm")


@pytest.fixture(scope="module")
def catalog() -> Catalog:
    return Catalog()


@pytest.fixture
def problem(catalog: Catalog) -> Problem:
    return Problem(
        model=catalogue.load("Qwen/Qwen3-32B-FP8"),
        system=hardware.system("h200_sxm", catalog.systems()["h200_sxm"]),
        backend="vllm",
        gpus=8,
        workload=Workload(isl=4000, osl=500),
        targets=Targets(ttft=0.6, itl=0.01667),
        top=4,
    )


def _each(problem: Problem) -> list[Problem]:
    return [replace(problem, backend=backend) for backend in BACKENDS]


def test_the_choice_is_the_best_of_the_choices(problem: Problem, catalog: Catalog) -> None:
    single = [engines.ask([one], catalog).choice for one in _each(problem)]

    together = engines.ask(_each(problem), catalog).choice

    assert together.load.tokens_per_second == max(one.load.tokens_per_second for one in single)


def test_with_a_load_the_choice_needs_the_fewest_gpus(problem: Problem, catalog: Catalog) -> None:
    loaded = replace(problem, workload=Workload(isl=4000, osl=500, request_rate=3.0))
    single = [engines.ask([one], catalog).choice for one in _each(loaded)]

    assert engines.ask(_each(loaded), catalog).choice.gpus == min(one.gpus for one in single)


def test_for_latency_the_choice_is_the_quickest(problem: Problem, catalog: Catalog) -> None:
    hurried = replace(problem, objective="latency")
    single = [engines.ask([one], catalog).choice for one in _each(hurried)]

    together = engines.ask(_each(hurried), catalog).choice

    assert together.latency.request == min(one.latency.request for one in single)


def test_counts_add_up_and_lists_are_cut(problem: Problem, catalog: Catalog) -> None:
    single = [engines.ask([one], catalog) for one in _each(problem)]

    together = engines.ask(_each(problem), catalog)

    assert together.considered == sum(one.considered for one in single)
    assert sum(together.rejections.values()) == sum(sum(one.rejections.values()) for one in single)
    assert len(together.aggregated) == len(together.disaggregated) == 4


def test_no_point_of_the_joint_frontier_is_beaten_by_any_engine(problem: Problem, catalog: Catalog) -> None:
    points = [point for one in _each(problem) for point in engines.ask([one], catalog).frontier]

    kept = engines.ask(_each(problem), catalog).frontier

    assert {point.backend for point in kept} <= set(BACKENDS)
    for point in kept:
        assert not any(
            (other.tokens_per_second_per_user or 0) > (point.tokens_per_second_per_user or 0)
            and other.tokens_per_second_per_gpu > point.tokens_per_second_per_gpu
            for other in points
        )


def test_dtypes_on_which_engines_differ_are_told_per_engine(problem: Problem, catalog: Catalog) -> None:
    dtypes: Mapping[str, str] = engines.ask(_each(problem), catalog).dtypes

    assert "weights" in dtypes
    assert "attention, vllm" in dtypes


def _refusal(problem: Problem, catalog: Catalog) -> Infeasible:
    with pytest.raises(NoFeasibleCandidate) as refused:
        engines.ask(_each(problem), catalog)
    return refused.value.report


def test_when_all_refuse_the_best_of_every_metric_is_reported(problem: Problem, catalog: Catalog) -> None:
    strict = replace(problem, targets=Targets(ttft=0.05, itl=0.002))

    report = _refusal(strict, catalog)

    assert report.best_ttft is not None
    for one in _each(strict):
        with pytest.raises(NoFeasibleCandidate) as refused:
            engines.ask([one], catalog)
        own = refused.value.report
        assert own.best_ttft is not None
        assert report.best_ttft.latency.ttft <= own.best_ttft.latency.ttft


def test_the_smallest_relaxation_of_every_knob_is_kept(problem: Problem, catalog: Catalog) -> None:
    relaxations = _refusal(replace(problem, targets=Targets(ttft=0.08, itl=0.03)), catalog).relaxations

    assert len({one.knob for one in relaxations}) == len(relaxations) > 0
