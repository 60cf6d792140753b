"""What fits on a GPU, and what is refused because it does not."""

from dataclasses import replace

import numpy as np
import pytest

from estimator import catalogue, hardware, memory, search
from estimator.backends import registry
from estimator.errors import InvalidWorkload, NoFeasibleCandidate
from estimator.parallelism import Parallel
from estimator.problem import Problem
from estimator.quantization import Dtypes
from estimator.workload import Targets, Workload
from perf_db.catalog import Catalog

GIB = 2**30
EIGHT_BIT = Dtypes(gemm="fp8_block", kv="fp8", attention="bf16", origin={})


@pytest.fixture(scope="module")
def h100(shipped: Catalog) -> hardware.System:
    return hardware.system("h100_sxm", shipped.systems()["h100_sxm"])


def footprint(tp: int, system: hardware.System, model: str = "Qwen/Qwen3-32B-FP8") -> memory.Footprint:
    return memory.footprint(catalogue.load(model), Parallel(tp=tp), EIGHT_BIT, system, registry.engine("vllm"))


@pytest.mark.parametrize("tp", [1, 2, 4, 8])
def test_weights_and_vocabulary_are_shared_out(tp: int, h100: hardware.System) -> None:
    # 31.2 GB of 8-bit matrices and two 16-bit tables of 151,936 x 5,120.
    whole = 31.2e9 + 2 * 151936 * 5120 * 2

    assert footprint(tp, h100).weights * tp == pytest.approx(whole, rel=0.005)


@pytest.mark.parametrize(("tp", "heads"), [(1, 8), (2, 4), (8, 1)])
def test_a_cached_token_takes_keys_and_values_of_the_local_heads(tp: int, heads: int, h100: hardware.System) -> None:
    assert footprint(tp, h100).kv_per_token == 2 * heads * 128 * 1 * 64


def test_a_tied_table_is_stored_once(h100: hardware.System) -> None:
    tied = memory.footprint(
        catalogue.load("Qwen/Qwen3-4B-FP8"), Parallel(), EIGHT_BIT, h100, registry.engine("vllm")
    ).weights
    untied = memory.footprint(
        replace(catalogue.load("Qwen/Qwen3-4B-FP8"), tied=False), Parallel(), EIGHT_BIT, h100, registry.engine("vllm")
    ).weights

    assert untied - tied == 151936 * 2560 * 2


@pytest.mark.parametrize("backend", registry.NAMES)
def test_the_cache_never_takes_more_than_what_is_left(backend: str, h100: hardware.System) -> None:
    engine = registry.engine(backend)
    need = footprint(2, h100)

    budget = memory.cache_budget(need, np.array([1.0 * GIB]), engine, 8192, Parallel(tp=2))

    assert 0 < budget[0] < need.capacity - need.weights - need.fixed - GIB


@pytest.mark.parametrize("backend", registry.NAMES)
def test_every_ranked_worker_holds_its_own_batch(backend: str, customers_problem: Problem, shipped: Catalog) -> None:
    problem = replace(customers_problem, backend=backend, backend_version=None, targets=Targets(ttft=5, itl=0.1))

    outcome = search.search(problem, shipped)

    for row in (*outcome.aggregated, *outcome.disaggregated):
        for worker in row.workers:
            assert worker.memory.used <= worker.memory.capacity
            if worker.role == "prefill":
                continue
            assert worker.memory.kv_cache >= 0.7 * worker.memory.kv_needed


def test_a_model_too_large_for_the_budget_says_how_much_it_needs(customers_problem: Problem, shipped: Catalog) -> None:
    problem = replace(customers_problem, model=catalogue.load("meta-llama/Llama-3.1-70B"), gpus=1)

    with pytest.raises(NoFeasibleCandidate) as caught:
        search.search(problem, shipped)

    report = caught.value.report
    assert report.binding == "memory"
    assert report.needed_bytes is not None
    assert report.needed_bytes > problem.system.gpu.memory_capacity


def test_the_number_of_gpus_that_would_do_is_named(customers_problem: Problem, shipped: Catalog) -> None:
    problem = replace(
        customers_problem, model=catalogue.load("meta-llama/Llama-3.1-70B"), gpus=1, targets=Targets(ttft=5, itl=0.05)
    )
    with pytest.raises(NoFeasibleCandidate) as caught:
        search.search(problem, shipped)

    needed = {relaxation.knob: relaxation.value for relaxation in caught.value.report.relaxations}

    assert search.search(replace(problem, gpus=int(needed["totalGpus"])), shipped).choice.gpus == needed["totalGpus"]


def test_sequences_longer_than_the_model_are_refused(customers_problem: Problem, shipped: Catalog) -> None:
    with pytest.raises(InvalidWorkload, match="at most the model's context of 40960"):
        search.search(replace(customers_problem, workload=Workload(isl=40000, osl=2000)), shipped)
