"""`dgdr generate`: a model and some GPUs in; the manifest of a configuration that fits out, without a search."""

import argparse
import os
import sys
from pathlib import Path

from dgdr_operator import settings
from dgdr_operator.cli import offline, question, shaping, wishes
from dgdr_operator.cli.offline import Ground
from dgdr_operator.cli.options import FEASIBLE, INFEASIBLE, Parser, UsageError
from dgdr_operator.cli.shaping import Shaped
from dgdr_operator.manifest import graph
from dgdr_operator.planned import ESTIMATE, FIT
from dgdr_operator.report import artifacts, figures, yaml_text
from estimator import fitting
from estimator.errors import InvalidWorkload
from estimator.estimates import Estimate, Worker
from estimator.problem import Problem
from perf_db.catalog import Catalog

_ENGINES = tuple(name for name in question.BACKENDS if name != "auto")
_PURPOSE = "Write a deployment that fits in memory: the smallest workers, as many copies as the GPUs hold."
_EXAMPLES = """\
examples:
  dgdr generate --model Qwen/Qwen3-32B-FP8 --system h200_sxm --total-gpus 8 --backend vllm | kubectl apply -f -
  dgdr generate --model ./my-model --system h100_sxm --total-gpus 8 --backend sglang --set max_running_requests=256
  dgdr generate --model Qwen/Qwen3-32B-FP8 --system h200_sxm --total-gpus 8 --backend vllm --pin mode=disagg
  dgdr generate --set-help

Nothing is predicted: `dgdr optimize` finds what keeps a promise."""


def register(subparsers: "argparse._SubParsersAction[Parser]") -> None:
    """Add the verb and its flags."""
    parser = subparsers.add_parser("generate", description=_PURPOSE, epilog=_EXAMPLES)
    question.add_hardware(parser)
    question.add_workload(parser)
    question.add_pin(parser)
    wishes.add_flags(parser)
    group = parser.add_argument_group("the answer")
    group.add_argument("--save-to", metavar="FILE", type=Path, help="write the manifest there (standard output)")
    parser.set_defaults(ttft=None, itl=None, request_latency=None, top=1, confidence=0.0)


def run(flags: argparse.Namespace) -> int:
    """Fit, write, explain on standard error; the exit code says whether anything fits."""
    try:
        return _generated(flags)
    except InvalidWorkload as problem:
        raise UsageError(f"--{question.flag(problem.field)} must be {problem.allowed}, not {problem.value}") from None


def _generated(flags: argparse.Namespace) -> int:
    if flags.backend == "auto":
        raise UsageError(
            f"--backend must be one of {', '.join(_ENGINES)}: without a search there is nothing to choose by"
        )
    catalog = Catalog()
    asked, problem = question.unpriced(flags, catalog)
    estimate = fitting.deployment(problem)
    if estimate is None:
        sys.stderr.write(f"dgdr: {_too_large(problem)}\n")
        return INFEASIBLE
    wished = shaping.read(flags)
    chosen = shaping.fitting(settings.read(os.environ), wished)
    ground = Ground(asked=asked, system=problem.system, settings=chosen, catalog=catalog)
    site = offline.site(ground, estimate, fitting.dtypes(problem).kv)
    built = graph.build(estimate, site)
    shaped = shaping.shaped(built.objects, wished, site.target.release)
    _deliver(flags.save_to, shaped)
    notes = (_summary(problem, estimate), *built.notes, *shaped.notes)
    sys.stderr.writelines(f"# {note}\n" for note in notes)
    return FEASIBLE


def _too_large(problem: Problem) -> str:
    needed, capacity = fitting.needed(problem), problem.system.gpu.memory_capacity
    least = f"at least {-(-needed // capacity):.0f} x {problem.system.name}, not {problem.gpus}"
    return f"one copy of {problem.model.name} needs {figures.gib(needed)} GiB of GPU memory: {least}"


def _deliver(path: Path | None, shaped: Shaped) -> None:
    """Print or save the objects, the last of which carries the mark."""
    *before, last = shaped.objects
    metadata = {**last["metadata"], "annotations": {**last["metadata"].get("annotations", {}), ESTIMATE: FIT}}
    text = "# It fits in memory; nothing else is known about it.\n" + yaml_text.dump(
        [*before, {**last, "metadata": metadata}]
    )
    if path is None:
        sys.stdout.write(text)
        sys.stdout.flush()
    else:
        artifacts.replace(path, text)


def _summary(problem: Problem, estimate: Estimate) -> str:
    told = f"{figures.configuration(estimate)} with {problem.backend} on {estimate.gpus} of {problem.gpus} GPUs: "
    rooms = [
        f"{figures.gib(worker.memory.weights)} GiB of weights per GPU, cache for "
        f"{_requests(worker.batch_size * worker.parallel.dp)} per {_called(worker)}"
        for worker in estimate.workers
    ]
    return told + "; ".join([*rooms, "not estimated"])


def _requests(count: int) -> str:
    return "one request" if count == 1 else f"{count} requests"


def _called(worker: Worker) -> str:
    return "worker" if worker.role == "aggregated" else f"{worker.role} worker"
