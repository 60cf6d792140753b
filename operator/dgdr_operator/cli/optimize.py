"""`dgdr optimize`: a model, some GPUs and an SLA in; the best plan, ranked tables and a folder of files out."""

import argparse
import importlib
import sys
import time
from pathlib import Path

from dgdr_operator import engines
from dgdr_operator.cli import options, question, wishes
from dgdr_operator.cli.options import FEASIBLE, INFEASIBLE, Parser, UsageError
from dgdr_operator.report import answer, document, refused
from dgdr_operator.report.asked import Asked
from estimator.errors import InvalidWorkload, NoFeasibleCandidate
from estimator.estimates import Outcome
from estimator.hardware import System
from perf_db.catalog import Catalog

_PURPOSE = "Find the deployment with the most output tokens per GPU that keeps the latency targets."
_EXAMPLES = """\
examples:
  dgdr optimize --model Qwen/Qwen3-32B-FP8 --system h200_sxm --total-gpus 8 --backend vllm \\
       --isl 4000 --osl 500 --ttft 600 --itl 16.67 --save-dir results
  dgdr optimize --model ./my-model --system h100_sxm --total-gpus 16 --request-latency 8000 --output json"""


def register(subparsers: "argparse._SubParsersAction[Parser]") -> None:
    """Add the verb and its flags."""
    parser = subparsers.add_parser("optimize", description=_PURPOSE, epilog=_EXAMPLES)
    question.add_flags(parser)
    _add_output(parser)
    wishes.add_flags(parser)


def run(flags: argparse.Namespace) -> int:
    """Search, write, print; the exit code says whether there is a plan."""
    try:
        return _answer(flags)
    except InvalidWorkload as problem:
        raise UsageError(f"--{question.flag(problem.field)} must be {problem.allowed}, not {problem.value}") from None


def _answer(flags: argparse.Namespace) -> int:
    started = time.perf_counter()
    if flags.save_dir is None and (wish := wishes.given(flags)):
        raise UsageError(f"{wish} changes the saved manifests: give --save-dir too")
    catalog = Catalog()
    asked, problems = question.read(flags, catalog)
    paper = options.paper_of(sys.stdout)
    as_json = flags.output == "json"
    try:
        outcome = engines.ask(problems, catalog, advise=True)
    except NoFeasibleCandidate as refusal:
        elapsed, report = time.perf_counter() - started, refusal.report
        sys.stdout.write(document.infeasible(asked, report, elapsed) if as_json else refused.page(asked, report, paper))
        return INFEASIBLE
    elapsed = time.perf_counter() - started
    saved = _save(flags, asked, outcome, problems[0].system, catalog)
    page = document.feasible(asked, outcome, elapsed) if as_json else answer.page(asked, outcome, paper) + saved
    sys.stdout.write(page)
    return FEASIBLE


def _save(flags: argparse.Namespace, asked: Asked, outcome: Outcome, system: System, catalog: Catalog) -> str:
    """Write the folder, if one is asked for; what to say about it."""
    if flags.save_dir is None:
        return ""
    # Building manifests needs YAML and the request's schema, which a plain question has no use for.
    saving = importlib.import_module("dgdr_operator.cli.saving")
    return f"\n{saving.save(flags, asked, outcome, system, catalog)}\n"


def _add_output(parser: Parser) -> None:
    group = parser.add_argument_group("the answer")
    question.add_form(group)
    group.add_argument("--save-dir", metavar="DIR", type=Path, help="write manifests, tables and the report there")
