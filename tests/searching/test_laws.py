"""What must hold for every question: more hardware never hurts, looser promises never hurt."""

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from estimator import catalogue, deciding, hardware, search
from estimator.backends import registry
from estimator.candidates import shapes
from estimator.errors import EstimatorError, NoFeasibleCandidate
from estimator.hardware import System
from estimator.pricing import Prices
from estimator.problem import Problem
from estimator.shape import Shape
from estimator.step import Step
from estimator.workload import Targets, Workload
from perf_db.catalog import Catalog

CATALOG = Catalog()
MODELS = (
    "Qwen/Qwen3-32B-FP8",
    "meta-llama/Llama-3.1-8B",
    "Qwen/Qwen3-30B-A3B",
    "openai/gpt-oss-120b",
    "deepseek-ai/DeepSeek-V3",
)
A_MODEL = st.sampled_from(MODELS)
AN_ENGINE = st.sampled_from(registry.NAMES)
A_SYSTEM = st.sampled_from(("h200_sxm", "h100_sxm", "b200_sxm"))


def system(name: str) -> System:
    return hardware.system(name, CATALOG.systems()[name])


@st.composite
def problems(draw: st.DrawFn) -> Problem:
    return Problem(
        model=catalogue.load(draw(A_MODEL)),
        system=system(draw(A_SYSTEM)),
        backend=draw(AN_ENGINE),
        gpus=draw(st.sampled_from((1, 2, 4, 8))),
        workload=Workload(isl=draw(st.sampled_from((200, 1000, 4000))), osl=draw(st.sampled_from((50, 500, 1500)))),
        targets=Targets(ttft=draw(st.floats(0.1, 5)), itl=draw(st.floats(0.005, 0.1))),
        top=1,
    )


def best(problem: Problem) -> float:
    """Output tokens per second of the choice, 0 if nothing is feasible."""
    try:
        return search.search(problem, CATALOG).choice.load.tokens_per_second
    except NoFeasibleCandidate:
        return 0.0


@given(problem=problems(), factor=st.sampled_from((2, 4)))
@settings(max_examples=15)
def test_more_gpus_never_lower_the_best_output(problem: Problem, factor: int) -> None:
    few = best(problem)

    assert best(replace(problem, gpus=problem.gpus * factor)) >= few


@given(problem=problems(), looser=st.tuples(st.floats(1, 3), st.floats(1, 3)))
@settings(max_examples=15)
def test_a_looser_promise_never_lowers_the_best_output(problem: Problem, looser: tuple[float, float]) -> None:
    tight, targets = best(problem), problem.targets
    relaxed = Targets(ttft=(targets.ttft or 0) * looser[0], itl=(targets.itl or 0) * looser[1])

    assert best(replace(problem, targets=relaxed)) >= tight


@given(problem=problems())
@settings(max_examples=15)
def test_a_choice_keeps_its_promises_and_its_budget(problem: Problem) -> None:
    try:
        outcome = search.search(problem, CATALOG)
    except EstimatorError as refusal:
        assume(isinstance(refusal, NoFeasibleCandidate))
        return

    choice = outcome.choice
    assert choice.gpus <= problem.gpus
    assert choice.latency.ttft <= (problem.targets.ttft or 0)
    assert (choice.latency.itl or 0) <= (problem.targets.itl or 0)
    assert sum(choice.provenance.values()) == pytest.approx(1)


@given(
    name=A_MODEL,
    engine=AN_ENGINE,
    where=A_SYSTEM,
    bandwidth=st.floats(1, 4),
    flops=st.floats(1, 4),
    index=st.integers(0),
)
@settings(max_examples=25)
def test_more_bandwidth_or_flops_never_slow_a_step(
    name: str, engine: str, where: str, bandwidth: float, flops: float, index: int
) -> None:
    slow = system(where)
    fast = replace(
        slow,
        gpu=replace(
            slow.gpu,
            memory_bandwidth=slow.gpu.memory_bandwidth * bandwidth,
            flops={kind: rate * flops for kind, rate in slow.gpu.flops.items()},
        ),
        node=replace(slow.node, inter_bandwidth=slow.node.inter_bandwidth * bandwidth),
    )
    workload = Workload(isl=1000, osl=500)
    before, after = (_step(name, engine, one, workload, index) for one in (slow, fast))

    batches = np.array([1.0, 3, 17, 64, 200])
    tolerance = 1 + 1e-9
    assert (after.decode(batches) <= before.decode(batches) * tolerance).all()
    tokens = np.array([10.0, 500, 1000, 4000, 8000])
    assert (after.mixed(tokens, batches) <= before.mixed(tokens, batches) * tolerance).all()


def _step(name: str, engine: str, where: System, workload: Workload, index: int) -> Step:
    rules, model = registry.engine(engine), catalogue.load(name)
    prices = Prices(CATALOG, CATALOG.resolve(where.name, engine).pack, where)
    dtypes = deciding.resolve(model, rules, prices)
    splits = shapes(model, where, rules, dtypes, 8)
    parallel = splits[index % len(splits)]
    return Step(Shape(model=model, parallel=parallel, dtypes=dtypes, engine=rules, system=where), prices, workload)
