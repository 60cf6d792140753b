"""A question that was refused, asked again with one thing changed: what would have to give, and by how much."""

from collections.abc import Callable, Iterator
from dataclasses import replace
from functools import partial

from estimator import search
from estimator.errors import EstimatorError, NoFeasibleCandidate
from estimator.estimates import Estimate, Infeasible, Relaxation
from estimator.problem import Problem
from estimator.workload import Workload
from perf_db.catalog import Catalog

_HALVINGS, _STEPS = 4, 4
"""How little is tried, a sixteenth, and how often the interval in which prompts begin to be short enough, or requests
rare enough, is halved: what is called enough was tried, and at most a twentieth more was tried and too much."""


def advised(problem: Problem, report: Infeasible, catalog: Catalog) -> Infeasible:
    """*report*, the refusal of *problem*, with the lighter loads that would do, and with what free GPUs have to do
    with it: when only they are in the way, they bind."""
    if problem.vacancy is not None:
        report = _crowded(problem, report, catalog)
    if report.binding == "gpus":
        return report
    return replace(report, relaxations=(*report.relaxations, *_lighter(problem, catalog)))


def _crowded(problem: Problem, report: Infeasible, catalog: Catalog) -> Infeasible:
    """What an empty cluster would answer: a plan, so that free GPUs are all that is missing; or another refusal."""
    empty = replace(problem, vacancy=None)
    try:
        plan = _smallest(empty, search.search(empty, catalog).choice, catalog)
    except NoFeasibleCandidate as refusal:
        whole = refusal.report
        budget = tuple(one for one in whole.relaxations if one.knob == "totalGpus")
        known = {one.knob for one in report.relaxations}
        note = f"free now: {problem.vacancy}"
        if report.nearest is None:
            return replace(whole, notes=(*whole.notes, note))
        more = () if "totalGpus" in known else budget
        return replace(report, relaxations=(*report.relaxations, *more), notes=(*report.notes, note))
    note = f"{plan} would do and takes {_pieces(plan, problem)}; free now: {problem.vacancy}"
    return replace(
        report,
        binding="gpus",
        nearest=plan,
        relaxations=(Relaxation(knob="freeGpus", value=plan.gpus, estimate=plan),),
        needed_bytes=None,
        notes=(*report.notes, note),
    )


def _smallest(problem: Problem, plan: Estimate, catalog: Catalog) -> Estimate:
    """A plan with half the GPUs of *plan*, half of those, and so on, as long as there is one."""
    while plan.gpus > 1:
        try:
            plan = search.search(replace(problem, gpus=plan.gpus // 2), catalog, brief=True).choice
        except EstimatorError:
            return plan
    return plan


def _pieces(plan: Estimate, problem: Problem) -> str:
    """The GPUs of a plan as they have to lie together: 2 x 4 GPUs and 1 x 8 GPUs, each on one node."""
    whole = problem.system.node.gpus
    found: dict[int, int] = {}
    for worker in plan.workers:
        gpus, nodes = min(worker.parallel.gpus, whole), -(-worker.parallel.gpus // whole)
        found[gpus] = found.get(gpus, 0) + nodes * worker.count * plan.replicas
    parts = [f"{count} x {gpus} GPU{'s' * (gpus > 1)}" for gpus, count in sorted(found.items(), reverse=True)]
    return f"{' and '.join(parts)}, each on one node"


def _lighter(problem: Problem, catalog: Catalog) -> Iterator[Relaxation]:
    """The largest load, and the longest prompts, at which everything else is kept."""
    asked = problem.workload
    if asked.concurrency is not None or asked.request_rate is not None:
        plan = _would_do(problem, catalog, replace(asked, concurrency=None, request_rate=None))
        if plan is not None and asked.concurrency is not None and plan.load.concurrency < asked.concurrency:
            yield Relaxation(knob="concurrency", value=plan.load.concurrency, estimate=plan)
        slower = None if plan is None else _slower(problem, catalog, plan.load.request_rate)
        if slower is not None:
            yield slower
    shorter = _largest(partial(_with_prompts, problem, catalog), problem.workload.isl)
    if shorter is not None:
        yield shorter


def _slower(problem: Problem, catalog: Catalog, capacity: float) -> Relaxation | None:
    """The most requests per second that would do: at most *capacity*, what is finished when the next request waits for
    the last one, and less where requests that come at random have to queue."""
    asked = problem.workload.request_rate
    if asked is None:
        return None
    attempt = partial(_at_rate, problem, catalog)
    return (attempt(capacity) if capacity < asked else None) or _largest(attempt, min(capacity, asked))


def _largest(attempt: Callable[[float], Relaxation | None], beyond: float) -> Relaxation | None:
    """The largest value that would do, to a twentieth, below one that would not; None if a sixteenth would not."""
    found: Relaxation | None = None
    for _ in range(_HALVINGS):
        found = attempt(beyond / 2)
        if found is not None:
            break
        beyond /= 2
    for _ in range(_STEPS):
        if found is None:
            return None
        between = (found.value + beyond) / 2
        better = attempt(between)
        beyond = beyond if better else between
        found = better or found
    return found


def _at_rate(problem: Problem, catalog: Catalog, rate: float) -> Relaxation | None:
    plan = _would_do(problem, catalog, replace(problem.workload, request_rate=rate))
    return None if plan is None else Relaxation(knob="requestRate", value=rate, estimate=plan)


def _with_prompts(problem: Problem, catalog: Catalog, longest: float) -> Relaxation | None:
    asked, isl = problem.workload, int(longest)
    if not isl:
        return None
    plan = _would_do(problem, catalog, replace(asked, isl=isl, prefix=min(asked.prefix, isl - 1)))
    return None if plan is None else Relaxation(knob="isl", value=isl, estimate=plan)


def _would_do(problem: Problem, catalog: Catalog, workload: Workload) -> Estimate | None:
    try:
        return search.search(replace(problem, workload=workload), catalog, brief=True).choice
    except EstimatorError:
        return None
