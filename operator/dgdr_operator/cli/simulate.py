"""`dgdr simulate`: one deployment and its traffic in; what every request met, as percentiles, out."""

import argparse
import math
import sys
from dataclasses import dataclass, replace
from pathlib import Path
from typing import get_args

import numpy as np

from dgdr_operator.cli import deployment, options, question, traces
from dgdr_operator.cli.options import FEASIBLE, MOST_GPUS, Parser, UsageError
from dgdr_operator.report import figures, played
from dgdr_operator.report.played import Setting
from estimator import candidates, deciding, memory
from estimator.ops import Counts
from estimator.parallelism import Parallel
from estimator.pricing import Prices
from estimator.problem import DatabaseMode, Problem
from estimator.replay import Stage, Summary, Traffic, play, stages, traffic
from estimator.shape import Shape
from estimator.step import Step
from estimator.workload import Workload
from perf_db.catalog import Catalog

_ROUNDS, _ARRIVALS = 10, 1000
"""Requests per client, and requests in all when they come at a rate, unless --requests says otherwise."""
_MOST_REQUESTS = 1_000_000
_UNKNOWN_BATCH = 64
"""Requests in flight per rank that an engine is configured for when the load does not say how many there will be."""
_KEEPS_UP = 0.9
"""A deployment that answers less than this share of what comes is overrun, not merely emptying its queue..."""
_ENOUGH = 100
"""... if so many came: the last answers of a short run are late whatever the load."""
_PURPOSE = "Play a deployment request by request: percentiles of TTFT and ITL under closed, random or recorded traffic."
_EXAMPLES = """\
examples:
  dgdr simulate --model Qwen/Qwen3-32B-FP8 --system h200_sxm --backend vllm --tp 2 --replicas 4 \\
       --isl 4000 --osl 500 --concurrency 56 --spread 0.2
  dgdr simulate --model Qwen/Qwen3-32B-FP8 --system h200_sxm --backend vllm --prefill-workers 2 --decode-workers 1 \\
       --prefill-tp 2 --decode-tp 4 --isl 4000 --osl 500 --request-rate 6
  dgdr simulate --model Qwen/Qwen3-32B-FP8 --system h200_sxm --backend sglang --tp 4 --trace day.csv --output json

A trace is a CSV file with the columns time (seconds), isl and osl (tokens)."""


def register(subparsers: "argparse._SubParsersAction[Parser]") -> None:
    """Add the verb and its flags."""
    parser = subparsers.add_parser("simulate", description=_PURPOSE, epilog=_EXAMPLES)
    _add_deployment(parser)
    question.add_workload(parser)
    group = parser.add_argument_group("the run")
    group.add_argument("--trace", metavar="FILE", type=Path, help="play these requests instead: time, isl, osl")
    count = options.whole("request", _MOST_REQUESTS)
    helps = f"requests to send ({_ROUNDS} per client of --concurrency, {_ARRIVALS} at a --request-rate)"
    group.add_argument("--requests", metavar="N", type=count, help=helps)
    spread = "lengths are drawn uniformly from (1 - S) x nominal to nominal (0: all alike)"
    group.add_argument("--spread", metavar="S", type=options.probability, default=0.0, help=spread)
    seed = options.whole("step", 2**32 - 1, least=0)
    group.add_argument("--seed", metavar="N", type=seed, default=0, help="of what is drawn; the same again: 0")
    form = options.one_of(("table", "json"))
    group.add_argument("--output", type=form, metavar="FORM", default="table", help="table or json (table)")
    parser.set_defaults(ttft=None, itl=None, request_latency=None, confidence=0.0, pin="", top=1, total_gpus=1)


def run(flags: argparse.Namespace) -> int:
    """Play and print; a deployment that is overrun is an answer, not a failure."""
    coming = _traffic(flags)
    catalog = Catalog()
    _, problem = question.unpriced(flags, catalog)
    # Decode iterations are priced for the mean lengths of what really comes, prompts by their own.
    problem = replace(problem, workload=_mean(problem.workload, coming))
    problem.model.check_length(int((coming.isl + coming.osl).max()))
    ground = _ground(problem, catalog)
    fleet = _pools(flags, ground, coming) if deployment.is_apart(flags) else _workers(flags, ground, coming)
    summary = play(fleet.stages, coming).summary()
    setting = _setting(flags, ground, fleet, _notes(ground, coming, summary))
    if flags.output == "json":
        sys.stdout.write(played.record(setting, summary))
    else:
        sys.stdout.write(played.page(setting, summary, options.paper_of(sys.stdout)))
    return FEASIBLE


def _add_deployment(parser: Parser) -> None:
    group = parser.add_argument_group("what is played")
    deployment.add_flags(group)
    modes = options.one_of(get_args(DatabaseMode))
    group.add_argument("--database-mode", type=modes, metavar="MODE", default="hybrid", help="as in optimize (hybrid)")
    gpus = options.whole("GPU", MOST_GPUS)
    group.add_argument("--tp", metavar="N", type=gpus, default=1, help="tensor-parallel size of a worker (1)")
    group.add_argument("--dp", metavar="N", type=gpus, default=1, help="attention data-parallel size (1)")
    group.add_argument("--ep", metavar="N", type=gpus, help="expert-parallel size (what needs least memory)")
    workers = options.whole("worker", MOST_GPUS)
    group.add_argument("--replicas", metavar="N", type=workers, help="workers that prefill and decode (1)")
    deployment.add_pools(group)
    tokens = options.whole("token", options.MOST_TOKENS)
    budget = "tokens that one iteration may hold (as in our manifests)"
    group.add_argument("--max-num-tokens", metavar="N", type=tokens, help=budget)


@dataclass(frozen=True, slots=True, kw_only=True)
class _Ground:
    """What every worker of the deployment shares."""

    problem: Problem
    prices: Prices
    notes: tuple[str, ...]
    version: str

    def step(self, tp: int, flags: argparse.Namespace) -> Step:
        """The iterations of a worker split that way; UsageError names the ways there are."""
        problem, engine = self.problem, self.prices.engine
        dtypes = deciding.resolve(problem.model, engine, self.prices, kv_dtype=problem.kv_dtype)
        known = candidates.shapes(problem.model, problem.system, engine, dtypes, MOST_GPUS)
        able = [one for one in known if (one.tp, one.dp) == (tp, flags.dp) and flags.ep in (None, one.moe_ep)]
        if not able:
            raise UsageError(f"{problem.model.name} cannot be split so: {_split(tp, flags)}; {_ways(known)}")
        shapes = [
            Shape(
                model=problem.model,
                parallel=one,
                dtypes=dtypes,
                engine=engine,
                system=problem.system,
                balanced=problem.balanced,
            )
            for one in able
        ]
        leanest = min(shapes, key=lambda shape: memory.needed_capacity(shape, problem.workload))
        return Step(leanest, self.prices, problem.workload)


def _split(tp: int, flags: argparse.Namespace) -> str:
    return f"tp {tp}, dp {flags.dp}" + (f", ep {flags.ep}" if flags.ep else "")


def _ways(known: tuple[Parallel, ...]) -> str:
    ways = dict.fromkeys(figures.split(one) for one in known)
    return f"on one node there are {', '.join(ways)}"


def _ground(problem: Problem, catalog: Catalog) -> _Ground:
    found = catalog.resolve(problem.system.name, problem.backend, problem.backend_version)
    prices = Prices(catalog, found.pack, problem.system, mode=problem.database_mode)
    return _Ground(problem=problem, prices=prices, notes=tuple(filter(None, [found.note])), version=found.pack.version)


@dataclass(frozen=True, slots=True, kw_only=True)
class _Fleet:
    """The stages that requests pass, what they are called, and the GPUs they take."""

    stages: tuple[Stage, ...]
    name: str
    gpus: int


def _workers(flags: argparse.Namespace, ground: _Ground, coming: Traffic) -> _Fleet:
    step, copies = ground.step(flags.tp, flags), flags.replicas or 1
    parallel = step.shape.parallel
    batch = _batch(coming, copies * parallel.dp)
    budget = flags.max_num_tokens or step.shape.engine.token_budget(int(coming.isl.max()), batch)
    stage = stages.whole(step, ground.problem.workload, batch, replicas=copies, budget=budget)
    stage = _by_length(ground, step, stage, coming)
    return _Fleet(stages=(stage,), name=f"agg {figures.split(parallel)} x{copies}", gpus=copies * parallel.gpus)


def _pools(flags: argparse.Namespace, ground: _Ground, coming: Traffic) -> _Fleet:
    (sources, feeding), (sinks, decoding) = deployment.pools(flags, "replicas", "max_num_tokens")
    problem, prefill, decode = ground.problem, ground.step(feeding, flags), ground.step(decoding, flags)
    batch = _batch(coming, sinks * decode.shape.parallel.dp)
    link = problem.transfer_bandwidth or problem.system.node.inter_bandwidth
    first, second = stages.pools((prefill, sources), (decode, sinks), problem.workload, requests=batch, bandwidth=link)
    source, sink = prefill.shape.parallel, decode.shape.parallel
    name = f"disagg {sources}p:{figures.split(source)}+{sinks}d:{figures.split(sink)}"
    first = _by_length(ground, prefill, first, coming)
    return _Fleet(stages=(first, second), name=name, gpus=sources * source.gpus + sinks * sink.gpus)


def _by_length(ground: _Ground, step: Step, stage: Stage, coming: Traffic) -> Stage:
    """The stage with prompts priced by their own lengths."""
    dearer = stages.surcharge(step, ground.prices, ground.problem.workload, coming.isl)
    return replace(stage, surcharge=dearer)


def _batch(coming: Traffic, ranks: int) -> int:
    return math.ceil(coming.clients / ranks) if coming.times is None else _UNKNOWN_BATCH


def _traffic(flags: argparse.Namespace) -> Traffic:
    """What comes: exactly one of the three kinds."""
    given = [name for name in ("concurrency", "request_rate", "trace") if getattr(flags, name) is not None]
    if len(given) != 1:
        raise UsageError("give one of --concurrency, --request-rate and --trace")
    if flags.trace is not None:
        if flags.requests is not None:
            raise UsageError("--requests cannot be given together with --trace, which says how many there are")
        return traffic.trace(traces.read(flags.trace))
    dice = np.random.default_rng(flags.seed)
    clients = math.ceil(flags.concurrency or 0)
    count = flags.requests or (_ROUNDS * clients if clients else _ARRIVALS)
    if count > _MOST_REQUESTS:
        raise UsageError(f"--concurrency makes {count} requests; give fewer with --requests")
    isl, osl = (_lengths(nominal, count, flags.spread, dice) for nominal in (flags.isl, flags.osl))
    times = traffic.poisson(flags.request_rate, count, dice=dice) if flags.request_rate else None
    return Traffic(isl=isl, osl=osl, times=times, clients=clients)


def _lengths(nominal: int, count: int, spread: float, dice: np.random.Generator) -> Counts:
    return traffic.lengths(nominal, count, spread=spread, dice=dice)


def _mean(workload: Workload, coming: Traffic) -> Workload:
    isl, osl = round(float(coming.isl.mean())), round(float(coming.osl.mean()))
    return replace(workload, isl=isl, osl=osl, concurrency=None, request_rate=None)


def _setting(flags: argparse.Namespace, ground: _Ground, fleet: _Fleet, notes: tuple[str, ...]) -> Setting:
    load = {
        "concurrency": f"{figures.short(flags.concurrency or 0)} in flight",
        "request_rate": f"{figures.short(flags.request_rate or 0)} per second, at random",
        "trace": f"as recorded in {flags.trace}",
    }
    kind = next(name for name in load if getattr(flags, name) is not None)
    mean = ground.problem.workload
    return Setting(
        model=ground.problem.model.name,
        system=flags.system,
        backend=flags.backend,
        backend_version=ground.version,
        deployment=fleet.name,
        gpus=fleet.gpus,
        traffic=f"{mean.isl} tokens in, {mean.osl} out on average, {load[kind]}",
        notes=notes,
    )


def _notes(ground: _Ground, coming: Traffic, summary: Summary) -> tuple[str, ...]:
    notes = list(ground.notes)
    if summary.evictions:
        again = "lost their cache to others and were computed again"
        notes.append(f"{summary.evictions} times requests {again}: the KV cache is too small for this load")
    if coming.times is not None and len(coming.times) >= _ENOUGH and coming.times[-1] > 0:
        offered = len(coming.times) / float(coming.times[-1])
        if summary.request_rate < _KEEPS_UP * offered:
            notes.append(f"overrun: {offered:.3g} requests/s come, so queues, and TTFT with them, grow without end")
    return tuple(notes)
