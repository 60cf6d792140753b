"""The same question put to several engines, their answers merged into one."""

from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from functools import partial
from math import inf

from estimator import advising, search
from estimator.errors import EstimatorError, NoFeasibleCandidate
from estimator.estimates import Estimate, Infeasible, Outcome, Relaxation
from estimator.problem import Problem
from perf_db.catalog import Catalog

# Bounds on latency and on GPUs help by growing; every other knob is a load and helps by shrinking.
_GROWING = frozenset({"ttft", "itl", "e2eLatency", "totalGpus", "freeGpus"})


def ask(problems: Sequence[Problem], catalog: Catalog, *, advise: bool = False, brief: bool = False) -> Outcome:
    """The best answer to *problems* (one per engine, otherwise equal; at least one).

    Raises NoFeasibleCandidate with a merged report when no engine has a plan. An engine that cannot be priced is
    left out with a note; when that is all of them, the first one's error is raised. advise: also look for lighter
    loads that would do, which takes as long as a few searches more; brief: only the choice matters.
    """
    outcomes: list[Outcome] = []
    reports: list[Infeasible] = []
    failures: list[EstimatorError] = []
    for problem in problems:
        try:
            outcomes.append(search.search(problem, catalog, brief=brief))
        except NoFeasibleCandidate as refusal:
            reports.append(advising.advised(problem, refusal.report, catalog) if advise else refusal.report)
        except EstimatorError as failure:
            failures.append(failure)
    if outcomes:
        return merged(outcomes, problems[0], [str(failure) for failure in failures])
    if reports:
        raise NoFeasibleCandidate(refused(reports))
    raise failures[0]


def merged(outcomes: Sequence[Outcome], problem: Problem, failures: Sequence[str] = ()) -> Outcome:
    """One outcome out of several (at least one): lists ranked together, the top of each mode, one frontier."""
    if len(outcomes) == 1 and not failures:
        return outcomes[0]
    order, top = partial(_order, problem), problem.top
    return Outcome(
        choice=min((outcome.choice for outcome in outcomes), key=order),
        aggregated=tuple(sorted((one for outcome in outcomes for one in outcome.aggregated), key=order)[:top]),
        disaggregated=tuple(sorted((one for outcome in outcomes for one in outcome.disaggregated), key=order)[:top]),
        frontier=_frontier(one for outcome in outcomes for one in outcome.frontier),
        rejections=_summed(outcome.rejections for outcome in outcomes),
        considered=sum(outcome.considered for outcome in outcomes),
        dtypes=_labelled(outcomes),
        notes=tuple(dict.fromkeys([note for outcome in outcomes for note in outcome.notes] + [*failures])),
    )


def is_better(problem: Problem, one: Estimate, other: Estimate) -> bool:
    """Whether a search for *problem* would choose *one* rather than *other*, when both keep the targets."""
    return _order(problem, one) < _order(problem, other)


def dtype(outcome: Outcome, role: str, backend: str) -> str:
    """The data type of *role* ("weights", "kv cache", ...) that *backend* was priced with; "" if it was not told."""
    return outcome.dtypes.get(role) or outcome.dtypes.get(f"{role}, {backend}", "")


def refused(reports: Sequence[Infeasible]) -> Infeasible:
    """One report out of several (at least one): counts added, the best of every metric, the nearest of the nearest."""
    closest = min(reports, key=_distance)
    others = [report for report in reports if report is not closest]
    return Infeasible(
        rejections=_summed(report.rejections for report in reports),
        binding=closest.binding,
        best_ttft=_least((report.best_ttft for report in reports), lambda one: one.latency.ttft),
        best_itl=_least((report.best_itl for report in reports), lambda one: one.latency.itl or 0.0),
        best_throughput=_least((one.best_throughput for one in reports), lambda one: -one.tokens_per_second_per_gpu),
        nearest=closest.nearest,
        relaxations=_smallest([relaxation for report in reports for relaxation in report.relaxations]),
        needed_bytes=min((one.needed_bytes for one in reports if one.needed_bytes is not None), default=None),
        notes=tuple(dict.fromkeys(note for report in [*others, closest] for note in report.notes)),
    )


def _order(problem: Problem, one: Estimate) -> tuple[float, ...]:
    """What a search sorts by: for latency the quickest; with a load the fewest GPUs; else the most tokens."""
    if problem.objective == "latency":
        return one.latency.request, one.gpus, -one.load.tokens_per_second
    if problem.workload.concurrency is not None or problem.workload.request_rate is not None:
        return one.gpus, one.latency.request, -one.load.tokens_per_second
    return -one.load.tokens_per_second, one.gpus, one.latency.request


def _frontier(estimates: Iterable[Estimate]) -> tuple[Estimate, ...]:
    fastest_first = sorted(
        estimates, key=lambda one: (-(one.tokens_per_second_per_user or 0.0), -one.tokens_per_second_per_gpu)
    )
    kept: list[Estimate] = []
    for one in fastest_first:
        if not kept or one.tokens_per_second_per_gpu > kept[-1].tokens_per_second_per_gpu:
            kept.append(one)
    return tuple(kept)


def _summed(counts: Iterable[Mapping[str, int]]) -> Counter[str]:
    return sum((Counter(count) for count in counts), Counter())


def _labelled(outcomes: Sequence[Outcome]) -> dict[str, str]:
    """Data types by role; those on which the engines differ are told per engine."""
    labelled: dict[str, str] = {}
    for role in dict.fromkeys(role for outcome in outcomes for role in outcome.dtypes):
        words = {outcome.choice.backend: outcome.dtypes[role] for outcome in outcomes if role in outcome.dtypes}
        if len(set(words.values())) == 1:
            labelled[role] = next(iter(words.values()))
        else:
            labelled |= {f"{role}, {backend}": word for backend, word in words.items()}
    return labelled


def _distance(report: Infeasible) -> float:
    """How far the report's smallest time relaxation goes beyond what was asked: none known sorts last, and first comes
    the one whom nothing but free GPUs is missing."""
    if report.binding == "gpus":
        return 0.0
    return min((one.value for one in report.relaxations if one.knob == report.binding), default=inf)


def _least(estimates: Iterable[Estimate | None], key: Callable[[Estimate], float]) -> Estimate | None:
    return min((one for one in estimates if one is not None), key=key, default=None)


def _smallest(relaxations: Sequence[Relaxation]) -> tuple[Relaxation, ...]:
    best: dict[str, Relaxation] = {}
    for one in relaxations:
        held = best.setdefault(one.knob, one)
        better = one.value < held.value if one.knob in _GROWING else one.value > held.value
        if better:
            best[one.knob] = one
    return tuple(best.values())
