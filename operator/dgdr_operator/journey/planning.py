"""The steps of the journey in order: complete, choose the release, search, build."""

from dataclasses import dataclass, replace
from typing import Any

from dgdr_operator import inventory as nodes
from dgdr_operator.errors import InvalidSpec, Unsupported
from dgdr_operator.inventory import Inventory, NodeGroup
from dgdr_operator.journey import engines, transport
from dgdr_operator.journey.digest import input_hash
from dgdr_operator.journey.transport import FabricVerdict, Transport
from dgdr_operator.manifest import fabric, graph, releases
from dgdr_operator.manifest.releases import Target
from dgdr_operator.manifest.sites import Place, Site
from dgdr_operator.request import ApiVersion, DeploymentRequest
from dgdr_operator.settings import Settings
from estimator import catalogue, hardware
from estimator.errors import NoFeasibleCandidate
from estimator.estimates import Estimate, Mode, Outcome
from estimator.hardware import System
from estimator.model import Model
from estimator.problem import Problem
from perf_db.catalog import Catalog
from perf_db.errors import UnknownSystem

AGGREGATED: tuple[Mode, ...] = ("aggregated",)
BOTH: tuple[Mode, ...] = ("aggregated", "disaggregated")


@dataclass(frozen=True, slots=True, kw_only=True)
class Plan:
    """What to create for a request, and why.

    request: as it was planned, hardware filled in; outcome: the search that chose; objects: what to create, in this
    order, the DynamoGraphDeployment last; notes: sentences for people; input_hash: equal inputs give equal hashes,
    and equal hashes equal plans; data_version: of the measurements.
    """

    request: DeploymentRequest
    outcome: Outcome
    objects: tuple[dict[str, Any], ...]
    notes: tuple[str, ...]
    input_hash: str
    data_version: str
    fabric: FabricVerdict

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


@dataclass(frozen=True, slots=True, kw_only=True)
class _Question:
    """One problem per engine, without a transport yet."""

    problems: tuple[Problem, ...]
    request: DeploymentRequest
    catalog: Catalog
    settings: Settings

    @property
    def node_gpus(self) -> int:
        return self.problems[0].system.node.gpus

    def ask(self, modes: tuple[Mode, ...], bandwidth: float | None) -> Outcome:
        """The best answer of all engines over *modes*."""
        asked = [replace(problem, modes=modes, transfer_bandwidth=bandwidth) for problem in self.problems]
        return engines.ask(asked, self.catalog)[1]


def plan(request: DeploymentRequest, inventory: Inventory | None, catalog: Catalog, settings: Settings) -> Plan:
    """The plan for *request*.

    Raises InvalidSpec, Unsupported, ManifestError (`dgdr_operator.errors`), and lets the estimator's tree
    (NoFeasibleCandidate, UnsupportedModel, ...) and the database's (NotCovered) pass untouched.
    """
    digest = input_hash(request, inventory, catalog.data_version, settings)
    request, notes = nodes.complete(request, inventory)
    target = releases.target(request.runtime, settings.dynamo_version, settings.registry)
    model, system = catalogue.load(request.model), _system(request, catalog)
    _check_secret(request, settings)
    question = _question(request, target, model, system, catalog, settings)
    group = inventory.group(str(request.hardware.gpu_sku)) if inventory else None
    answer = _answer(question, fabric.find(group, request.knobs.fabric or settings.fabric.profile, settings.fabric))
    site = Site(
        request=request,
        settings=settings,
        target=target,
        api=_api(request, target, settings),
        fabric=answer.transport.fabric,
        place=_place(group, inventory, system),
        context=model.max_position,
        kv_dtype="fp8" if answer.outcome.dtypes["kv cache"].startswith("fp8") else "auto",
    )
    built = graph.build(answer.outcome.choice, site)
    return Plan(
        request=request,
        outcome=answer.outcome,
        objects=built.objects,
        notes=(*notes, *answer.outcome.notes, *built.notes),
        input_hash=digest,
        data_version=catalog.data_version,
        fabric=answer.fabric,
    )


def _system(request: DeploymentRequest, catalog: Catalog) -> System:
    """The GPU system by its facts, with what the request knows better: GPUs per node, less memory."""
    sku, facts = str(request.hardware.gpu_sku), catalog.systems()
    if sku not in facts:
        raise UnknownSystem(sku, sorted(facts))
    system = hardware.system(sku, facts[sku])
    gpus = request.hardware.gpus_per_node or system.node.gpus
    capacity = min(request.hardware.vram or system.gpu.memory_capacity, system.gpu.memory_capacity)
    return replace(system, node=replace(system.node, gpus=gpus), gpu=replace(system.gpu, memory_capacity=capacity))


def _question(
    request: DeploymentRequest, target: Target, model: Model, system: System, catalog: Catalog, settings: Settings
) -> _Question:
    problems = tuple(
        Problem(
            model=model,
            system=system,
            backend=name,
            gpus=request.hardware.total_gpus or 0,
            workload=request.workload,
            targets=request.targets,
            backend_version=target.release.engines[name],
            objective=request.policy.objective,
        )
        for name in _engines(request, system, catalog, settings)
    )
    return _Question(problems=problems, request=request, catalog=catalog, settings=settings)


def _engines(request: DeploymentRequest, system: System, catalog: Catalog, settings: Settings) -> list[str]:
    """The engine that was asked for, or for auto all that were measured on this GPU and can be delivered."""
    backend, able = request.runtime.backend, settings.engines
    if backend == "auto":
        measured = {pack.backend for pack in catalog.packs() if pack.system == system.name}
        return [name for name in able if name in measured] or [able[0]]
    if backend not in able:
        raise Unsupported(f"backend {backend}", f"graphs are delivered for {' and '.join(able)}")
    return [backend]


def _answer(question: _Question, found: fabric.Fabric) -> _Answer:
    """The best plan that the fabric can carry, and what RDMA would have been worth where it is missing."""
    chosen = transport.choose(question.request, found, question.node_gpus, question.settings)
    if chosen.bandwidth is None:
        return _aggregated(question, chosen)
    outcome = question.ask(BOTH, chosen.bandwidth)
    missing = transport.shortage(chosen.fabric, outcome.choice, question.node_gpus, question.settings)
    if not missing:
        return _Answer(outcome=outcome, transport=chosen, fabric=transport.verdict(chosen, outcome.choice, None))
    fallback = transport.without_rdma(question.request, missing, question.node_gpus, question.settings)
    if fallback.bandwidth is None:
        return _aggregated(question, fallback, incomplete=missing)
    outcome = question.ask(BOTH, fallback.bandwidth)
    return _Answer(outcome=outcome, transport=fallback, fabric=transport.verdict(fallback, outcome.choice, None))


def _aggregated(question: _Question, chosen: Transport, incomplete: str = "") -> _Answer:
    """The best aggregated plan; when only RDMA would make the request feasible, the fabric is what binds."""
    bandwidth = transport.with_rdma(question.settings)
    try:
        outcome = question.ask(AGGREGATED, bandwidth)
    except NoFeasibleCandidate as refusal:
        if _would_do(question, bandwidth) is None:
            raise
        note = f"a disaggregated plan would do, but it is refused: {incomplete or chosen.why}"
        report = refusal.report
        raise NoFeasibleCandidate(replace(report, binding="fabric", notes=(*report.notes, note))) from None
    better = _would_do(question, bandwidth)
    refused = better if better is not None and better.mode == "disaggregated" else None
    return _Answer(
        outcome=outcome, transport=chosen, fabric=transport.verdict(chosen, outcome.choice, refused, incomplete)
    )


def _would_do(question: _Question, bandwidth: float) -> Estimate | None:
    """What would be chosen if there were RDMA."""
    try:
        return question.ask(BOTH, bandwidth).choice
    except NoFeasibleCandidate:
        return None


def _place(group: NodeGroup | None, inventory: Inventory | None, system: System) -> Place:
    """Pods are told to go to the planned product only where the cluster has another one."""
    products = {other.product for other in inventory.groups} if inventory else set()
    tolerations = tuple(
        {"key": taint["key"], "operator": "Exists", "effect": taint["effect"]}
        for taint in (group.taints if group else ())
    )
    selective = group is not None and bool(group.product) and len(products) > 1
    return Place(
        node_gpus=system.node.gpus,
        gpu_capacity=system.gpu.memory_capacity,
        tolerations=tolerations,
        node_selector={nodes.PRODUCT: group.product} if group is not None and selective else {},
    )


def _api(request: DeploymentRequest, target: Target, settings: Settings) -> ApiVersion:
    """The version to write: what is served, v1beta1 first, unless an annotation or an override's spec decides."""
    offline: tuple[ApiVersion, ...] = ("v1beta1", "v1alpha1") if target.release.beta_graphs else ("v1alpha1", "v1beta1")
    served = settings.graph_versions or offline
    wanted, path = _wanted_api(request)
    if wanted is None:
        return served[0]
    if wanted not in served:
        raise InvalidSpec.at(path, f"asks for {wanted}, but only {' and '.join(served)} can be written")
    return wanted


def _wanted_api(request: DeploymentRequest) -> tuple[ApiVersion | None, str]:
    change = request.overrides.graph or {}
    knob = None if request.knobs.dgd_api == "auto" else request.knobs.dgd_api
    if change.get("spec"):
        version: ApiVersion = "v1alpha1" if change["apiVersion"].endswith("v1alpha1") else "v1beta1"
        if knob not in {None, version}:
            raise InvalidSpec.at("spec.overrides.dgd.apiVersion", f"is {version}, but the annotation dgd-api is {knob}")
        return version, "spec.overrides.dgd.apiVersion"
    return knob, "metadata.annotations[dgdr-operator.io/dgd-api]"


def _check_secret(request: DeploymentRequest, settings: Settings) -> None:
    secret = settings.hf_secret if request.knobs.hf_secret is None else request.knobs.hf_secret
    if not secret and catalogue.is_gated(request.model):
        problem = f"is empty, but {request.model} is only given to token holders: name the Secret that holds HF_TOKEN"
        raise InvalidSpec.at("metadata.annotations[dgdr-operator.io/hf-secret]", problem)
