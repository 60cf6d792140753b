"""The search: every way to serve a workload on a system, priced at once, and the best of them."""

from dataclasses import replace
from functools import lru_cache

import numpy as np

from estimator import aggregated, candidates, choice, deployments, disaggregated, memory
from estimator.backends import registry
from estimator.backends.engine import Engine
from estimator.deployments import Rows
from estimator.disaggregated import DecodeWorker, PrefillWorker
from estimator.errors import InvalidWorkload, NoFeasibleCandidate
from estimator.estimates import Estimate, Infeasible, Outcome, Relaxation
from estimator.hardware import System
from estimator.model import Model
from estimator.parallelism import Parallel
from estimator.pricing import Prices
from estimator.problem import Problem
from estimator.quantization import GEMM, Dtypes, checkpoint_gemm, checkpoint_kv, planned_kv
from estimator.step import Shape, Step
from estimator.workload import Targets, Workload
from perf_db.catalog import Catalog, PackName

_MOST_GPUS = 512
"""Larger budgets are not tried when looking for the number of GPUs that would do."""


def search(problem: Problem, catalog: Catalog) -> Outcome:
    """The best deployment for *problem* and everything worth knowing beside it.

    Raises NoFeasibleCandidate with the full report when nothing meets the targets, InvalidWorkload when the model
    cannot hold the sequences, and perf_db's errors when there are no measurements for the system or engine.
    """
    problem, prices, note = _prepared(problem, catalog)
    dtypes = resolve(problem.model, registry.engine(problem.backend), prices, kv_dtype=problem.kv_dtype)
    groups = _groups(problem, prices, dtypes)
    if not groups:
        raise NoFeasibleCandidate(_nothing_fits(problem, prices, dtypes))
    field = choice.survey(problem, groups)
    order = choice.ranked(problem, field)
    if not len(order):
        raise NoFeasibleCandidate(_refusal(problem, prices, dtypes, choice.infeasible(field)))
    return Outcome(
        choice=field.build(int(order[0])),
        aggregated=choice.best_per_group(field, order, "aggregated", problem.top),
        disaggregated=choice.best_per_group(field, order, "disaggregated", problem.top),
        frontier=choice.frontier(problem, field),
        rejections=choice.rejections(field),
        considered=len(field),
        dtypes=dtypes.words(),
        notes=(note,) if note else (),
    )


def predict(  # noqa: PLR0913  # one configuration has this many independent parts
    model: Model,
    system: System,
    backend: str,
    parallel: Parallel,
    workload: Workload,
    *,
    catalog: Catalog,
    backend_version: str | None = None,
    weights: str | None = None,
    kv_dtype: str | None = None,
    max_num_tokens: int | None = None,
) -> Estimate:
    """The price of one aggregated worker kind at the concurrency that *workload* names, targets aside.

    weights: a key of quantization.GEMM instead of what the checkpoint declares; kv_dtype: None for the engine's own
    default. Raises InvalidWorkload without a concurrency or when the worker does not start.
    """
    if workload.concurrency is None:
        raise InvalidWorkload("concurrency", None, "given for a prediction")
    problem = Problem(
        model=model, system=system, backend=backend, gpus=parallel.gpus, workload=workload, targets=Targets(),
        backend_version=backend_version,
    )  # fmt: skip
    problem, prices, _ = _prepared(problem, catalog)
    engine = registry.engine(backend)
    kv_dtype = kv_dtype or default_kv(model, engine)
    dtypes = resolve(model, engine, prices, kv_dtype=kv_dtype, weights=weights)
    step = Step(Shape(model=model, parallel=parallel, dtypes=dtypes, engine=engine), prices, workload)
    requests = np.array([max(np.ceil(workload.concurrency / parallel.dp), 1.0)])
    budget = None if max_num_tokens is None else np.array([float(max_num_tokens)])
    columns = aggregated.estimate(step, system, workload, requests, budget)
    if not columns.starts[0]:
        raise InvalidWorkload("memory", f"{columns.cache[0] / 2**30:.1f} GiB of cache", "enough for one request")
    return deployments.aggregated_estimate(problem, step, columns, 0, 1)


def pool_workers(problem: Problem, catalog: Catalog) -> tuple[list[PrefillWorker], list[DecodeWorker]]:
    """Every kind of prefill and decode worker that the search would combine into pools. Raises like search()."""
    problem, prices, _ = _prepared(problem, catalog)
    dtypes = resolve(problem.model, registry.engine(problem.backend), prices, kv_dtype=problem.kv_dtype)
    return _pool_workers(problem, _steps(problem, prices, dtypes, pipelines=False))


def resolve(
    model: Model, engine: Engine, prices: Prices, *, kv_dtype: str | None = None, weights: str | None = None
) -> Dtypes:
    """The data types of a deployment and what decided each: the caller, the checkpoint, or a plan of ours."""
    gemm, gemm_origin = (weights, "as asked") if weights else checkpoint_gemm(model.name, model.quantization)
    if gemm not in GEMM:
        raise InvalidWorkload("weights", gemm, f"one of {', '.join(GEMM)}")
    kv, kv_origin = (kv_dtype, "as asked") if kv_dtype else planned_kv(gemm, prices.system.gpu.sm)
    eight = engine.fp8_attention and kv == "fp8" and prices.has_attention("fp8", "fp8", model.attention.head_dim)
    return Dtypes(
        gemm=gemm,
        kv=kv,
        attention="fp8" if eight else "bf16",
        origin={
            "gemm": gemm_origin,
            "kv": kv_origin,
            "attention": f"{engine.name} multiplies 8-bit caches in 8 bits" if eight else f"default of {engine.name}",
        },
    )


def default_kv(model: Model, engine: Engine) -> str:
    """The cache type an engine uses when nobody sets one: 16-bit, or what the checkpoint declares where it listens."""
    return (checkpoint_kv(model.quantization) or "bf16") if engine.default_kv == "checkpoint" else "bf16"


def _prepared(problem: Problem, catalog: Catalog) -> tuple[Problem, Prices, str]:
    """The problem with its data version filled in, the price list, and a note if another version answers."""
    if problem.gpus < 1:
        raise InvalidWorkload("totalGpus", problem.gpus, "at least 1")
    length, most = problem.workload.isl + problem.workload.osl, problem.model.max_position
    if length > most:
        raise InvalidWorkload("isl + osl", length, f"at most the model's context of {most} tokens")
    resolution = catalog.resolve(problem.system.name, problem.backend, problem.backend_version)
    prices = _price_list(catalog, resolution.pack, _Named(problem.system))
    return replace(problem, backend_version=resolution.pack.version), prices, resolution.note


class _Named:
    """A system that hashes by name, so that a price list can be remembered for it."""

    def __init__(self, system: System) -> None:
        self.system = system

    def __hash__(self) -> int:
        return hash(self.system.name)

    def __eq__(self, other: object) -> bool:
        return isinstance(other, _Named) and self.system == other.system


@lru_cache(maxsize=16)
def _price_list(catalog: Catalog, pack: PackName, named: _Named) -> Prices:
    return Prices(catalog, pack, named.system)


def _groups(problem: Problem, prices: Prices, dtypes: Dtypes) -> list[Rows]:
    """Priced deployments of every shape; pipelines over nodes are tried only when no node holds the model."""
    for pipelines in (False, True):
        steps = _steps(problem, prices, dtypes, pipelines=pipelines)
        if steps:
            return _priced(problem, steps)
    return []


def _steps(problem: Problem, prices: Prices, dtypes: Dtypes, *, pipelines: bool) -> list[Step]:
    """The iterations of every worker shape that holds the model and one request."""
    engine = registry.engine(problem.backend)
    return [
        Step(Shape(model=problem.model, parallel=parallel, dtypes=dtypes, engine=engine), prices, problem.workload)
        for parallel in candidates.shapes(problem.model, problem.system, problem.gpus, pipelines=pipelines)
        if _needed(problem, parallel, dtypes) <= problem.system.gpu.memory_capacity
    ]


def _needed(problem: Problem, parallel: Parallel, dtypes: Dtypes) -> float:
    """Bytes per GPU that one copy of this shape needs to start."""
    engine = registry.engine(problem.backend)
    need = memory.footprint(problem.model, parallel, dtypes, problem.system, engine)
    return memory.needed_capacity(problem.model, parallel, need, engine, problem.workload)


def _priced(problem: Problem, steps: list[Step]) -> list[Rows]:
    groups: list[Rows] = []
    if "aggregated" in problem.modes:
        groups += [deployments.aggregated_rows(problem, step) for step in steps]
    if "disaggregated" in problem.modes and problem.workload.osl > 1:
        groups += deployments.disaggregated_rows(problem, *_pool_workers(problem, steps))
    return [rows for rows in groups if len(rows.ttft)]


def _pool_workers(problem: Problem, steps: list[Step]) -> tuple[list[PrefillWorker], list[DecodeWorker]]:
    system, workload = problem.system, problem.workload
    prefill = [worker for step in steps for worker in disaggregated.prefill_workers(step, system, workload)]
    return prefill, [disaggregated.decode_worker(step, system, workload, candidates.DECODE_LOADS) for step in steps]


def _nothing_fits(problem: Problem, prices: Prices, dtypes: Dtypes) -> Infeasible:
    """No shape within the budget holds the model, or no shape carries the load asked for."""
    shapes = candidates.shapes(problem.model, problem.system, problem.gpus, pipelines=True)
    needs = [(_needed(problem, one, dtypes), one.gpus) for one in shapes]
    holding = [need for need, _ in needs if need <= problem.system.gpu.memory_capacity]
    if holding:
        return _refusal(problem, prices, dtypes, Infeasible(rejections={"load": len(holding)}, binding="load"))
    smallest = min((need * gpus for need, gpus in needs), default=None)
    report = Infeasible(rejections={"memory": len(shapes)}, binding="memory", needed_bytes=smallest)
    return _refusal(problem, prices, dtypes, report)


def _refusal(problem: Problem, prices: Prices, dtypes: Dtypes, report: Infeasible) -> Infeasible:
    """The report with the smallest GPU budget that would do, if one up to eight times as large does."""
    budgets = [gpus for gpus in (2**n for n in range(10)) if problem.gpus < gpus <= min(8 * problem.gpus, _MOST_GPUS)]
    for gpus in budgets:
        larger = replace(problem, gpus=gpus)
        groups = _groups(larger, prices, dtypes)
        field = choice.survey(larger, groups) if groups else None
        if field is None or not len(order := choice.ranked(larger, field)):
            continue
        best = field.build(int(order[field.columns["gpus"][order].argmin()]))
        return replace(
            report, relaxations=(*report.relaxations, Relaxation(knob="totalGpus", value=best.gpus, estimate=best))
        )
    return report
