"""`dgdr estimate`: the price of one given configuration, operation by operation."""

import argparse
import json
import math
import sys
from dataclasses import replace

from dgdr_operator.cli import deployment, dissection, options, question
from dgdr_operator.cli.options import FEASIBLE, Parser, UsageError
from dgdr_operator.report import breakdown, figures
from dgdr_operator.report.breakdown import Opened
from estimator import catalogue, hardware, pins, search
from estimator.errors import InvalidWorkload, NoFeasibleCandidate
from estimator.estimates import Estimate
from estimator.parallelism import Parallel
from estimator.problem import Problem
from estimator.workload import Benchmark, Targets
from perf_db.catalog import Catalog

_PURPOSE = "Price one worker, or a pool that prefills and one that decodes, under a given load; show where time goes."
_EXAMPLES = """\
examples:
  dgdr estimate --model Qwen/Qwen3-32B-FP8 --system h200_sxm --backend vllm --tp 2 --concurrency 14 --isl 4000 --osl 500
  dgdr estimate --model deepseek-ai/DeepSeek-V3 --system h200_sxm --backend sglang --tp 8 --moe-ep 8 --concurrency 64
  dgdr estimate --model Qwen/Qwen3-32B-FP8 --system h200_sxm --backend vllm --prefill-workers 4 --prefill-tp 1 \\
       --decode-workers 1 --decode-tp 4 --concurrency 56 --isl 4000 --osl 500"""
_SIZES = {"tp": "tensor", "pp": "pipeline", "dp": "attention data", "moe-tp": "expert tensor", "moe-ep": "expert"}
_MOST_INTERVAL, _MOST_ROUNDS = 1000, 1_000_000


def register(subparsers: "argparse._SubParsersAction[Parser]") -> None:
    """Add the verb and its flags."""
    parser = subparsers.add_parser("estimate", description=_PURPOSE, epilog=_EXAMPLES)
    group = parser.add_argument_group("what runs, and on what")
    deployment.add_flags(group)
    tokens = options.whole("token", options.MOST_TOKENS)
    group.add_argument("--max-num-tokens", metavar="N", type=tokens, help="tokens of one step (the engine's default)")
    size = options.whole("GPU", options.MOST_GPUS)
    for name, kind in _SIZES.items():
        group.add_argument(f"--{name}", metavar="N", type=size, default=1, help=f"{kind} parallel size (1)")
    apart = "workers apart (give both numbers; --concurrency is what decodes at a time)"
    deployment.add_pools(parser.add_argument_group(apart))
    question.add_workload(parser)
    interval = options.whole("token", _MOST_INTERVAL)
    sent = "output tokens that the server collects before it answers (1): the client sees the first one so much later"
    parser.add_argument("--stream-interval", metavar="N", type=interval, default=1, help=sent)
    rounds = (
        "requests per client of a benchmark whose clients all start at once; its means are shown (the steady state)"
    )
    parser.add_argument("--rounds", metavar="N", type=options.whole("request", _MOST_ROUNDS), help=rounds)
    alike = "all requests of the benchmark have the very same lengths, so that they meet again and again"
    parser.add_argument("--equal-lengths", action="store_true", help=alike)
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
    problem = _problem(flags, catalog)
    apart = deployment.is_apart(flags)
    estimate = _apart(flags, problem, catalog) if apart else _together(flags, problem, catalog)
    osl, held = problem.workload.osl, flags.stream_interval - 1
    seen = replace(estimate, latency=dissection.seen(estimate.latency, osl, held, held))
    name = figures.configuration(estimate) if apart else figures.split(estimate.workers[0].parallel)
    note = catalog.resolve(problem.system.name, problem.backend, problem.backend_version).note
    return Opened(
        title=f"{problem.model.name} on {estimate.gpus} x {problem.system.name}: {problem.backend} "
        f"{estimate.backend_version}, {name}",
        osl=osl,
        estimate=seen,
        iterations=dissection.iterations(problem, estimate, catalog),
        ends=dissection.ends(seen, catalog),
        notes=[*filter(None, [note])],
    )


def _together(flags: argparse.Namespace, problem: Problem, catalog: Catalog) -> Estimate:
    """One worker that prefills and decodes."""
    return search.predict(
        problem.model,
        problem.system,
        problem.backend,
        _parallel(flags),
        problem.workload,
        catalog=catalog,
        backend_version=problem.backend_version,
        kv_dtype=problem.kv_dtype,
        max_num_tokens=flags.max_num_tokens,
        benchmark=_benchmark(flags),
        balanced=problem.balanced,
    )


def _benchmark(flags: argparse.Namespace) -> Benchmark | None:
    if flags.rounds is None and flags.equal_lengths:
        raise UsageError("--equal-lengths needs --rounds: it says how a benchmark differs from a steady state")
    return None if flags.rounds is None else Benchmark(rounds=flags.rounds, alike=flags.equal_lengths)


def _apart(flags: argparse.Namespace, problem: Problem, catalog: Catalog) -> Estimate:
    """The pools that the flags describe, as a search that may find nothing else. Raises UsageError where none runs."""
    (sources, feeding), (sinks, decoding) = deployment.pools(flags, "max_num_tokens", "rounds")
    usual = _parallel(flags)
    splits = [replace(usual, tp=tp) for tp in (feeding, decoding)]
    batch = math.ceil(flags.concurrency / (sinks * usual.dp))
    decided = [f"{role}.tp={one.tp}" for role, one in zip(("prefill", "decode"), splits, strict=True)]
    decided += [f"dp={usual.dp}", f"pp={usual.pp}", f"moe_tp={usual.moe_tp}", f"ep={usual.moe_ep}"]
    decided += [f"prefill.workers={sources}", f"decode.workers={sinks}", f"decode.batch={batch}"]
    asked = replace(
        problem,
        gpus=sources * splits[0].gpus + sinks * splits[1].gpus,
        workload=replace(problem.workload, concurrency=None),
        modes=("disaggregated",),
        pins=pins.parse(",".join(decided)),
    )
    try:
        return search.search(asked, catalog).choice
    except (NoFeasibleCandidate, InvalidWorkload) as refusal:
        if isinstance(refusal, InvalidWorkload) and refusal.field != "pin":
            raise
        reasons = "too few prefill workers for what decodes, a split that the model lacks, or too little memory"
        raise UsageError(f"{sources} prefill and {sinks} decode workers cannot run so: {reasons}") from None


def _problem(flags: argparse.Namespace, catalog: Catalog) -> Problem:
    model = catalogue.load(flags.model)
    return Problem(
        model=model,
        system=hardware.system(flags.system, catalog.facts(flags.system)),
        backend=flags.backend,
        gpus=_parallel(flags).gpus,
        workload=question.workload(flags, model),
        targets=Targets(),
        backend_version=question.version(flags),
        kv_dtype=None if flags.kv_cache_dtype == "auto" else flags.kv_cache_dtype,
        balanced=flags.eplb,
    )


def _parallel(flags: argparse.Namespace) -> Parallel:
    return Parallel(tp=flags.tp, pp=flags.pp, dp=flags.dp, moe_tp=flags.moe_tp, moe_ep=flags.moe_ep)
