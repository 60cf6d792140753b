"""What the estimator is asked for a request: one problem per engine that could serve it, over the modes allowed."""

from collections.abc import Container
from dataclasses import dataclass, replace

from dgdr_operator import engines
from dgdr_operator.errors import InvalidSpec, Unsupported
from dgdr_operator.manifest.releases import Target
from dgdr_operator.request import OWN, DeploymentRequest
from dgdr_operator.settings import Settings
from estimator import hardware
from estimator.errors import InvalidWorkload
from estimator.estimates import Mode, Outcome
from estimator.hardware import System
from estimator.model import Model
from estimator.problem import Problem
from estimator.vacancy import Vacancy
from perf_db.catalog import Catalog
from perf_db.errors import UnknownSystem

AGGREGATED: tuple[Mode, ...] = ("aggregated",)
APART: tuple[Mode, ...] = ("disaggregated",)
BOTH: tuple[Mode, ...] = ("aggregated", "disaggregated")
PLAIN = "a100_sxm"
"""The system whose facts stand in for those of a GPU that nobody described, its memory apart. It has no 8-bit types, so
nothing is assumed that the GPU may lack."""

PIN = f"metadata.annotations[{OWN}/pin]"


@dataclass(frozen=True, slots=True, kw_only=True)
class Question:
    """One problem per engine, without a transport yet."""

    problems: tuple[Problem, ...]
    request: DeploymentRequest
    target: Target
    catalog: Catalog
    settings: Settings

    @property
    def node_gpus(self) -> int:
        """GPUs of one node."""
        return self.problems[0].system.node.gpus

    def on(self, vacancy: Vacancy | None) -> "Question":
        """The same question, to be answered by what fits on *vacancy*; None: on any nodes."""
        if vacancy is None:
            return self
        here = replace(vacancy, node_gpus=self.node_gpus)
        return replace(self, problems=tuple(replace(problem, vacancy=here) for problem in self.problems))

    def ask(
        self,
        modes: tuple[Mode, ...],
        bandwidth: float | None,
        together: Container[str] = (),
        *,
        advise: bool = True,
        brief: bool = False,
    ) -> Outcome:
        """The best answer of all engines over *modes*; *bandwidth* between workers, bytes per second.

        together: engines that are asked for aggregated plans only; advise: a refusal also names lighter loads; brief:
        only the choice matters.
        Raises InvalidSpec for pins that no engine can follow.
        """
        asked = [replace(problem, modes=modes, transfer_bandwidth=bandwidth) for problem in self.problems]
        asked = [replace(one, modes=AGGREGATED) if one.backend in together else one for one in asked]
        try:
            return engines.ask(asked, self.catalog, advise=advise, brief=brief)
        except InvalidWorkload as problem:
            if problem.field != "pin":
                raise
            raise InvalidSpec.at(PIN, f"must be {problem.allowed}, not {problem.value}") from None


def question(
    request: DeploymentRequest, target: Target, model: Model, catalog: Catalog, settings: Settings
) -> Question:
    """The question that *request*, with its hardware complete, asks.

    Raises UnknownSystem, Unsupported for an engine that is not delivered, InvalidSpec for one that cannot do as asked.
    """
    system = _system(request, catalog)
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
            pins=request.policy.pins,
            balanced=request.policy.balanced,
            widest=system.node.gpus if settings.several_nodes == "refuse" else None,
        )
        for name in _engines(request, system, catalog, settings)
    )
    return Question(problems=problems, request=request, target=target, catalog=catalog, settings=settings)


def _system(request: DeploymentRequest, catalog: Catalog) -> System:
    """The GPU system by its facts, with what the request knows better: GPUs per node, less memory."""
    sku, facts = str(request.hardware.gpu_sku), catalog.systems()
    known = sku in facts
    if not known and not (request.policy.memory_fit and request.hardware.vram and request.hardware.gpus_per_node):
        raise UnknownSystem(sku, sorted(facts))
    system = hardware.system(sku, facts[sku if known else PLAIN])
    if not known:
        system = replace(system, gpu=replace(system.gpu, memory_capacity=request.hardware.vram or 0.0))
    gpus = request.hardware.gpus_per_node or system.node.gpus
    capacity = min(request.hardware.vram or system.gpu.memory_capacity, system.gpu.memory_capacity)
    return replace(system, node=replace(system.node, gpus=gpus), gpu=replace(system.gpu, memory_capacity=capacity))


def _engines(request: DeploymentRequest, system: System, catalog: Catalog, settings: Settings) -> list[str]:
    """The engine that was asked for, or for auto all that were measured on this GPU and can do what is asked."""
    backend, trusting = request.runtime.backend, request.overrides.trust_remote_code
    able = [name for name in settings.engines if not (trusting and name == "trtllm")]
    if backend == "trtllm" and trusting:
        raise InvalidSpec.at("spec.overrides.trustRemoteCode", "has no effect on trtllm: choose vllm or sglang")
    if backend == "auto":
        measured = {pack.backend for pack in catalog.packs() if pack.system == system.name}
        return [name for name in able if name in measured] or list(able[:1])
    if backend not in able:
        raise Unsupported(f"backend {backend}", f"graphs are delivered for {' and '.join(able)}")
    return [backend]
