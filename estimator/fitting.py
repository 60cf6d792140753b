"""The smallest worker that holds a model, by memory alone: nothing is priced, so nothing has to be measured."""

from collections.abc import Iterator

import numpy as np

from estimator import candidates, deciding, memory
from estimator.backends import registry
from estimator.errors import InvalidWorkload
from estimator.estimates import Worker
from estimator.problem import Problem
from estimator.quantization import Dtypes
from estimator.shape import Shape


def smallest(problem: Problem) -> Worker | None:
    """The aggregated worker on the fewest GPUs that starts and serves a request of *problem*; None if none does.

    Its batch is as large as the cache holds whole requests for; targets play no part. Raises InvalidWorkload for
    sequences longer than the model's context.
    """
    length, most = problem.workload.isl + problem.workload.osl, problem.model.max_position
    if length > most:
        raise InvalidWorkload("isl + osl", length, f"at most the model's context of {most} tokens")
    by_size = sorted(_shapes(problem), key=lambda one: (one.parallel.gpus, one.parallel))
    for shape in by_size:
        if memory.needed_capacity(shape, problem.workload) <= problem.system.gpu.memory_capacity:
            return _worker(problem, shape)
    return None


def needed(problem: Problem) -> float:
    """Bytes that the leanest copy takes, all its GPUs together."""
    sizes = (memory.needed_capacity(shape, problem.workload) * shape.parallel.gpus for shape in _shapes(problem))
    return min(sizes, default=0.0)


def dtypes(problem: Problem) -> Dtypes:
    """The types of weights and cache, as a search would decide them."""
    engine = registry.engine(problem.backend)
    return deciding.stored(problem.model, engine, problem.system.gpu.sm, kv_dtype=problem.kv_dtype)


def _shapes(problem: Problem) -> Iterator[Shape]:
    engine, types = registry.engine(problem.backend), dtypes(problem)
    model, system = problem.model, problem.system
    for parallel in candidates.shapes(model, system, engine, types, problem.gpus, pipelines=True):
        yield Shape(model=model, parallel=parallel, dtypes=types, engine=engine, system=system)


def _worker(problem: Problem, shape: Shape) -> Worker:
    """*shape* with the batch that its cache admits.

    A step's token budget grows with the batch and takes memory from it: the second round knows the first one's batch.
    """
    workload, engine, need = problem.workload, shape.engine, memory.footprint(shape)
    batch = 1
    for _ in range(2):
        chunk = engine.token_budget(workload.isl, batch)
        used = memory.activations(shape, np.asarray(float(chunk)))
        budget = memory.cache_budget(shape, need, used, chunk)
        batch = int(np.clip(memory.admitted(shape, budget, workload), 1, engine.max_sequences))
    return Worker(
        role="aggregated",
        count=1,
        parallel=shape.parallel,
        batch_size=batch,
        max_num_tokens=chunk,
        memory=memory.record(shape, float(used), float(budget), batch, workload),
    )
