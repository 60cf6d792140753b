"""What is planned against the odds, where the request allows it: the nearest miss, or a fit nobody measured."""

from collections.abc import Iterator, Mapping
from dataclasses import replace
from typing import Any

from dgdr_operator.errors import Unsupported
from dgdr_operator.journey.questions import Question
from estimator import fitting
from estimator.estimates import Estimate, Infeasible, Outcome
from estimator.workload import Targets

_HAIR = 1 + 1e-9
"""What is asked of the nearest plan must not fail by rounding."""


def softened(question: Question, report: Infeasible) -> Iterator[Question]:
    """Questions that ask for less than *question*, which *report* says is too much: the least less first.

    First the latencies of the nearest plan, then any load, then anything that fits.
    """
    if not question.request.policy.best_effort:
        return
    if report.nearest is not None:
        yield _asking(question, targets=_reached(question.request.targets, report.nearest))
    workload = question.request.workload
    if workload.concurrency is not None or workload.request_rate is not None:
        yield _asking(question, workload=replace(workload, concurrency=None, request_rate=None))
        yield _asking(question, workload=replace(workload, concurrency=None, request_rate=None), targets=Targets())


def _asking(question: Question, **changes: Any) -> Question:  # noqa: ANN401 -- fields of a problem
    return replace(question, problems=tuple(replace(problem, **changes) for problem in question.problems))


def _reached(asked: Targets, nearest: Estimate) -> Targets:
    """What *nearest* keeps, and no less than was asked; how surely is left open."""
    latency = nearest.latency
    reached = {"ttft": latency.ttft, "itl": latency.itl or 0.0, "e2e": latency.request}
    said: Mapping[str, float | None] = {"ttft": asked.ttft, "itl": asked.itl, "e2e": asked.e2e}
    return Targets(**{name: max(value, reached[name] * _HAIR) for name, value in said.items() if value is not None})


def fitted(question: Question) -> Outcome:
    """The smallest workers that hold the model, as many as the GPUs hold. Raises Unsupported if none does."""
    problem = replace(question.problems[0], targets=Targets())
    estimate = fitting.deployment(problem)
    if estimate is None:
        raise Unsupported(f"{problem.model.name} on {problem.gpus} x {problem.system.name}", "not even one worker fits")
    return Outcome(
        choice=estimate,
        aggregated=(),
        disaggregated=(),
        frontier=(),
        rejections={},
        considered=0,
        dtypes=fitting.dtypes(problem).words(),
        notes=("nothing was measured: the plan fits in memory, and nothing else is known about it",),
    )
