"""`dgdr compare`: a saved plan and a run of AIPerf in; prediction against measurement out."""

import argparse
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import yaml

from dgdr_operator.cli import documents, options
from dgdr_operator.cli.options import FEASIBLE, Parser, UsageError
from dgdr_operator.manifest import benchmark
from dgdr_operator.report import choices, comparison, measured
from dgdr_operator.report.measured import Measured

_JSON, _CSV = "profile_export_aiperf.json", "profile_export_aiperf.csv"
_PHASES = "phases"
"""The folder in which AIPerf keeps a summary of the warm-up and of each other phase, beside the run's own."""

_PURPOSE = "Compare what was predicted for a plan with what AIPerf measured on it."
_EXAMPLES = """\
examples:
  kubectl apply -f results/aggregated/top1/aiperf-job.yaml
  kubectl logs job/qwen3-32b-fp8-agg-dgd-aiperf > run.log        # when the Job is complete
  dgdr compare --plan results/aggregated/top1/plan.yaml --aiperf run.log
  dgdr compare --plan results/plan.yaml --aiperf artifacts/ --output json"""


def register(subparsers: "argparse._SubParsersAction[Parser]") -> None:
    """Add the verb and its flags."""
    parser = subparsers.add_parser("compare", description=_PURPOSE, epilog=_EXAMPLES)
    plan = "plan.yaml of a folder that `dgdr optimize --save-dir` wrote"
    parser.add_argument("--plan", metavar="FILE", required=True, help=plan)
    run_of = f"AIPerf's folder (with {_JSON} or .csv), one of these files, or the log of our Job"
    parser.add_argument("--aiperf", metavar="PATH", required=True, type=Path, help=run_of)
    form = options.one_of(("table", "json"))
    parser.add_argument("--output", type=form, metavar="FORM", default="table", help="table or json (table)")


def run(flags: argparse.Namespace) -> int:
    """Compare and print; errors of a prediction are an answer, not a failure."""
    plan = _plan(flags.plan)
    averages = _averages(flags.aiperf)
    found = comparison.lines(plan, averages, str(flags.aiperf))
    notes = list(comparison.remarks(plan, averages, found))
    if flags.output == "json":
        sys.stdout.write(comparison.record(plan, found, notes))
    else:
        sys.stdout.write(comparison.page(plan, found, notes, options.paper_of(sys.stdout)))
    return FEASIBLE


def _plan(name: str) -> Mapping[str, Any]:
    for one in documents.read(name):
        text = choices.text(one) if isinstance(one, Mapping) else None
        if text is not None:
            plan = yaml.safe_load(text)
            if isinstance(plan, Mapping):
                return plan
    raise UsageError(f"{name} holds no predictions: it is not a plan.yaml of `dgdr optimize --save-dir`")


def _averages(path: Path) -> Measured:
    if not path.exists():
        raise UsageError(f"{path}: No such file or directory")
    file = _summary(path) if path.is_dir() else path
    text = file.read_text(encoding="utf-8", errors="replace")
    if file.suffix == ".csv":
        return measured.from_csv(str(file), text)
    # The Job of ours prints the summary after a mark, because nobody reaches the files of a pod that has ended.
    _, mark, printed = text.rpartition(benchmark.MARK)
    return measured.from_json(str(file), printed if mark else text)


def _summary(folder: Path) -> Path:
    for name in (_JSON, _CSV):
        found = sorted(path for path in folder.rglob(name) if _PHASES not in path.relative_to(folder).parts)
        if len(found) > 1:
            where = ", ".join(str(path.parent) for path in found[:3])
            raise UsageError(f"{folder} holds {len(found)} runs ({where}, ...): name one of them")
        if found:
            return found[0]
    raise UsageError(f"{folder} holds neither {_JSON} nor {_CSV}: is it the --artifact-dir of a finished run?")
