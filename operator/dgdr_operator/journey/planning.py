"""The steps of the journey in order: complete, choose the release, search, build."""

from contextlib import suppress
from dataclasses import dataclass, replace
from typing import Any

from dgdr_operator import engines
from dgdr_operator import inventory as nodes
from dgdr_operator.inventory import Inventory
from dgdr_operator.journey import leeway, pinned, placing, questions, transport
from dgdr_operator.journey.digest import input_hash
from dgdr_operator.journey.questions import AGGREGATED, APART, BOTH, Question
from dgdr_operator.journey.transport import FabricVerdict, Ground, Transport
from dgdr_operator.manifest import benchmark, fabric, graph, releases
from dgdr_operator.manifest.sites import Site
from dgdr_operator.request import DeploymentRequest, Identity
from dgdr_operator.settings import Settings
from estimator import catalogue
from estimator.errors import MissingTable, NoFeasibleCandidate
from estimator.estimates import Estimate, Infeasible, Outcome
from perf_db.catalog import Catalog
from perf_db.errors import NotCovered

MEASURED = "as soon as the graph serves, a Job measures it under the load of the plan"
"""What is said of a request that wants its graph held to its promises."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Shortfall:
    """Why a plan is less than one that keeps its promises, as predicted.

    missed: the refusal it stands in for; priced: whether anything was predicted; departures: sentences on what
    overrides changed although the prediction rested on it.
    """

    missed: Infeasible | None = None
    priced: bool = True
    departures: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Plan:
    """What to create for a request, and why.

    request: as it was planned, hardware filled in; outcome: the search that chose; objects: what to create, in this
    order, the DynamoGraphDeployment last; notes: sentences for people; input_hash: equal inputs give equal hashes,
    and equal hashes equal plans; data_version: of the measurements; shortfall: what the plan misses or leaves open;
    benchmark: the Job that holds the running graph to its predictions, None where the request does not want one.
    """

    request: DeploymentRequest
    outcome: Outcome
    objects: tuple[dict[str, Any], ...]
    notes: tuple[str, ...]
    input_hash: str
    data_version: str
    fabric: FabricVerdict
    shortfall: Shortfall
    benchmark: dict[str, Any] | None = None

    @property
    def graph(self) -> dict[str, Any]:
        """The DynamoGraphDeployment."""
        return self.objects[-1]


@dataclass(frozen=True, slots=True, kw_only=True)
class _Answer:
    """A search and how its workers talk."""

    outcome: Outcome
    transport: Transport
    fabric: FabricVerdict
    shortfall: Shortfall = Shortfall()


@dataclass(frozen=True, slots=True, kw_only=True)
class Solution:
    """A plan before it has names: the same for all requests that differ in nothing else.

    site: where it is put, whoever asked first; notes: what was filled in for the request; shortfall: before overrides.
    """

    outcome: Outcome
    site: Site
    fabric: FabricVerdict
    notes: tuple[str, ...]
    data_version: str
    shortfall: Shortfall


def plan(request: DeploymentRequest, inventory: Inventory | None, catalog: Catalog, settings: Settings) -> Plan:
    """The plan for *request*.

    Raises InvalidSpec, Unsupported, ManifestError (`dgdr_operator.errors`), and lets the estimator's tree
    (NoFeasibleCandidate, UnsupportedModel, ...) and the database's (NotCovered) pass untouched.
    """
    digest = input_hash(request, inventory, catalog.data_version, settings)
    return named(solve(request, inventory, catalog, settings), request.identity, digest)


def solve(request: DeploymentRequest, inventory: Inventory | None, catalog: Catalog, settings: Settings) -> Solution:
    """The slow part of `plan`: the search, and where its choice is put. Raises what `plan` does."""
    inventory = placing.sight(request, inventory, settings)
    request, notes = nodes.complete(request, inventory)
    target = releases.target(request.runtime, settings.dynamo_version, settings.registry)
    model = catalogue.load(request.model)
    placing.check_secret(request, settings)
    question = questions.question(request, target, model, catalog, settings)
    question = question.on(placing.vacancy(request, inventory, settings))
    group = inventory.group(str(request.hardware.gpu_sku)) if inventory else None
    answer = _settled(question, fabric.find(group, request.knobs.fabric or settings.fabric.profile, settings.fabric))
    choice = answer.outcome.choice
    if answer.shortfall == Shortfall():
        notes = (
            *notes,
            *filter(None, [pinned.note(question, choice, answer.transport.bandwidth), placing.zones(group, choice)]),
        )
    notes = (*notes, *pinned.nodes_note(question))
    site = Site(
        request=request,
        settings=settings,
        target=target,
        api=placing.api(request, target, settings),
        fabric=answer.transport.fabric,
        place=placing.place(group, inventory, question.problems[0].system),
        context=model.max_position,
        gated=catalogue.is_gated(request.model),
        experts=0 if model.experts is None else model.experts.count,
        kv_dtype="fp8" if engines.dtype(answer.outcome, "kv cache", choice.backend).startswith("fp8") else "auto",
    )
    return Solution(
        outcome=answer.outcome,
        site=site,
        fabric=answer.fabric,
        notes=tuple(notes),
        data_version=catalog.data_version,
        shortfall=answer.shortfall,
    )


def named(solution: Solution, identity: Identity, digest: str) -> Plan:
    """The quick part of `plan`: what to create for the request called *identity*. Raises what `plan` does."""
    request = replace(solution.site.request, identity=identity)
    site, choice = replace(solution.site, request=request), solution.outcome.choice
    built = graph.build(choice, site)
    wanted = request.policy.measured and not request.knobs.mocker
    return Plan(
        request=request,
        outcome=solution.outcome,
        objects=built.objects,
        notes=(*solution.notes, *solution.outcome.notes, *built.notes, *([MEASURED] if wanted else [])),
        input_hash=digest,
        data_version=solution.data_version,
        fabric=solution.fabric,
        shortfall=replace(solution.shortfall, departures=built.departures),
        benchmark=benchmark.job(built.objects[-1], choice, site, benchmark.address(built.objects[-1]))
        if wanted
        else None,
    )


def _settled(question: Question, found: fabric.Fabric) -> _Answer:
    """The answer; where there is none and the request makes do with less, the nearest plan, or one that fits."""
    try:
        return _answer(question, found)
    except NoFeasibleCandidate as refusal:
        pinned.check_nodes(question, refusal.report)
        for softer in leeway.softened(question, refusal.report):
            with suppress(NoFeasibleCandidate):
                return replace(_answer(softer, found), shortfall=Shortfall(missed=refusal.report))
        raise
    except (MissingTable, NotCovered):
        if not question.request.policy.memory_fit:
            raise
        return _fitted(question, transport.choose(question.request, found, question.node_gpus, question.settings))


def _fitted(question: Question, chosen: Transport) -> _Answer:
    if chosen.bandwidth is None:
        pinned.check_apart(question, chosen.why)
    outcome = leeway.fitted(question)
    verdict = transport.verdict(chosen, outcome.choice, None)
    return _Answer(outcome=outcome, transport=chosen, fabric=verdict, shortfall=Shortfall(priced=False))


def _answer(question: Question, found: fabric.Fabric) -> _Answer:
    """The best plan that the fabric can carry, and what RDMA would have been worth where it is missing."""
    chosen = transport.choose(question.request, found, question.node_gpus, question.settings)
    if chosen.bandwidth is None:
        return _aggregated(question, chosen)
    outcome = question.ask(BOTH, chosen.bandwidth)
    ground = Ground(node_gpus=question.node_gpus, release=question.target.release, settings=question.settings.fabric)
    missing = transport.shortage(chosen.fabric, outcome.choice, ground)
    carried = _other_engines(question, chosen, ground, outcome) if missing else outcome
    if carried is not None:
        return _Answer(outcome=carried, transport=chosen, fabric=transport.verdict(chosen, carried.choice, None))
    fallback = transport.without_rdma(question.request, missing, question.node_gpus, question.settings)
    if fallback.bandwidth is None:
        return _aggregated(question, fallback, incomplete=missing)
    outcome = question.ask(BOTH, fallback.bandwidth)
    return _Answer(outcome=outcome, transport=fallback, fabric=transport.verdict(fallback, outcome.choice, None))


def _other_engines(question: Question, chosen: Transport, ground: Ground, refused: Outcome) -> Outcome | None:
    """The best plan of an engine that the network does carry apart; None if there is none, or staying together wins."""
    outcome, together = refused, {refused.choice.backend}
    while len(together) < len(question.problems):
        try:
            outcome = question.ask(BOTH, chosen.bandwidth, together, advise=False)
        except NoFeasibleCandidate:
            return None
        if outcome.choice.mode == "aggregated":
            return None
        if not transport.shortage(chosen.fabric, outcome.choice, ground):
            return outcome
        together.add(outcome.choice.backend)
    return None


def _aggregated(question: Question, chosen: Transport, incomplete: str = "") -> _Answer:
    """The best aggregated plan; when only RDMA would make the request feasible, the fabric is what binds."""
    pinned.check_apart(question, incomplete or chosen.why)
    bandwidth = transport.with_rdma(question.settings)
    try:
        outcome = question.ask(AGGREGATED, bandwidth)
    except NoFeasibleCandidate as refusal:
        if _apart(question, bandwidth) is None:
            raise
        note = f"a disaggregated plan would do, but it is refused: {incomplete or chosen.why}"
        report = refusal.report
        raise NoFeasibleCandidate(replace(report, binding="fabric", notes=(*report.notes, note))) from None
    apart = _apart(question, bandwidth)
    refused = apart if apart and engines.is_better(question.problems[0], apart, outcome.choice) else None
    return _Answer(
        outcome=outcome, transport=chosen, fabric=transport.verdict(chosen, outcome.choice, refused, incomplete)
    )


def _apart(question: Question, bandwidth: float) -> Estimate | None:
    """The best disaggregated plan that there would be with RDMA."""
    try:
        return question.ask(APART, bandwidth, advise=False, brief=True).choice
    except NoFeasibleCandidate:
        return None
