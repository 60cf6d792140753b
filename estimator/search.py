"""The search: every way to serve a workload on a system, priced at once, and the best of them."""

from dataclasses import replace
from functools import lru_cache

import numpy as np

from estimator import aggregated, candidates, choice, deciding, deployments, disaggregated, memory, trust
from estimator.deployments import Rows
from estimator.disaggregated import DecodeWorker, PrefillWorker
from estimator.errors import InvalidWorkload, MissingTable, NoFeasibleCandidate
from estimator.estimates import Estimate, Infeasible, Outcome, Relaxation, Role
from estimator.hardware import System
from estimator.model import Model
from estimator.parallelism import Parallel
from estimator.pins import FREE
from estimator.pricing import Prices
from estimator.problem import DatabaseMode, Problem
from estimator.quantization import Dtypes
from estimator.shape import Shape
from estimator.step import Step
from estimator.trust import Experience
from estimator.workload import Benchmark, Targets, Workload
from perf_db.catalog import Catalog, PackName

_ROLES: tuple[Role, ...] = ("aggregated", "prefill", "decode")
_MOST_GPUS = 512
"""Larger budgets are not tried when looking for the number of GPUs that would do."""


def search(problem: Problem, catalog: Catalog, *, brief: bool = False) -> Outcome:
    """The best deployment for *problem* and everything worth knowing beside it; *brief*: the choice, and no lists.

    Raises NoFeasibleCandidate when nothing meets the targets, with the full report or, *brief*, without what larger
    budgets would do; InvalidWorkload when the model cannot hold the sequences; and perf_db's errors when there are no
    measurements for the system or engine.
    """
    problem, prices, note = _prepared(problem, catalog)
    dtypes = deciding.resolve(problem.model, prices.engine, prices, kv_dtype=problem.kv_dtype)
    experience = _experience(problem, catalog)
    groups = _groups(problem, prices, dtypes)
    if not groups and brief:
        raise NoFeasibleCandidate(Infeasible(rejections={}, binding="memory"))
    if not groups:
        _check_pins(problem, prices, dtypes)
        raise NoFeasibleCandidate(_nothing_fits(problem, prices, dtypes, experience))
    field = choice.survey(problem, groups, experience)
    order = choice.ranked(problem, field)
    if not len(order):
        report = choice.infeasible(field)
        raise NoFeasibleCandidate(report if brief else _refusal(problem, prices, dtypes, report, experience))
    best = field.build(int(order[0]))
    return Outcome(
        choice=best,
        aggregated=() if brief else choice.best_per_group(field, order, "aggregated", problem.top),
        disaggregated=() if brief else choice.best_per_group(field, order, "disaggregated", problem.top),
        frontier=() if brief else choice.frontier(problem, field),
        rejections=choice.rejections(field),
        considered=len(field),
        dtypes=dtypes.words(),
        notes=tuple(filter(None, (note, _stand_in(problem.model), _doubt(best), _replicas(problem)))),
    )


def _experience(problem: Problem, catalog: Catalog) -> Experience | None:
    """What measured runs of the engine taught. Raises InvalidWorkload where confidence is asked for without any."""
    found = trust.experience(catalog.accuracy, problem.backend)
    asked = problem.targets.confidence
    if asked and found is None:
        raise InvalidWorkload("confidence", asked, f"0: no run of {problem.backend} was compared with its prediction")
    return found


def _stand_in(model: Model) -> str:
    """What to say of a model whose architecture nobody described yet."""
    if not model.nearest:
        return ""
    return f"architecture {model.architecture} is priced like its nearest family, {model.nearest}"


def _replicas(problem: Problem) -> str:
    """What to say of copies of experts."""
    if not problem.balanced:
        return ""
    return "experts that spread beyond a node are priced with copies of the busy ones (EPLB)"


def _doubt(best: Estimate) -> str:
    """What to say of a plan behind which too few measurements stand."""
    if not best.is_doubtful:
        return ""
    share = f"{100 * best.doubt:.0f} %"
    return f"{share} of the step time of {best.backend}'s best plan is transferred or formula, not measured"


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
    experts: str | None = None,
    kv_dtype: str | None = None,
    max_num_tokens: int | None = None,
    benchmark: Benchmark | None = None,
    database_mode: DatabaseMode = "hybrid",
    balanced: bool = False,
) -> Estimate:
    """The price of one aggregated worker kind at the concurrency that *workload* names, targets aside.

    weights, experts: keys of quantization.GEMM and EXPERTS instead of what the checkpoint declares; kv_dtype: None for
    the engine's own default; benchmark: who measures it so, None for the steady state; balanced: busy experts have
    copies (EPLB). Raises InvalidWorkload without a concurrency or when the worker does not start.
    """
    if workload.concurrency is None:
        raise InvalidWorkload("concurrency", None, "given for a prediction")
    problem = Problem(
        model=model, system=system, backend=backend, gpus=parallel.gpus, workload=workload, targets=Targets(),
        backend_version=backend_version, database_mode=database_mode, balanced=balanced,
    )  # fmt: skip
    problem, prices, _ = _prepared(problem, catalog)
    engine = prices.engine
    cache = kv_dtype or deciding.default_kv(model, engine)
    dtypes = deciding.with_experts(deciding.resolve(model, engine, prices, kv_dtype=cache, weights=weights), experts)
    shape = Shape(model=model, parallel=parallel, dtypes=dtypes, engine=engine, system=system, balanced=balanced)
    step, requests = Step(shape, prices, workload), np.array([max(np.ceil(workload.concurrency / parallel.dp), 1.0)])
    budget = None if max_num_tokens is None else np.array([float(max_num_tokens)])
    columns = aggregated.estimate(step, workload, requests, budget, benchmark=benchmark)
    if not columns.starts[0]:
        raise InvalidWorkload("memory", f"{columns.cache[0] / 2**30:.1f} GiB of cache", "enough for one request")
    return deployments.aggregated_estimate(problem, step, columns, 0, 1)


def pool_workers(problem: Problem, catalog: Catalog) -> tuple[list[PrefillWorker], list[DecodeWorker]]:
    """Every kind of prefill and decode worker that the search would combine into pools. Raises like search()."""
    problem, prices, _ = _prepared(problem, catalog)
    dtypes = deciding.resolve(problem.model, prices.engine, prices, kv_dtype=problem.kv_dtype)
    return _pool_workers(problem, _steps(problem, prices, dtypes, pipelines=False))


def _prepared(problem: Problem, catalog: Catalog) -> tuple[Problem, Prices, str]:
    """The problem with its data version filled in, the price list, and a note if another version answers."""
    if problem.gpus < 1:
        raise InvalidWorkload("totalGpus", problem.gpus, "at least 1")
    problem.model.check_length(problem.workload.isl + problem.workload.osl)
    resolution = catalog.resolve(problem.system.name, problem.backend, problem.backend_version)
    prices = _price_list(catalog.origin, resolution.pack, _Named(problem.system), problem.database_mode)
    if catalog.origin is not catalog:
        prices = prices.with_host(catalog.host(problem.backend))
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
def _price_list(catalog: Catalog, pack: PackName, named: _Named, mode: DatabaseMode) -> Prices:
    return Prices(catalog, pack, named.system, mode=mode)


def _groups(problem: Problem, prices: Prices, dtypes: Dtypes) -> list[Rows]:
    """Priced deployments of every shape; pipelines over nodes are tried only when no node holds the model."""
    for pipelines in (False, True):
        steps = _steps(problem, prices, dtypes, pipelines=pipelines)
        if steps:
            return _priced(problem, steps)
    return []


def _shapes(problem: Problem, prices: Prices, dtypes: Dtypes, *, pipelines: bool) -> list[Shape]:
    """Every worker shape within the budget, whether or not it fits its GPUs."""
    engine, model, system = prices.engine, problem.model, problem.system
    return [
        Shape(
            model=model,
            parallel=parallel,
            dtypes=dtypes,
            engine=engine,
            system=system,
            balanced=problem.balanced,
        )
        for parallel in candidates.shapes(model, system, engine, dtypes, problem.gpus, pipelines=pipelines)
        if any(problem.pins.splits(role, parallel) for role in _ROLES)
        and (problem.widest is None or parallel.gpus <= problem.widest)
    ]


def _steps(problem: Problem, prices: Prices, dtypes: Dtypes, *, pipelines: bool) -> list[Step]:
    """The iterations of every worker shape that holds the model and one request.

    A shape with an operation that must be measured and is not is left out; if all are, MissingTable is raised.
    """
    steps: list[Step] = []
    hole: MissingTable | None = None
    for shape in _shapes(problem, prices, dtypes, pipelines=pipelines):
        if memory.needed_capacity(shape, problem.workload) > problem.system.gpu.memory_capacity:
            continue
        try:
            steps.append(Step(shape, prices, problem.workload))
        except MissingTable as missing:
            hole = missing
    if hole is not None and not steps:
        raise hole
    return steps


def _priced(problem: Problem, steps: list[Step]) -> list[Rows]:
    groups: list[Rows] = []
    modes = [mode for mode in problem.modes if problem.pins.allows(mode)]
    if "aggregated" in modes:
        groups += [deployments.aggregated_rows(problem, step) for step in _able(problem, "aggregated", steps)]
    if "disaggregated" in modes and problem.workload.osl > 1:
        groups += deployments.disaggregated_rows(problem, *_pool_workers(problem, steps))
    return [rows for rows in groups if len(rows.ttft)]


def _pool_workers(problem: Problem, steps: list[Step]) -> tuple[list[PrefillWorker], list[DecodeWorker]]:
    workload, pins = problem.workload, problem.pins
    batch, decoding = pins.size("prefill", "batch"), pins.size("decode", "batch")
    loads = candidates.DECODE_LOADS if decoding is None else np.array([float(decoding)])
    prefill = [
        worker
        for step in _able(problem, "prefill", steps)
        for worker in disaggregated.prefill_workers(step, workload, batch)
    ]
    return prefill, [disaggregated.decode_worker(step, workload, loads) for step in _able(problem, "decode", steps)]


def _able(problem: Problem, role: Role, steps: list[Step]) -> list[Step]:
    """Steps of workers that the pins allow in *role*."""
    return [step for step in steps if problem.pins.splits(role, step.shape.parallel)]


def _check_pins(problem: Problem, prices: Prices, dtypes: Dtypes) -> None:
    """Nothing can run: is that because of the pins? Raises InvalidWorkload if so."""
    if not problem.pins or problem.vacancy is not None:
        return
    steps = _steps(replace(problem, pins=FREE), prices, dtypes, pipelines=False)
    if steps:
        splits = ", ".join(sorted({str(step.shape.parallel) for step in steps}))
        allowed = f"something that {problem.backend} can run on {problem.gpus} GPUs (workers: {splits})"
        raise InvalidWorkload("pin", str(problem.pins), allowed)


def _nothing_fits(problem: Problem, prices: Prices, dtypes: Dtypes, experience: Experience | None) -> Infeasible:
    """No shape within the budget holds the model, or no shape carries the load asked for."""
    shapes = _shapes(problem, prices, dtypes, pipelines=True)
    needs = [(memory.needed_capacity(shape, problem.workload), shape.parallel.gpus) for shape in shapes]
    holding = [need for need, _ in needs if need <= problem.system.gpu.memory_capacity]
    if holding:
        unable = Infeasible(rejections={"load": len(holding)}, binding="load")
        return _refusal(problem, prices, dtypes, unable, experience)
    smallest = min((need * gpus for need, gpus in needs), default=None)
    report = Infeasible(rejections={"memory": len(shapes)}, binding="memory", needed_bytes=smallest)
    return _refusal(problem, prices, dtypes, report, experience)


def _refusal(
    problem: Problem, prices: Prices, dtypes: Dtypes, report: Infeasible, experience: Experience | None
) -> Infeasible:
    """The report with the smallest GPU budget that would do, if one up to eight times as large does."""
    budgets = [gpus for gpus in (2**n for n in range(10)) if problem.gpus < gpus <= min(8 * problem.gpus, _MOST_GPUS)]
    for gpus in budgets:
        larger = replace(problem, gpus=gpus)
        groups = _groups(larger, prices, dtypes)
        field = choice.survey(larger, groups, experience) if groups else None
        if field is None or not len(order := choice.ranked(larger, field)):
            continue
        best = field.build(int(order[field.columns["gpus"][order].argmin()]))
        return replace(
            report, relaxations=(*report.relaxations, Relaxation(knob="totalGpus", value=best.gpus, estimate=best))
        )
    return report
