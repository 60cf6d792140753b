"""Prefill and decode pools: rates matched, budgets kept, slow links seen."""

from dataclasses import replace

import numpy as np
import pytest

from estimator import catalogue, disaggregated, search
from estimator.errors import NoFeasibleCandidate
from estimator.estimates import Estimate
from estimator.problem import Problem
from estimator.workload import Targets, Workload
from perf_db.catalog import Catalog


def pools(problem: Problem, catalog: Catalog) -> tuple[Estimate, ...]:
    return search.search(replace(problem, modes=("disaggregated",)), catalog).disaggregated


def test_no_pool_takes_more_than_the_budget_or_saturates(customers_problem: Problem, shipped: Catalog) -> None:
    for row in pools(customers_problem, shipped):
        assert row.gpus <= customers_problem.gpus
        assert row.load.utilisation <= disaggregated.BUSIEST_PREFILL
        assert row.load.concurrency == pytest.approx(row.load.request_rate * row.latency.request, abs=0.5)


def test_vllm_joins_only_decode_sizes_that_are_multiples_of_the_prefill_size(
    customers_problem: Problem, shipped: Catalog
) -> None:
    for row in pools(customers_problem, shipped):
        assert row.worker("decode").parallel.tp % row.worker("prefill").parallel.tp == 0


def test_sglang_joins_only_equal_sizes(customers_problem: Problem, shipped: Catalog) -> None:
    loose = replace(customers_problem, backend="sglang", backend_version=None, targets=Targets(ttft=3, itl=0.1))

    for row in pools(loose, shipped):
        assert row.worker("decode").parallel.tp == row.worker("prefill").parallel.tp


def test_a_tcp_link_costs_seconds_where_rdma_costs_milliseconds(customers_problem: Problem, shipped: Catalog) -> None:
    patient = replace(customers_problem, targets=Targets(ttft=30, itl=0.05))

    rdma = pools(replace(patient, transfer_bandwidth=20e9), shipped)[0].latency.ttft_terms["transfer"]
    tcp = pools(replace(patient, transfer_bandwidth=0.1e9), shipped)[0].latency.ttft_terms["transfer"]

    assert rdma < 0.05
    assert tcp > 40 * rdma


def test_the_wait_before_a_busy_pool_grows_and_shrinks_with_company() -> None:
    busy = np.array([0.1, 0.5, 0.9, 0.95])

    lonely = disaggregated.wait_seconds(0.2, np.ones(4), busy, 1.0)
    crowd = disaggregated.wait_seconds(0.2, np.full(4, 8.0), busy, 1.0)

    assert (np.diff(lonely) > 0).all()
    assert (crowd < lonely).all()
    # One server with Poisson arrivals and constant service: Pollaczek-Khinchine gives rho / (2 (1 - rho)) x service.
    assert lonely == pytest.approx(0.2 * busy / (2 * (1 - busy)))


def _brute_force(problem: Problem, catalog: Catalog) -> float:
    """The best output over every number of workers, found by trying them all."""
    best = 0.0
    for row in _every_pool(problem, catalog):
        ok = row[0] <= (problem.targets.ttft or 0) and row[1] <= (problem.targets.itl or 0)
        best = max(best, row[2]) if ok else best
    return best


def _every_pool(problem: Problem, catalog: Catalog) -> list[tuple[float, float, float]]:
    prefill, decode = search.pool_workers(problem, catalog)
    rows = []
    for source in prefill:
        for sink in decode:
            small, large = source.step.shape.parallel.tp, sink.step.shape.parallel.tp
            if large % small:
                continue
            rows += _counts(problem, source, sink)
    return rows


def _counts(
    problem: Problem, source: disaggregated.PrefillWorker, sink: disaggregated.DecodeWorker
) -> list[tuple[float, float, float]]:
    small, large = source.step.shape.parallel.gpus, sink.step.shape.parallel.gpus
    shape, workload = source.step.shape, problem.workload
    moved = disaggregated.transfer_seconds(shape, workload, problem.system.node.inter_bandwidth, min(small, large))
    rows = []
    for servers in range(1, problem.gpus + 1):
        for count in range(1, problem.gpus + 1):
            if servers * small + count * large > problem.gpus:
                continue
            rate = count * sink.rate[sink.admits]
            busy = rate / (servers * source.rate)
            able = busy <= disaggregated.BUSIEST_PREFILL
            seconds = sink.seconds[sink.admits][able]
            wait = disaggregated.wait_seconds(source.seconds, np.full(able.sum(), float(servers)), busy[able], 0.3)
            ttft = shape.engine.host.frontend + wait + source.seconds + moved + seconds
            rows += list(zip(ttft, seconds, rate[able] * workload.osl, strict=True))
    return rows


@pytest.mark.parametrize(("isl", "osl"), [(4000, 500), (8000, 200), (500, 1500)])
def test_matching_rates_finds_what_trying_everything_finds(
    customers_problem: Problem, shipped: Catalog, isl: int, osl: int
) -> None:
    problem = replace(
        customers_problem,
        workload=Workload(isl=isl, osl=osl),
        modes=("disaggregated",),
        targets=Targets(ttft=1.5, itl=0.02),
    )

    found = search.search(problem, shipped).choice.load.tokens_per_second

    assert found == pytest.approx(_brute_force(problem, shipped), rel=1e-9)


@pytest.mark.parametrize("concurrency", [8, 40])
def test_a_load_asked_for_is_carried_by_the_fewest_gpus(
    customers_problem: Problem, shipped: Catalog, concurrency: int
) -> None:
    asked = replace(
        customers_problem,
        workload=Workload(isl=4000, osl=500, concurrency=concurrency),
        targets=Targets(ttft=2, itl=0.03),
    )

    choice = search.search(asked, shipped).choice

    assert choice.load.concurrency >= concurrency
    for gpus in range(1, choice.gpus):
        with pytest.raises(NoFeasibleCandidate):
            search.search(replace(asked, gpus=gpus), shipped)


def test_a_rate_asked_for_is_served(customers_problem: Problem, shipped: Catalog) -> None:
    asked = replace(
        customers_problem, workload=Workload(isl=4000, osl=500, request_rate=3.0), targets=Targets(ttft=2, itl=0.03)
    )

    assert search.search(asked, shipped).choice.load.request_rate >= 3.0


def test_copies_of_busy_experts_only_help_beyond_a_node(customers_problem: Problem, shipped: Catalog) -> None:
    wide = replace(
        customers_problem,
        model=catalogue.load("deepseek-ai/DeepSeek-V3"),
        backend="sglang",
        backend_version=None,
        gpus=16,
        targets=Targets(ttft=5, itl=0.1),
        modes=("aggregated",),
    )

    plain = {str(row.workers[0].parallel): row for row in search.search(wide, shipped).aggregated}
    copied = {
        str(row.workers[0].parallel): row for row in search.search(replace(wide, balanced=True), shipped).aggregated
    }

    spread = [shape for shape in plain.keys() & copied.keys() if copied[shape].workers[0].parallel.moe_ep == 16]
    assert spread
    for shape in plain.keys() & copied.keys():
        better = copied[shape].load.tokens_per_second / plain[shape].load.tokens_per_second
        assert better > 1 if shape in spread else better == 1
