"""The speed of light of a worker: what arithmetic and memory alone cost, which no kernel can undercut."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from estimator import catalogue, floor, hardware
from estimator.parallelism import Parallel
from estimator.problem import Problem
from estimator.shape import Shape
from estimator.workload import Targets, Workload
from perf_db.catalog import Catalog

WORKLOAD = Workload(isl=1000, osl=500)
PARAMETERS = 31.2e9
"""Weights of Qwen3-32B that a token meets, without the embedding (64 layers; config.json of Qwen/Qwen3-32B)."""


def _worker(tp: int = 1, model: str = "Qwen/Qwen3-32B-FP8") -> Shape:
    system = hardware.system("h200_sxm", Catalog().systems()["h200_sxm"])
    problem = Problem(
        model=catalogue.load(model), system=system, backend="vllm", gpus=tp, workload=WORKLOAD, targets=Targets()
    )
    return floor.served(problem, Parallel(tp=tp))


def test_a_prompt_costs_two_operations_per_weight_and_token() -> None:
    worker = _worker()
    found = floor.of_iteration(worker, WORKLOAD, "prefill", 1000.0, 0.0)

    weights = 2 * PARAMETERS * 1000 / worker.system.gpu.flops["fp8"]
    assert weights < found.computing < 1.1 * weights


def test_decoding_one_sequence_reads_every_weight_once() -> None:
    worker = _worker()
    found = floor.of_iteration(worker, WORKLOAD, "decode", 0.0, 1.0)

    once = PARAMETERS / worker.system.gpu.memory_bandwidth
    assert once < found.moving < 1.1 * once


@given(tokens=st.floats(1, 16384), sequences=st.floats(0, 512).filter(lambda count: count == 0 or count > 1e-3))
def test_a_floor_is_no_lower_than_either_limit_and_no_higher_than_both(tokens: float, sequences: float) -> None:
    found = floor.of_iteration(_worker(), WORKLOAD, "prefill", tokens, sequences)

    assert max(found.computing, found.moving) <= found.seconds * (1 + 1e-9)
    assert found.seconds <= (found.computing + found.moving) * (1 + 1e-9)


@pytest.mark.parametrize("model", ["Qwen/Qwen3-32B-FP8", "openai/gpt-oss-120b", "Qwen/Qwen3-8B"])
def test_two_gpus_are_at_most_twice_as_fast(model: str) -> None:
    one, two = (floor.of_iteration(_worker(tp, model), WORKLOAD, "decode", 0.0, 64.0) for tp in (1, 2))

    assert one.seconds / 2 <= two.seconds * (1 + 1e-9)
    assert two.seconds < one.seconds
