"""`dgdr recommend`: a load and an SLA in; the fewest GPUs that will do, the alternatives and the head-room out."""

import argparse
import sys
import time
from collections.abc import Sequence
from dataclasses import replace
from math import floor

from dgdr_operator import engines
from dgdr_operator.cli import options, question
from dgdr_operator.cli.options import FEASIBLE, INFEASIBLE, Parser, UsageError
from dgdr_operator.report import answer, document, refused, sizing
from dgdr_operator.report.sizing import Size
from estimator import search
from estimator.errors import EstimatorError, InvalidWorkload, NoFeasibleCandidate
from estimator.estimates import Estimate, Infeasible, Outcome
from estimator.problem import Problem
from perf_db.catalog import Catalog

_FIRST_BUDGET = 8
_GROWTH = 8
"""A search that finds nothing has looked at budgets up to this many times its own."""
_EVERY = 10_000
_PURPOSE = "Find the fewest GPUs that serve a load within the latency targets."
_EXAMPLES = """\
examples:
  dgdr recommend --model Qwen/Qwen3-32B-FP8 --system h200_sxm --backend vllm --isl 4000 --osl 500 \\
       --ttft 600 --itl 16.67 --concurrency 56
  dgdr recommend --model deepseek-ai/DeepSeek-V3 --system h200_sxm --request-rate 12.5 --max-gpus 64 --output json"""


def register(subparsers: "argparse._SubParsersAction[Parser]") -> None:
    """Add the verb and its flags."""
    parser = subparsers.add_parser("recommend", description=_PURPOSE, epilog=_EXAMPLES)
    question.add_flags(parser, budget=False)
    group = parser.add_argument_group("the answer")
    question.add_form(group)


def run(flags: argparse.Namespace) -> int:
    """Search, print; the exit code says whether any number of GPUs will do."""
    if flags.concurrency is None and flags.request_rate is None:
        raise UsageError("--concurrency or --request-rate must be given: the load to serve")
    try:
        return _answer(flags)
    except InvalidWorkload as problem:
        raise UsageError(f"--{question.flag(problem.field)} must be {problem.allowed}, not {problem.value}") from None


def _answer(flags: argparse.Namespace) -> int:
    started = time.perf_counter()
    catalog = Catalog()
    asked, problems = question.read(flags, catalog)
    paper, as_json = options.paper_of(sys.stdout), flags.output == "json"
    try:
        outcome = fewest(problems, catalog)
    except NoFeasibleCandidate as refusal:
        elapsed, report = time.perf_counter() - started, refusal.report
        sys.stdout.write(document.infeasible(asked, report, elapsed) if as_json else refused.page(asked, report, paper))
        return INFEASIBLE
    size = sized(outcome.choice, problems, catalog)
    elapsed = time.perf_counter() - started
    if as_json:
        sys.stdout.write(document.feasible(asked, outcome, elapsed, {"recommendation": sizing.record(size)}))
    else:
        sys.stdout.write(sizing.page(asked, size, paper) + "\n" + answer.page(asked, outcome, paper))
    return FEASIBLE


def fewest(problems: Sequence[Problem], catalog: Catalog) -> Outcome:
    """The outcome of the smallest budget that carries the load, *problems* being one per engine, otherwise equal.

    A search ranks plans for a load by their GPUs, so the first budget that has a plan at all names the fewest; one
    that has none tells the fewest within eight times its own. Raises NoFeasibleCandidate with the report of the
    whole budget if that is not enough.
    """
    most = problems[0].gpus
    budget = min(_FIRST_BUDGET, most)
    while True:
        try:
            return engines.ask([replace(problem, gpus=budget) for problem in problems], catalog)
        except NoFeasibleCandidate as refusal:
            if budget == most:
                raise
            budget = min(_enough(refusal.report) or budget * _GROWTH, most)


def _enough(report: Infeasible) -> int | None:
    """The budget that a refusal says would do."""
    return next((int(one.value) for one in report.relaxations if one.knob == "totalGpus"), None)


def sized(choice: Estimate, problems: Sequence[Problem], catalog: Catalog) -> Size:
    """The recommendation in figures: its GPUs and nodes, the load asked for, and the most that it would carry."""
    problem = next(one for one in problems if one.backend == choice.backend)
    by_rate = problem.workload.request_rate is not None
    asked = problem.workload.request_rate if by_rate else problem.workload.concurrency
    return Size(
        gpus=choice.gpus,
        node_gpus=problem.system.node.gpus,
        by_rate=by_rate,
        asked=asked or 0.0,
        carried=max(_carried(choice, problem, catalog, by_rate=by_rate), asked or 0.0),
    )


def _carried(choice: Estimate, problem: Problem, catalog: Catalog, *, by_rate: bool) -> float:
    """The largest load at which the same workers keep the promises; what was asked for where none is found."""
    free = replace(problem.workload, concurrency=None, request_rate=None)
    wide = replace(problem, gpus=choice.gpus, workload=free, modes=(choice.mode,), top=_EVERY)
    try:
        outcome = search.search(wide, catalog)
    except EstimatorError:
        return 0.0
    same = [one for one in (*outcome.aggregated, *outcome.disaggregated) if _crew(one) == _crew(choice)]
    return max((one.load.request_rate if by_rate else _in_flight(one) for one in same), default=0.0)


def _in_flight(estimate: Estimate) -> float:
    """Whole requests; those of pools follow from their rate (Little's law), so a begun one is not carried."""
    if estimate.mode == "aggregated":
        return float(estimate.load.concurrency)
    return float(floor(estimate.load.request_rate * estimate.latency.request))


def _crew(estimate: Estimate) -> tuple[object, ...]:
    return estimate.replicas, *((worker.role, worker.count, worker.parallel) for worker in estimate.workers)
