"""The smallest workers that hold a model, by memory alone: nothing is priced, so nothing has to be measured."""

from collections.abc import Iterator
from dataclasses import replace
from math import nan

import numpy as np

from estimator import candidates, deciding, memory
from estimator.backends import registry
from estimator.disaggregated import LARGEST_PREFILL
from estimator.errors import InvalidWorkload
from estimator.estimates import Estimate, Latency, Load, Role, Worker
from estimator.problem import Problem
from estimator.quantization import Dtypes
from estimator.shape import Shape


def deployment(problem: Problem) -> Estimate | None:
    """The smallest workers, as many as the GPUs hold or the pins say; None if not even one fits.

    Every number that nobody worked out is no number (nan). Workers run apart only where the pins want it: then as many
    for prompts as for output, what is left over for output. Raises InvalidWorkload like `smallest`, and for pins that
    nothing can follow.
    """
    return _apart(problem) if problem.pins.mode == "disaggregated" else _together(problem)


def _together(problem: Problem) -> Estimate | None:
    worker = smallest(problem)
    if worker is None:
        return None
    pinned = problem.pins.size("aggregated", "workers")
    copies = pinned or problem.gpus // worker.parallel.gpus
    _check_pins(problem, copies * worker.parallel.gpus)
    asked, ranks = problem.workload.concurrency, worker.parallel.dp * copies
    concurrency = worker.batch_size * ranks
    if asked is not None and asked < concurrency:
        concurrency = max(int(asked), 1)
        worker = replace(worker, batch_size=-(-concurrency // ranks))
    return _unpriced(problem, (worker,), concurrency, copies)


def _apart(problem: Problem) -> Estimate | None:
    feeding, decoding = smallest(problem, "prefill"), smallest(problem, "decode")
    if feeding is None or decoding is None:
        return None
    pins, sizes = problem.pins, (feeding.parallel.gpus, decoding.parallel.gpus)
    feeders = pins.size("prefill", "workers") or max(problem.gpus // sum(sizes), 1)
    decoders = pins.size("decode", "workers") or max((problem.gpus - feeders * sizes[0]) // sizes[1], 1)
    _check_pins(problem, feeders * sizes[0] + decoders * sizes[1])
    engine, workload = registry.engine(problem.backend), problem.workload
    tokens = max(engine.token_budget(workload.isl, 0), workload.new_tokens)
    tokens = tokens if engine.policy == "whole_prompts" else min(tokens, LARGEST_PREFILL)
    first = replace(feeding, batch_size=pins.size("prefill", "batch") or 1, max_num_tokens=tokens, count=feeders)
    second = replace(decoding, max_num_tokens=decoding.batch_size, count=decoders)
    return _unpriced(problem, (first, second), second.batch_size * second.parallel.dp * decoders, 1)


def _check_pins(problem: Problem, gpus: int) -> None:
    if gpus > problem.gpus:
        raise InvalidWorkload("pin", str(problem.pins), f"something that takes {problem.gpus} GPUs at most")


def _unpriced(problem: Problem, workers: tuple[Worker, ...], concurrency: int, copies: int) -> Estimate:
    return Estimate(
        mode="aggregated" if len(workers) == 1 else "disaggregated",
        backend=problem.backend,
        backend_version=problem.backend_version or "",
        replicas=copies,
        workers=workers,
        load=Load(concurrency=concurrency, request_rate=nan, tokens_per_second=nan, utilisation=nan),
        latency=Latency(ttft=nan, itl=None, request=nan, ttft_terms={}),
        provenance={},
        breakdown=(),
    )


def smallest(problem: Problem, role: Role = "aggregated") -> Worker | None:
    """The worker of *role* on the fewest GPUs that starts and serves a request of *problem*; None if none does.

    Its batch is as large as the cache holds whole requests for; targets play no part. Raises InvalidWorkload for
    sequences longer than the model's context, and for pins that no split follows.
    """
    problem.model.check_length(problem.workload.isl + problem.workload.osl)
    widest = problem.widest or problem.gpus
    allowed = [
        shape
        for shape in _shapes(problem)
        if problem.pins.splits(role, shape.parallel) and shape.parallel.gpus <= widest
    ]
    if problem.pins and not allowed:
        splits = ", ".join(sorted({str(shape.parallel) for shape in _shapes(problem)}))
        raise InvalidWorkload("pin", str(problem.pins), f"something that {problem.backend} can run (workers: {splits})")
    by_size = sorted(allowed, key=lambda one: (one.parallel.gpus, one.parallel))
    for shape in by_size:
        if memory.needed_capacity(shape, problem.workload) <= problem.system.gpu.memory_capacity:
            worker = replace(_worker(problem, shape), role=role)
            batch = problem.pins.size(role, "batch") or worker.batch_size
            if batch > worker.batch_size:
                allowed_batch = f"something that fits: {role} batches of at most {worker.batch_size}"
                raise InvalidWorkload("pin", str(problem.pins), allowed_batch)
            return replace(worker, batch_size=batch)
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
