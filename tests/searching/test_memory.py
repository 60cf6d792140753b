"""What fits on a GPU, and what is refused because it does not."""

from dataclasses import replace

import numpy as np
import pytest

from estimator import catalogue, hardware, memory, search
from estimator.backends import registry
from estimator.errors import InvalidWorkload, NoFeasibleCandidate
from estimator.model import Attention, Block, DeltaNet, FeedForward, Latent, Model
from estimator.parallelism import Parallel
from estimator.problem import Problem
from estimator.shape import Shape
from estimator.workload import Targets, Workload
from perf_db.catalog import Catalog
from tests.pricing.dtypes import all_in

GIB = 2**30
EIGHT_BIT = all_in("fp8_block", "fp8")


@pytest.fixture(scope="module")
def h100(shipped: Catalog) -> hardware.System:
    return hardware.system("h100_sxm", shipped.systems()["h100_sxm"])


def a_shape(tp: int, system: hardware.System, model: Model | None = None, engine: str = "vllm") -> Shape:
    return Shape(
        model=model or catalogue.load("Qwen/Qwen3-32B-FP8"),
        parallel=Parallel(tp=tp),
        dtypes=EIGHT_BIT,
        engine=registry.engine(engine),
        system=system,
    )


@pytest.mark.parametrize("tp", [1, 2, 4, 8])
def test_weights_and_vocabulary_are_shared_out(tp: int, h100: hardware.System) -> None:
    # 31.2 GB of 8-bit matrices and two 16-bit tables of 151,936 x 5,120.
    whole = 31.2e9 + 2 * 151936 * 5120 * 2

    assert memory.footprint(a_shape(tp, h100)).weights * tp == pytest.approx(whole, rel=0.005)


@pytest.mark.parametrize(("tp", "heads"), [(1, 8), (2, 4), (8, 1)])
def test_a_cached_token_takes_keys_and_values_of_the_local_heads(tp: int, heads: int, h100: hardware.System) -> None:
    assert memory.cache_bytes(a_shape(tp, h100), np.array(10.0)) == 10 * 2 * heads * 128 * 1 * 64


def test_a_tied_table_is_stored_once(h100: hardware.System) -> None:
    model = catalogue.load("Qwen/Qwen3-4B-FP8")

    tied = memory.footprint(a_shape(1, h100, model)).weights
    untied = memory.footprint(a_shape(1, h100, replace(model, tied=False))).weights

    assert untied - tied == 151936 * 2560 * 2


@pytest.mark.parametrize("backend", registry.NAMES)
def test_the_cache_never_takes_more_than_what_is_left(backend: str, h100: hardware.System) -> None:
    shape = a_shape(2, h100, engine=backend)
    need = memory.footprint(shape)

    budget = memory.cache_budget(shape, need, np.array([1.0 * GIB]), 8192)

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


def _of(*blocks: Block) -> Model:
    return Model(name="toy", architecture="Toy", hidden=1024, vocab=1000, max_position=100000, blocks=blocks)


def test_windows_stop_growing_and_states_never_start(h100: hardware.System) -> None:
    dense = FeedForward(width=1024)
    window = Attention(heads=8, kv_heads=8, head_dim=64, window=128)
    state = DeltaNet(key_heads=4, key_dim=64, value_heads=8, value_dim=64, conv=4)
    windowed = a_shape(1, h100, _of(Block(count=3, mixer=window, ffn=dense)))
    linear = a_shape(1, h100, _of(Block(count=3, mixer=state, ffn=dense)))

    lengths = np.array([64.0, 128, 4096, 100000])

    assert memory.cache_bytes(windowed, lengths) == pytest.approx(3 * 2 * 8 * 64 * np.minimum(lengths, 128))
    assert len(set(memory.cache_bytes(linear, lengths))) == 1


@pytest.mark.parametrize("tp", [1, 8])
def test_every_rank_keeps_the_whole_latent_cache(tp: int, h100: hardware.System) -> None:
    latent = Latent(heads=128, q_rank=1536, kv_rank=512, nope_dim=128, rope_dim=64, v_dim=128)
    shape = a_shape(tp, h100, _of(Block(count=61, mixer=latent, ffn=FeedForward(width=1024))))

    assert memory.cache_bytes(shape, np.array(100.0)) == 100 * 61 * 576
