"""The same question put to every engine that may answer it, and the best of their answers."""

from collections.abc import Sequence
from math import inf

from estimator import search
from estimator.errors import EstimatorError, NoFeasibleCandidate
from estimator.estimates import Estimate, Infeasible, Outcome
from estimator.problem import Problem
from perf_db.catalog import Catalog


def ask(problems: Sequence[Problem], catalog: Catalog) -> tuple[Problem, Outcome]:
    """The problem (one per engine, otherwise equal, at least one) with the best answer, and that answer.

    Raises NoFeasibleCandidate of the engine that comes closest when none has a plan, and the first engine's own
    error when none can be priced.
    """
    answers: list[tuple[Problem, Outcome]] = []
    reports: list[Infeasible] = []
    failures: list[EstimatorError] = []
    for problem in problems:
        try:
            answers.append((problem, search.search(problem, catalog)))
        except NoFeasibleCandidate as refusal:
            reports.append(refusal.report)
        except EstimatorError as failure:
            failures.append(failure)
    if answers:
        return min(answers, key=lambda answer: _rank(answer[0], answer[1].choice))
    if reports:
        raise NoFeasibleCandidate(min(reports, key=_distance))
    raise failures[0]


def _rank(problem: Problem, choice: Estimate) -> tuple[float, ...]:
    """Smallest is best: the quickest for latency, the fewest GPUs for a given load, else the most tokens per GPU."""
    if problem.objective == "latency":
        return choice.latency.itl or 0.0, choice.latency.request
    if problem.workload.concurrency is not None or problem.workload.request_rate is not None:
        return choice.gpus, choice.latency.request
    return -choice.tokens_per_second_per_gpu, choice.gpus


def _distance(report: Infeasible) -> float:
    """How far the constraint that binds would have to move; a report without such a move comes last."""
    return min((one.value for one in report.relaxations if one.knob == report.binding), default=inf)
