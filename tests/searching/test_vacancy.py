"""Free GPUs come in pieces: what is said to fit can be laid out on the nodes, and the other way round."""

from collections import Counter
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from estimator import advising, search
from estimator.errors import NoFeasibleCandidate
from estimator.problem import Problem
from estimator.vacancy import Vacancy
from perf_db.catalog import Catalog


def vacancy(*free: int, node_gpus: int = 8, limit: int | None = None) -> Vacancy:
    """Nodes with so many free GPUs each."""
    return Vacancy(free=dict(Counter(free)), node_gpus=node_gpus, limit=limit)


def can_be_laid_out(free: tuple[int, ...], parts: tuple[int, ...]) -> bool:
    """Tries every node for every part: slow, and right."""
    if not parts:
        return True
    first, rest = parts[0], parts[1:]
    return any(
        can_be_laid_out((*free[:node], left - first, *free[node + 1 :]), rest)
        for node, left in enumerate(free)
        if left >= first and left not in free[:node]
    )


def parts_of(worker: int, count: int) -> tuple[int, ...]:
    """The pods of so many workers on nodes of eight GPUs."""
    return (min(worker, 8),) * (max(1, worker // 8) * count)


@given(
    free=st.lists(st.integers(0, 8), min_size=1, max_size=4),
    sizes=st.tuples(st.sampled_from([1, 2, 4, 8, 16]), st.sampled_from([1, 2, 4, 8, 16])),
    counts=st.tuples(st.integers(0, 3), st.integers(0, 3)),
)
def test_two_kinds_of_workers_fit_exactly_when_they_can_be_laid_out(
    free: list[int], sizes: tuple[int, int], counts: tuple[int, int]
) -> None:
    parts = sorted(parts_of(sizes[0], counts[0]) + parts_of(sizes[1], counts[1]), reverse=True)

    (fits,) = vacancy(*free).fits(sizes, [np.array([count]) for count in counts])

    assert fits == can_be_laid_out(tuple(free), tuple(parts))


@given(
    free=st.lists(st.integers(0, 6), min_size=1, max_size=3),
    sizes=st.tuples(st.sampled_from([1, 2, 4, 6]), st.sampled_from([1, 2, 4, 6])),
    counts=st.tuples(st.integers(0, 2), st.integers(0, 2)),
)
def test_on_nodes_of_six_nothing_is_promised_that_cannot_be_laid_out(
    free: list[int], sizes: tuple[int, int], counts: tuple[int, int]
) -> None:
    parts = sorted((sizes[0],) * counts[0] + (sizes[1],) * counts[1], reverse=True)

    (fits,) = vacancy(*free, node_gpus=6).fits(sizes, [np.array([count]) for count in counts])

    assert not fits or can_be_laid_out(tuple(free), tuple(parts))


@given(free=st.lists(st.integers(0, 8), min_size=1, max_size=5), gpus=st.sampled_from([1, 2, 4, 8, 16, 32]))
def test_the_most_workers_of_one_kind_fit_and_one_more_does_not(free: list[int], gpus: int) -> None:
    here = vacancy(*free)

    most = here.most(gpus)

    assert here.fits([gpus, gpus], [np.array([most, most + 1]), np.array([0, 0])]).tolist() == [True, False]


def test_four_gpus_on_four_nodes_are_no_worker_of_four() -> None:
    assert [vacancy(1, 1, 1, 1).most(gpus) for gpus in (1, 2, 4)] == [4, 0, 0]
    assert vacancy(8, 8).most(16) == 1
    assert vacancy(8, 7).most(16) == 0


def test_a_limit_binds_although_nodes_are_free() -> None:
    assert vacancy(8, 8, limit=6).most(2) == 3
    assert vacancy(8, 8, limit=6).gpus == 6


def test_what_is_free_is_told_largest_pieces_first() -> None:
    assert str(vacancy(1, 4, 1)) == "6 GPUs: 4 on 1 node, 1 on 2 nodes"
    assert str(vacancy(0, 0)) == "no GPU"
    assert str(vacancy(8, limit=2)) == "8 GPUs: 8 on 1 node; at most 2 may be taken"


def placed(problem: Problem, here: Vacancy) -> Problem:
    """The question, to be answered on those nodes."""
    return replace(problem, vacancy=here)


@pytest.mark.parametrize("free", [(8,), (4, 4), (4, 2, 1, 1), (6,), (3, 3, 3)])
def test_every_plan_of_a_search_can_be_laid_out(
    customers_problem: Problem, shipped: Catalog, free: tuple[int, ...]
) -> None:
    here = vacancy(*free)

    outcome = search.search(placed(customers_problem, here), shipped)

    for plan in (*outcome.aggregated, *outcome.disaggregated, *outcome.frontier):
        parts = [part for w in plan.workers for part in parts_of(w.parallel.gpus, w.count * plan.replicas)]
        assert can_be_laid_out(free, tuple(sorted(parts, reverse=True))), plan


@pytest.mark.parametrize("load", [{"concurrency": 20.0}, {"request_rate": 1.5}])
def test_a_load_is_carried_in_the_pieces_that_are_free(
    customers_problem: Problem, shipped: Catalog, load: dict[str, Any]
) -> None:
    asked = replace(customers_problem, workload=replace(customers_problem.workload, **load))

    outcome = search.search(placed(asked, vacancy(4, 2)), shipped)

    assert outcome.choice.gpus <= 6
    assert max(worker.parallel.gpus for worker in outcome.choice.workers) <= 4
    carried = outcome.choice.load
    assert carried.concurrency >= load.get("concurrency", 0)
    assert carried.request_rate >= load.get("request_rate", 0)


def test_room_everywhere_changes_nothing(customers_problem: Problem, shipped: Catalog) -> None:
    bound, free = placed(customers_problem, vacancy(8)), customers_problem

    assert search.search(bound, shipped).choice == search.search(free, shipped).choice


@pytest.mark.parametrize("here", [vacancy(*[1] * 8), vacancy(0), vacancy(8, limit=1)])
def test_where_only_free_gpus_are_missing_they_are_what_binds(
    customers_problem: Problem, shipped: Catalog, here: Vacancy
) -> None:
    quick = replace(customers_problem.targets, itl=0.009)
    problem = replace(placed(customers_problem, here), targets=quick)
    with pytest.raises(NoFeasibleCandidate) as refused:
        search.search(problem, shipped)

    report = advising.advised(problem, refused.value.report, shipped)

    assert report.binding == "gpus"
    assert [one.knob for one in report.relaxations] == ["freeGpus"]
    assert any("each on one node" in note and str(here) in note for note in report.notes)
