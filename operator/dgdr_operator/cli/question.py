"""The question of a search: its flags, and the problems, one per engine, that they describe."""

import argparse
import dataclasses
import os
from typing import get_args

from dgdr_operator import settings
from dgdr_operator.cli import options
from dgdr_operator.cli.options import MOST_GPUS, MOST_MILLISECONDS, MOST_TOKENS, Parser, UsageError
from dgdr_operator.report.asked import Asked
from dgdr_operator.request import ISL, ITL, OSL, TTFT
from dgdr_operator.settings import Settings
from dgdr_operator.units import MILLISECOND
from estimator import catalogue, hardware, pins
from estimator.model import Model
from estimator.problem import DatabaseMode, Problem
from estimator.workload import Targets, Workload
from perf_db.catalog import Catalog, Resolution

BACKENDS = ("auto", "vllm", "sglang", "trtllm")
DEFAULT_MOST = 512
DEFAULT_ACCEPTANCE = 0.8
_MOST_DRAFTS = 16
_MOST_RANKS = 1000
_FLAGS = {"e2eLatency": "request-latency", "requestRate": "request-rate", "totalGpus": "total-gpus"}


def add_flags(parser: Parser, *, budget: bool = True) -> None:
    """Add the flags that describe a question; *budget*: its GPUs are given, else only how many there may be at most."""
    add_hardware(parser, budget=budget)
    add_workload(parser)
    _add_targets(parser)
    if budget:
        add_pin(parser)
    else:
        parser.set_defaults(pin="")


def read(flags: argparse.Namespace, catalog: Catalog) -> tuple[Asked, list[Problem]]:
    """The question that *flags* describe, and one problem per engine that is to answer it.

    Raises UsageError, and what the catalogue, the workload and the database refuse.
    """
    packs = _packs(flags, catalog)
    problem = _problem(flags, catalog)
    asked = _asked(flags, problem, packs)
    return asked, [dataclasses.replace(problem, backend=one.pack.backend) for one in packs]


def unpriced(flags: argparse.Namespace, catalog: Catalog) -> tuple[Asked, Problem]:
    """The same for a question that no measurement has to answer: one engine, no promises."""
    problem = dataclasses.replace(_problem(flags, catalog), targets=Targets())
    return _asked(flags, problem, []), problem


def workload(flags: argparse.Namespace, model: Model) -> Workload:
    """The traffic that *flags* describe. Raises UsageError for drafts that *model* cannot make."""
    if flags.drafts and not model.nextn:
        raise UsageError(f"--drafts must be 0: {model.name} has no layers for multi-token prediction")
    return Workload(
        isl=flags.isl,
        osl=flags.osl,
        prefix=flags.prefix,
        concurrency=flags.concurrency,
        request_rate=flags.request_rate,
        drafts=flags.drafts,
        acceptance=flags.acceptance,
    )


def version(flags: argparse.Namespace) -> str | None:
    """The version of the measurements that was asked for, None for the newest; UsageError where no engine is named."""
    if flags.backend_version in (None, "latest"):
        return None
    if flags.backend == "auto":
        raise UsageError("--backend-version needs one --backend: auto would look for it in every engine")
    return str(flags.backend_version)


def flag(field: str) -> str:
    """The flag that sets *field* of a request, without its dashes."""
    return _FLAGS.get(field, field)


def _asked(flags: argparse.Namespace, problem: Problem, packs: list[Resolution]) -> Asked:
    return Asked(
        model=problem.model,
        system=flags.system,
        gpus=flags.total_gpus,
        backend=flags.backend,
        backend_version=problem.backend_version,
        workload=problem.workload,
        targets=problem.targets,
        database_mode=problem.database_mode,
        pins=problem.pins,
        balanced=problem.balanced,
        packs=tuple(f"{one.pack.system}/{one.pack.backend} {one.pack.version}" for one in packs),
        notes=tuple(one.note for one in packs if one.note),
    )


def add_form(group: "argparse._ArgumentGroup") -> None:
    """Add how an answer is shown."""
    ranks = options.whole("plan", _MOST_RANKS)
    group.add_argument("--top", metavar="N", type=ranks, default=5, help="plans to show of each mode (5)")
    form = options.one_of(("table", "json"))
    group.add_argument("--output", type=form, metavar="FORM", default="table", help="table or json (table)")


def add_hardware(parser: Parser, *, budget: bool = True) -> None:
    """Add the flags of what to serve, and on what."""
    group = parser.add_argument_group("what to serve, and on what")
    model = "Hugging Face name, or a directory with its config.json"
    group.add_argument("--model", "--model-path", metavar="NAME", required=True, help=model)
    group.add_argument("--system", metavar="NAME", required=True, help="kind of GPU server: h200_sxm, h100_sxm, ...")
    gpus = options.whole("GPU", MOST_GPUS)
    if budget:
        group.add_argument("--total-gpus", metavar="N", required=True, type=gpus, help="GPUs there are; never exceeded")
    else:
        most = f"GPUs there may be at most ({DEFAULT_MOST})"
        group.add_argument("--max-gpus", dest="total_gpus", metavar="N", type=gpus, default=DEFAULT_MOST, help=most)
    engine = options.one_of(BACKENDS)
    group.add_argument(
        "--backend", type=engine, metavar="NAME", default="auto", help=f"{', '.join(BACKENDS)} (auto tries all)"
    )
    version = "version of the measurements (newest; older ones stand in, and it is said)"
    group.add_argument("--backend-version", metavar="V", help=version)
    mode = options.one_of(get_args(DatabaseMode))
    modes = "measured: only what was measured; hybrid: also what is transferred or a formula; analytical: formulas only"
    group.add_argument("--database-mode", type=mode, metavar="MODE", default="hybrid", help=f"{modes} (hybrid)")
    cache = options.one_of(("auto", "bf16", "fp8"))
    group.add_argument("--kv-cache-dtype", type=cache, metavar="TYPE", default="auto", help="auto, bf16 or fp8 (auto)")


def add_workload(parser: Parser) -> None:
    """Add the flags of the traffic."""
    group = parser.add_argument_group("the traffic")
    tokens = options.whole("token", MOST_TOKENS)
    group.add_argument("--isl", metavar="N", type=tokens, default=ISL, help=f"prompt tokens ({ISL})")
    group.add_argument("--osl", metavar="N", type=tokens, default=OSL, help=f"output tokens ({OSL})")
    cached = options.whole("token", MOST_TOKENS, least=0)
    group.add_argument("--prefix", metavar="N", type=cached, default=0, help="prompt tokens already cached (0)")
    drafts = options.whole("token", _MOST_DRAFTS, least=0)
    drafted = "tokens drafted per iteration by multi-token prediction (0)"
    group.add_argument("--drafts", "--nextn", metavar="N", type=drafts, default=0, help=drafted)
    accepted = f"chance that a draft is accepted if the one before it was ({DEFAULT_ACCEPTANCE})"
    group.add_argument("--acceptance", metavar="P", type=options.probability, default=DEFAULT_ACCEPTANCE, help=accepted)
    copies = "price experts that spread beyond a node with copies of the busy ones"
    group.add_argument("--eplb", action="store_true", help=copies)
    load = group.add_mutually_exclusive_group()
    in_flight = options.positive("requests", MOST_MILLISECONDS)
    load.add_argument("--concurrency", metavar="N", type=in_flight, help="requests in flight to serve")
    load.add_argument("--request-rate", metavar="R", type=in_flight, help="requests per second to serve")


def add_pin(parser: Parser) -> None:
    """Add what the user decides of the answer."""
    decided = "leave only such plans: mode=disagg,prefill.tp=2,prefill.workers=2 (tp, pp, dp, ep, workers, batch)"
    parser.add_argument("--pin", metavar="NAME=VALUE,...", default="", help=decided)


def _add_targets(parser: Parser) -> None:
    defaults = f"without any of the three: --ttft {TTFT / MILLISECOND:g} --itl {ITL / MILLISECOND:g}"
    group = parser.add_argument_group("the promises, in milliseconds", defaults)
    time_limit = options.positive("milliseconds", MOST_MILLISECONDS)
    group.add_argument("--ttft", metavar="MS", type=time_limit, help="time to the first token")
    group.add_argument("--itl", "--tpot", metavar="MS", type=time_limit, help="time between output tokens")
    group.add_argument("--request-latency", metavar="MS", type=time_limit, help="time of the whole request")
    sure = "least probability that the targets are kept, learned from measured runs (0: predictions at their word)"
    group.add_argument("--confidence", metavar="P", type=options.probability, default=0.0, help=sure)


def _problem(flags: argparse.Namespace, catalog: Catalog) -> Problem:
    model = catalogue.load(flags.model)
    return Problem(
        model=model,
        system=hardware.system(flags.system, catalog.facts(flags.system)),
        backend=flags.backend,
        gpus=flags.total_gpus,
        workload=workload(flags, model),
        targets=_targets(flags),
        pins=pins.parse(flags.pin),
        backend_version=version(flags),
        kv_dtype=None if flags.kv_cache_dtype == "auto" else flags.kv_cache_dtype,
        transfer_bandwidth=_link(settings.read(os.environ)),
        database_mode=flags.database_mode,
        balanced=flags.eplb,
        top=flags.top,
    )


def _link(chosen: Settings) -> float:
    """Bytes per second between prefill and decode workers, as `dgdr plan` and the controller assume them."""
    profile = chosen.fabric.profile
    return chosen.fabric.bandwidth["ib" if profile == "auto" else profile]


def _packs(flags: argparse.Namespace, catalog: Catalog) -> list[Resolution]:
    if flags.backend != "auto":
        return [catalog.resolve(flags.system, flags.backend, version(flags))]
    engines = dict.fromkeys(pack.backend for pack in catalog.packs() if pack.system == flags.system)
    return [catalog.resolve(flags.system, engine) for engine in engines or ("vllm",)]


def _targets(flags: argparse.Namespace) -> Targets:
    ttft, itl, e2e = (_seconds(given) for given in (flags.ttft, flags.itl, flags.request_latency))
    if e2e is None:
        ttft, itl = ttft or TTFT, itl or ITL
    return Targets(ttft=ttft, itl=itl, e2e=e2e, confidence=flags.confidence)


def _seconds(milliseconds: float | None) -> float | None:
    return None if milliseconds is None else milliseconds * MILLISECOND
