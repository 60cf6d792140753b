"""The speed of light of a worker: the least time that an iteration, or a prompt, can take on its GPUs.

Only kernels that compute or read weights and cache count. Elementwise kernels can be fused away and messages can be
sent meanwhile, so neither belongs to a floor.
"""

from collections.abc import Mapping
from dataclasses import dataclass, replace

import numpy as np

from estimator import deciding, ops
from estimator.backends import registry
from estimator.hardware import System
from estimator.layers.model import operations
from estimator.layers.parts import Phase
from estimator.ops import Array, Placed
from estimator.parallelism import Parallel
from estimator.pricing import light
from estimator.problem import Problem
from estimator.shape import Shape
from estimator.workload import Workload

_NOT_COUNTED = (ops.MemoryOp, ops.Transfer, ops.Collective, ops.ExpertExchange)


@dataclass(frozen=True, slots=True, kw_only=True)
class Floor:
    """Seconds of one GPU that no kernel can beat.

    seconds: every operation at the slower of its two limits, one after the other; computing: all arithmetic at the
    peak rate of its type; moving: all operands once through the memory at its bandwidth.
    """

    seconds: float
    computing: float
    moving: float


def served(problem: Problem, parallel: Parallel, weights: str | None = None) -> Shape:
    """The worker of *problem*'s engine split as *parallel*; weights, problem.kv_dtype: None for what is declared.

    Attention over an 8-bit cache counts as 8-bit arithmetic, which a floor may assume of any engine. Raises
    InvalidWorkload for a type that does not exist.
    """
    engine, model, system = registry.engine(problem.backend), problem.model, problem.system
    kv_dtype = problem.kv_dtype or deciding.default_kv(model, engine)
    dtypes = deciding.stored(model, engine, system.gpu.sm, kv_dtype=kv_dtype, weights=weights)
    dtypes = replace(dtypes, attention="fp8" if dtypes.kv == "fp8" else "bf16")
    return Shape(model=model, parallel=parallel, dtypes=dtypes, engine=engine, system=system, balanced=problem.balanced)


def of_iteration(shape: Shape, workload: Workload, phase: Phase, tokens: float, sequences: float) -> Floor:
    """The floor of an iteration with *tokens* of prompts beside decoding *sequences*, per attention rank, all layers
    and stages. Contexts of decoding sequences are halfway through their life."""
    prompts = tokens / workload.new_tokens
    at = {"token": tokens + sequences, "head": prompts + sequences, "prompt_token": tokens, "sequence": sequences}
    at |= {"decode": sequences, "context": prompts}
    length = {"context": float(workload.isl), "decode": workload.isl + workload.osl / 2}
    placed = [one for one in operations(shape, phase) if at[one.role] > 0 and not isinstance(one.op, _NOT_COUNTED)]
    real, computing, moving = (
        sum(one.count * _seconds(system, one, at, length) for one in placed) for system in _limits(shape.system)
    )
    return Floor(seconds=real, computing=computing, moving=moving)


def _seconds(system: System, placed: Placed, at: Mapping[str, float], length: Mapping[str, float]) -> float:
    asked: list[Array] = [np.asarray(at[placed.role] * placed.scale)]
    if placed.role in length:
        asked.append(np.asarray(length[placed.role]))
    return float(light(system, placed.op, *asked))


def _limits(system: System) -> tuple[System, System, System]:
    """The system, one whose memory is infinitely fast, and one whose arithmetic is."""
    gpu = system.gpu
    instant = dict.fromkeys(gpu.flops, np.inf)
    return (
        system,
        replace(system, gpu=replace(gpu, memory_bandwidth=np.inf)),
        replace(system, gpu=replace(gpu, flops=instant)),
    )
