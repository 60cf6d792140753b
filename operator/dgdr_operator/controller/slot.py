"""The journey in a process of its own: a request's body and the inventory in, an answer out, never an exception."""

import json
from collections import OrderedDict
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import cache
from math import isnan
from typing import Any

from dgdr_operator import inventory, journey, refusal, spec
from dgdr_operator.controller.answers import Refused
from dgdr_operator.controller.recall import INPUTS_HASH, accompanied, annotated
from dgdr_operator.controller.record import packed
from dgdr_operator.controller.safety import GATED, NODE_GPUS
from dgdr_operator.errors import InvalidSpec, JourneyError
from dgdr_operator.inventory import Inventory
from dgdr_operator.journey import Solution
from dgdr_operator.planned import BENCHMARK, THROUGHPUT, Planned
from dgdr_operator.report import dossier, figures
from dgdr_operator.report.asked import Asked
from dgdr_operator.request import DeploymentRequest
from dgdr_operator.settings import Settings
from dgdr_operator.units import MILLISECOND
from estimator import catalogue
from estimator.errors import EstimatorError, InvalidWorkload, NoFeasibleCandidate
from estimator.estimates import Estimate, Infeasible
from perf_db.catalog import Catalog
from perf_db.errors import PerfDatabaseError

SOLUTIONS_KEPT = 64
"""Searches remembered by a process, refusals included, at some hundred kilobytes each."""


@dataclass(frozen=True, slots=True)
class Found:
    """A solution, and the files about it, packed."""

    solution: Solution
    report: bytes


class Memory:
    """What was found, by everything but names: a thousand requests that ask the same are searched for once."""

    def __init__(self, size: int = SOLUTIONS_KEPT) -> None:
        self._size = size
        self._found: OrderedDict[str, Found | Refused] = OrderedDict()

    def recall(self, asked: str, solve: Callable[[], Found | Refused]) -> Found | Refused:
        """What is remembered for *asked*, or what *solve* finds now; the longest unasked is forgotten."""
        if asked not in self._found:
            self._found[asked] = solve()
        self._found.move_to_end(asked)
        while len(self._found) > self._size:
            self._found.popitem(last=False)
        return self._found[asked]


_memory = Memory()


@cache
def catalog() -> Catalog:
    """The measurements, opened once per process."""
    return Catalog()


def plan(body: Mapping[str, Any], nodes: Inventory | None, settings: Settings) -> Planned | Refused:
    """The answer to the request in *body*."""
    try:
        request = spec.read(body)
        asked = journey.question_hash(request, nodes, catalog().data_version, settings)
        found = _memory.recall(asked, lambda: _solved(request, nodes, settings))
        return found if isinstance(found, Refused) else _named(found, request, nodes, settings)
    except InvalidSpec as error:
        return Refused(why="invalid", message=str(error))
    except JourneyError as error:
        return _unsupported(error)


def _solved(request: DeploymentRequest, nodes: Inventory | None, settings: Settings) -> Found | Refused:
    complete, _ = inventory.complete(request, journey.sight(request, nodes, settings))
    try:
        solution = journey.solve(request, nodes, catalog(), settings)
        files = dossier.files(_asked(solution), solution.outcome) if solution.shortfall.priced else {}
        return Found(solution, packed(files))
    except InvalidSpec as error:
        return Refused(why="invalid", message=str(error))
    except InvalidWorkload as error:
        return Refused(why="invalid", message=f"spec: {error}")
    except NoFeasibleCandidate as error:
        return _infeasible(complete, error.report)
    except (JourneyError, EstimatorError, PerfDatabaseError) as error:
        return _unsupported(error)


def _asked(solution: Solution) -> Asked:
    """The question as the head of the report puts it."""
    request, choice = solution.site.request, solution.outcome.choice
    return Asked(
        model=catalogue.load(request.model),
        system=str(request.hardware.gpu_sku),
        gpus=request.hardware.total_gpus or choice.gpus,
        backend=request.runtime.backend,
        backend_version=choice.backend_version,
        workload=request.workload,
        targets=request.targets,
        pins=request.policy.pins,
        balanced=request.policy.balanced,
        packs=(f"{request.hardware.gpu_sku}/{choice.backend} {choice.backend_version}",),
        notes=solution.notes,
    )


def _named(found: Found, request: DeploymentRequest, nodes: Inventory | None, settings: Settings) -> Planned:
    digest = journey.input_hash(request, nodes, catalog().data_version, settings)
    made = journey.named(found.solution, request.identity, digest)
    choice, fabric = made.outcome.choice, (made.fabric.ready, made.fabric.reason, made.fabric.message)
    shown = refusal.marked(made.graph, made.request, made.shortfall)
    graph = accompanied(annotated(shown, INPUTS_HASH, made.input_hash), made.objects[:-1])
    if made.benchmark is not None:
        graph = annotated(graph, BENCHMARK, json.dumps(made.benchmark, sort_keys=True))
    throughput = choice.tokens_per_second_per_gpu if made.shortfall.priced else 0.0
    promised = annotated(graph, THROUGHPUT, f"{throughput:.4g}")
    promised = annotated(promised, NODE_GPUS, str(found.solution.site.place.node_gpus))
    promised = annotated(promised, GATED, "true") if catalogue.is_gated(made.request.model) else promised
    return Planned(graph=promised, summary=summary(choice, made.request), fabric=fabric, report=found.report)


def _unsupported(error: Exception) -> Refused:
    said = str(error)
    return Refused(why="unsupported", message=said if said.startswith("unsupported") else f"unsupported: {said}")


def _infeasible(request: DeploymentRequest, report: Infeasible) -> Refused:
    return Refused(why="infeasible", message=refusal.line(request, report), feasible=refusal.reason(report))


def summary(estimate: Estimate, request: DeploymentRequest) -> str:
    """One sentence of numbers: what was chosen and what it is predicted to do."""
    latency, load = estimate.latency, estimate.load
    if isnan(latency.ttft):
        where = f"{estimate.gpus} x {request.hardware.gpu_sku}"
        return f"{estimate.backend} {estimate} on {where}: it fits in memory, nothing is predicted"
    itl = f", itl {latency.itl / MILLISECOND:.3g} ms" if latency.itl else ""
    odds = f"; the targets are kept with probability {figures.odds(estimate)}" if estimate.trust else ""
    return (
        f"{estimate.backend} {estimate.backend_version} {estimate} on {estimate.gpus} x {request.hardware.gpu_sku}: "
        f"ttft {latency.ttft / MILLISECOND:.3g} ms{itl}, {estimate.tokens_per_second_per_gpu:.4g} tokens/s/GPU "
        f"at {load.concurrency} concurrent requests{odds}"
    )
