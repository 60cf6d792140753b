"""The closed forms of a worker agree with the conservation laws they stand for."""

from dataclasses import replace

import numpy as np
import pytest

from estimator import aggregated, catalogue, deciding, hardware, search
from estimator.backends import registry
from estimator.parallelism import Parallel
from estimator.pricing import Prices
from estimator.problem import Problem
from estimator.shape import Shape
from estimator.step import Step
from estimator.workload import Workload
from perf_db.catalog import Catalog, PackName

VERSIONS = {"vllm": "0.12.0", "sglang": "0.5.6.post2", "trtllm": "1.2.0rc5"}


def a_step(catalog: Catalog, backend: str, workload: Workload, *, tp: int = 2, system: str = "h200_sxm") -> Step:
    engine = registry.engine(backend)
    facts = hardware.system(system, catalog.systems()[system])
    prices = Prices(catalog, PackName(system=system, backend=backend, version=VERSIONS[backend]), facts)
    model = catalogue.load("Qwen/Qwen3-32B-FP8")
    dtypes = deciding.resolve(model, engine, prices)
    shape = Shape(model=model, parallel=Parallel(tp=tp), dtypes=dtypes, engine=engine, system=facts)
    return Step(shape, prices, workload)


@pytest.mark.parametrize("backend", VERSIONS)
@pytest.mark.parametrize(("isl", "osl"), [(4000, 500), (1000, 1000), (8000, 100), (100, 2000)])
def test_requests_in_flight_are_throughput_times_time_in_the_worker(
    shipped: Catalog, backend: str, isl: int, osl: int
) -> None:
    workload = Workload(isl=isl, osl=osl)
    requests = np.array([1.0, 2, 8, 32, 64])

    found = aggregated.estimate(a_step(shipped, backend, workload), workload, requests)

    inside = found.terms["queue"] + found.terms["prefill"] + found.itl * (osl - 1)
    assert found.request_rate * inside == pytest.approx(requests, rel=0.01)


@pytest.mark.parametrize("backend", VERSIONS)
def test_a_lone_request_takes_its_prefill_and_its_decode_steps(shipped: Catalog, backend: str) -> None:
    workload = Workload(isl=4000, osl=500)
    step = a_step(shipped, backend, workload)

    found = aggregated.estimate(step, workload, np.array([1.0]))

    assert found.itl[0] == pytest.approx(float(step.decode(np.array(1.0))), rel=0.01)
    assert found.terms["queue"][0] == 0


@pytest.mark.parametrize("backend", VERSIONS)
def test_more_requests_in_flight_never_make_tokens_come_faster(shipped: Catalog, backend: str) -> None:
    workload = Workload(isl=2000, osl=300)

    found = aggregated.estimate(a_step(shipped, backend, workload), workload, np.arange(1.0, 129))

    # Measured decode attention dips a little between some batch sizes; no dip is worth more than one percent.
    assert (found.itl[1:] >= found.itl[:-1] * 0.99).all()


def test_a_request_of_one_token_is_all_prefill(shipped: Catalog) -> None:
    workload = Workload(isl=2000, osl=1)
    step = a_step(shipped, "vllm", workload)

    found = aggregated.estimate(step, workload, np.array([1.0, 4.0]))

    assert (found.itl == 0).all()
    assert found.request_rate * found.terms["prefill"] == pytest.approx([1, 1])


def test_one_output_token_has_no_time_between_tokens(shipped: Catalog, customers_problem: Problem) -> None:
    problem = replace(customers_problem, workload=Workload(isl=2000, osl=1))

    choice = search.search(problem, shipped).choice

    assert choice.latency.itl is None
    assert choice.tokens_per_second_per_user is None
    assert choice.latency.request == choice.latency.ttft


def test_a_cached_prefix_only_helps(shipped: Catalog, customers_problem: Problem) -> None:
    cold = search.search(customers_problem, shipped).choice
    warm = search.search(
        replace(customers_problem, workload=replace(customers_problem.workload, prefix=3000)), shipped
    ).choice

    assert warm.load.tokens_per_second > cold.load.tokens_per_second


@pytest.mark.parametrize("tp", [1, 2, 4, 8])
def test_no_step_is_faster_than_reading_the_weights_once(shipped: Catalog, customers_problem: Problem, tp: int) -> None:
    workload = Workload(isl=1000, osl=1000)
    step = a_step(shipped, "vllm", workload, tp=tp)

    weights = 31.2e9 / tp / customers_problem.system.gpu.memory_bandwidth

    assert (step.decode(np.arange(1.0, 257)) >= weights).all()


def test_a_slower_memory_never_makes_a_step_faster(shipped: Catalog) -> None:
    workload = Workload(isl=1000, osl=1000)
    step = a_step(shipped, "vllm", workload)
    facts = hardware.system("h200_sxm", shipped.systems()["h200_sxm"])
    halved = replace(facts, gpu=replace(facts.gpu, memory_bandwidth=facts.gpu.memory_bandwidth / 2))

    prices = Prices(shipped, PackName(system="h200_sxm", backend="vllm", version="0.12.0"), halved)
    slower = Step(replace(step.shape, system=halved), prices, workload)

    batches = np.array([1.0, 7, 32, 100])
    assert (slower.decode(batches) >= step.decode(batches)).all()
    assert (slower.mixed(np.full(4, 900.0), batches) >= step.mixed(np.full(4, 900.0), batches)).all()


def test_drafted_tokens_come_in_fewer_and_longer_iterations(shipped: Catalog) -> None:
    plain, drafting = Workload(isl=1000, osl=1000), Workload(isl=1000, osl=1000, drafts=2, acceptance=0.5)

    one = a_step(shipped, "vllm", plain).decode(np.array([8.0]))
    two = a_step(shipped, "vllm", drafting).decode(np.array([8.0]))

    # 1 + 0.5 + 0.25 tokens an iteration; three tokens a sequence are computed and two heads more.
    assert drafting.tokens_per_iteration == 1.75
    assert one < two < 3 * one


def test_a_draft_never_accepted_only_costs(shipped: Catalog, customers_problem: Problem) -> None:
    hopeless = replace(customers_problem.workload, drafts=1, acceptance=0.0)

    problem = replace(customers_problem, modes=("aggregated",))

    plain = search.search(problem, shipped).choice
    drafting = search.search(replace(problem, workload=hopeless), shipped).choice

    assert drafting.load.tokens_per_second < plain.load.tokens_per_second
