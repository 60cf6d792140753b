"""`dgdr estimate`: the price of one given configuration, operation by operation."""

import argparse
import json
import sys

from dgdr_operator.cli import options, question
from dgdr_operator.cli.options import FEASIBLE, Parser, UsageError
from dgdr_operator.report import breakdown
from dgdr_operator.report.accuracy import METRICS
from dgdr_operator.report.breakdown import Ends, Iteration, Opened
from dgdr_operator.report.figures import split
from estimator import catalogue, floor, hardware, search
from estimator.backends import registry
from estimator.estimates import Estimate, OpTime
from estimator.parallelism import Parallel
from estimator.problem import Problem
from estimator.shape import Shape
from estimator.workload import Targets, Workload
from perf_db import accuracy
from perf_db.catalog import Catalog

_PURPOSE = "Price one aggregated worker under a given load, and show where its time goes."
_EXAMPLES = """\
examples:
  dgdr estimate --model Qwen/Qwen3-32B-FP8 --system h200_sxm --backend vllm --tp 2 --concurrency 14 --isl 4000 --osl 500
  dgdr estimate --model deepseek-ai/DeepSeek-V3 --system h200_sxm --backend sglang --tp 8 --moe-ep 8 --concurrency 64"""
_SIZES = {"tp": "tensor", "pp": "pipeline", "dp": "attention data", "moe-tp": "expert tensor", "moe-ep": "expert"}
_CONSTANT = "assumption"


def register(subparsers: "argparse._SubParsersAction[Parser]") -> None:
    """Add the verb and its flags."""
    parser = subparsers.add_parser("estimate", description=_PURPOSE, epilog=_EXAMPLES)
    group = parser.add_argument_group("what runs, and on what")
    group.add_argument(
        "--model", "--model-path", metavar="NAME", required=True, help="name, or directory of config.json"
    )
    group.add_argument("--system", metavar="NAME", required=True, help="kind of GPU server: h200_sxm, h100_sxm, ...")
    engine = options.one_of(registry.NAMES)
    group.add_argument("--backend", type=engine, metavar="NAME", required=True, help=", ".join(registry.NAMES))
    group.add_argument("--backend-version", metavar="V", help="version of the measurements (newest)")
    cache = options.one_of(("auto", "bf16", "fp8"))
    group.add_argument("--kv-cache-dtype", type=cache, metavar="TYPE", default="auto", help="auto, bf16 or fp8 (auto)")
    tokens = options.whole("token", options.MOST_TOKENS)
    group.add_argument("--max-num-tokens", metavar="N", type=tokens, help="tokens of one step (the engine's default)")
    size = options.whole("GPU", options.MOST_GPUS)
    for name, kind in _SIZES.items():
        group.add_argument(f"--{name}", metavar="N", type=size, default=1, help=f"{kind} parallel size (1)")
    question.add_workload(parser)
    form = options.one_of(("table", "json"))
    parser.add_argument("--output", type=form, metavar="FORM", default="table", help="table or json (table)")


def run(flags: argparse.Namespace) -> int:
    """Price, take apart, print."""
    if flags.concurrency is None:
        raise UsageError("--concurrency must be given: the price of a configuration depends on its load")
    opened = _opened(flags, Catalog())
    if flags.output == "json":
        sys.stdout.write(json.dumps(breakdown.record(opened), indent=2, ensure_ascii=False) + "\n")
    else:
        sys.stdout.write(breakdown.page(opened, options.paper_of(sys.stdout)))
    return FEASIBLE


def _opened(flags: argparse.Namespace, catalog: Catalog) -> Opened:
    problem, parallel = _problem(flags, catalog), _parallel(flags)
    estimate = search.predict(
        problem.model,
        problem.system,
        problem.backend,
        parallel,
        problem.workload,
        catalog=catalog,
        backend_version=problem.backend_version,
        kv_dtype=problem.kv_dtype,
        max_num_tokens=flags.max_num_tokens,
    )
    shape = floor.served(problem, parallel)
    return Opened(
        title=f"{problem.model.name} on {parallel.gpus} x {problem.system.name}: {problem.backend} "
        f"{estimate.backend_version}, {split(parallel)}",
        osl=problem.workload.osl,
        estimate=estimate,
        iterations=_iterations(shape, problem.workload, estimate),
        ends=_ends(estimate, catalog),
        notes=_notes(shape, catalog.resolve(problem.system.name, problem.backend, problem.backend_version).note),
    )


def _notes(shape: Shape, note: str) -> list[str]:
    alone = f"{shape.engine.name} pauses decoding for prompts: its prompt steps are those below less decode attention"
    return [*filter(None, [note]), *([alone] if shape.engine.policy == "prompt_only" else [])]


def _problem(flags: argparse.Namespace, catalog: Catalog) -> Problem:
    workload = Workload(
        isl=flags.isl,
        osl=flags.osl,
        prefix=flags.prefix,
        concurrency=flags.concurrency,
        drafts=flags.drafts,
        acceptance=flags.acceptance,
    )
    return Problem(
        model=catalogue.load(flags.model),
        system=hardware.system(flags.system, catalog.facts(flags.system)),
        backend=flags.backend,
        gpus=_parallel(flags).gpus,
        workload=workload,
        targets=Targets(),
        backend_version=None if flags.backend_version == "latest" else flags.backend_version,
        kv_dtype=None if flags.kv_cache_dtype == "auto" else flags.kv_cache_dtype,
    )


def _parallel(flags: argparse.Namespace) -> Parallel:
    return Parallel(tp=flags.tp, pp=flags.pp, dp=flags.dp, moe_tp=flags.moe_tp, moe_ep=flags.moe_ep)


def _iterations(shape: Shape, workload: Workload, estimate: Estimate) -> list[Iteration]:
    """A step that carries a prompt, and one that only decodes (if anything is decoded)."""
    sequences = _decoding(shape, workload, estimate)
    chunk = max(min(estimate.workers[0].max_num_tokens - sequences, float(workload.new_tokens)), 1.0)
    prefill = [op for op in estimate.breakdown if op.phase == "prefill"]
    host = shape.engine.host.per_prompt_layer * shape.model.layers
    prefill.append(OpTime(phase="prefill", name="host", seconds=host, provenance=_CONSTANT))
    steps = [
        Iteration(
            title=f"A step with {chunk:,.0f} prompt tokens beside {sequences:.1f} decoding sequences per rank",
            tokens=chunk,
            sequences=sequences,
            ops=prefill,
            floor=floor.of_iteration(shape, workload, "prefill", chunk, sequences),
        )
    ]
    decode = [op for op in estimate.breakdown if op.phase == "decode"]
    if decode and sequences > 0:
        idle = shape.engine.host.per_decode_step - sum(op.seconds for op in decode)
        if idle > 0:
            decode.append(OpTime(phase="decode", name="host", seconds=idle, provenance=_CONSTANT))
        steps.append(
            Iteration(
                title=f"A step that decodes {sequences:.1f} sequences per rank",
                tokens=0.0,
                sequences=sequences,
                ops=decode,
                floor=floor.of_iteration(shape, workload, "decode", 0.0, sequences),
            )
        )
    return steps


def _decoding(shape: Shape, workload: Workload, estimate: Estimate) -> float:
    """Sequences that decode at a time on one rank: the rate at which they come times how long they stay (Little)."""
    stay = workload.iterations * (estimate.latency.itl or 0.0) * workload.tokens_per_iteration
    return estimate.load.request_rate / shape.parallel.dp * stay


def _ends(estimate: Estimate, catalog: Catalog) -> Ends:
    stored = accuracy.read(catalog.root)
    if stored is None:
        return {}
    values = {
        "ttft": estimate.latency.ttft,
        "itl": estimate.latency.itl,
        "throughput": estimate.load.tokens_per_second,
    }
    found = {}
    for metric in METRICS:
        value, band = values[metric], stored.band(estimate.backend, metric, doubtful=estimate.is_doubtful)
        if value is not None and band is not None:
            found[metric] = (value * band.low, value * band.high)
    return found
