"""How much of a model's serving time was measured: per operation, for the smallest worker that holds the model.

The question is asked for one reference request, so that answers for different models, systems and engines compare.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Literal

import numpy as np

from estimator import candidates, deciding, memory
from estimator.backends import registry
from estimator.backends.engine import Engine
from estimator.errors import EstimatorError
from estimator.estimates import DOUBTFUL, DOUBTFUL_SHARE, Mode, OpTime, Role
from estimator.hardware import System
from estimator.layers.parts import Phase
from estimator.model import Model
from estimator.parallelism import Parallel
from estimator.pricing import Prices
from estimator.quantization import Dtypes
from estimator.shape import Shape
from estimator.step import Step
from estimator.workload import Workload
from perf_db.catalog import Catalog
from perf_db.errors import PerfDatabaseError

Verdict = Literal["measured", "partly", "estimated", "no"]
REFERENCE = Workload(isl=4000, osl=1000)
"""The request that shares of time are told for: what a request without a workload means at every door."""
MOST_SEQUENCES = 32
"""Sequences per rank in the reference decode iteration, where the cache holds as many."""
MOST_GPUS = 64
"""The largest worker that is looked for."""
SURE, FAIR = DOUBTFUL_SHARE, 0.50
"""Doubtful share of a worker's time up to which it counts as measured, and up to which as partly measured: beyond
that most of the time is an estimate."""


@dataclass(frozen=True, slots=True, kw_only=True)
class OpShare:
    """What one kind of operation takes of its worker's time, and the evidence; the shares of a worker sum to 1."""

    phase: Phase
    name: str
    share: float
    provenance: str


@dataclass(frozen=True, slots=True, kw_only=True)
class WorkerCoverage:
    """One kind of worker, *sequences* decoding on each of its ranks, and what its time is made of."""

    role: Role
    parallel: Parallel
    sequences: int
    ops: tuple[OpShare, ...]

    @property
    def provenance(self) -> Mapping[str, float]:
        """Share of its time per class of evidence, largest first."""
        shares: dict[str, float] = {}
        for op in self.ops:
            shares[op.provenance] = shares.get(op.provenance, 0.0) + op.share
        return dict(sorted(shares.items(), key=lambda item: -item[1]))

    @property
    def doubt(self) -> float:
        """Share of its time that no measurement stands behind."""
        return sum(op.share for op in self.ops if op.provenance in DOUBTFUL)


@dataclass(frozen=True, slots=True, kw_only=True)
class ModeCoverage:
    """One way of serving: the verdict, its workers, and for the verdict "no" the reason instead of workers."""

    verdict: Verdict
    workers: tuple[WorkerCoverage, ...] = ()
    reason: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Coverage:
    """What is known about serving one model on one system with one engine.

    version: of the measurements, "" if there are none; dtypes: what was assumed about data types and why; notes:
    how the version was resolved, and which family stands in for an architecture without a reader of its own.
    """

    model: str
    system: str
    backend: str
    version: str
    modes: Mapping[Mode, ModeCoverage]
    dtypes: Mapping[str, str]
    notes: tuple[str, ...] = ()


def coverage(
    model: Model, system: System, backend: str, catalog: Catalog, backend_version: str | None = None
) -> Coverage:
    """How well *model* is covered; "no" in both modes, with the reason, where nothing is known or nothing fits.

    Raises InvalidWorkload for an engine that does not exist.
    """
    return over([model], system, backend, catalog, backend_version)[0]


def over(
    models: Iterable[Model], system: System, backend: str, catalog: Catalog, backend_version: str | None = None
) -> tuple[Coverage, ...]:
    """The same for many models on one engine and system, which share what is looked up once."""
    registry.engine(backend)
    try:
        found = catalog.resolve(system.name, backend, backend_version)
    except PerfDatabaseError as missing:
        return tuple(_answer(model, system, (backend, ""), _none(str(missing))) for model in models)
    prices = Prices(catalog, found.pack, system)
    answers = (_by_prices(model, prices) for model in models)
    return tuple(replace(one, notes=(*filter(None, [found.note]), *one.notes)) for one in answers)


def _by_prices(model: Model, prices: Prices) -> Coverage:
    engine, system = prices.engine, prices.system
    data = (prices.pack.backend, prices.pack.version)
    try:
        dtypes = deciding.resolve(model, engine, prices)
        shape = _smallest(_shapes(model, system, engine, dtypes), system)
        if shape is None:
            return _answer(model, system, data, _none(_too_large(model, system)), dtypes.words())
        modes = _modes(Step(shape, prices, REFERENCE))
    except EstimatorError as refusal:
        return _answer(model, system, data, _none(str(refusal)))
    return _answer(model, system, data, _stood_in(modes) if model.nearest else modes, dtypes.words())


def _answer(
    model: Model,
    system: System,
    data: tuple[str, str],
    modes: Mapping[Mode, ModeCoverage],
    dtypes: Mapping[str, str] | None = None,
) -> Coverage:
    backend, version = data
    return Coverage(
        model=model.name,
        system=system.name,
        backend=backend,
        version=version,
        modes=modes,
        dtypes=dtypes or {},
        notes=(f"priced like its nearest family, {model.nearest}",) if model.nearest else (),
    )


def _none(reason: str) -> Mapping[Mode, ModeCoverage]:
    no = ModeCoverage(verdict="no", reason=reason)
    return {"aggregated": no, "disaggregated": no}


def _stood_in(modes: Mapping[Mode, ModeCoverage]) -> Mapping[Mode, ModeCoverage]:
    """Another family's operations, however well measured, are an estimate of this one's."""
    return {mode: replace(found, verdict="estimated") for mode, found in modes.items()}


def _too_large(model: Model, system: System) -> str:
    return f"no worker of up to {MOST_GPUS} GPUs of {system.name} holds {model.name} and one request"


def _shapes(model: Model, system: System, engine: Engine, dtypes: Dtypes) -> Iterable[Shape]:
    splits = candidates.shapes(model, system, engine, dtypes, MOST_GPUS, pipelines=True)
    return (Shape(model=model, parallel=parallel, dtypes=dtypes, engine=engine, system=system) for parallel in splits)


def _smallest(shapes: Iterable[Shape], system: System) -> Shape | None:
    """The simplest shape that holds the model and one request; None if none does."""
    for shape in sorted(shapes, key=_simplicity):
        if memory.needed_capacity(shape, REFERENCE) <= system.gpu.memory_capacity:
            return shape
    return None


def _simplicity(shape: Shape) -> tuple[int, ...]:
    """Stages come last, as in a search; then few GPUs; of equals the one that splits tensors only."""
    split = shape.parallel
    return split.pp, split.gpus, split.dp, split.moe_ep


def _modes(step: Step) -> Mapping[Mode, ModeCoverage]:
    """One worker for both phases, against one for each."""
    sequences = _sequences(step.shape)
    prefill = step.breakdown("prefill", float(REFERENCE.new_tokens), 0.0)
    decode = step.breakdown("decode", 0.0, float(sequences))
    life = (*prefill, *(replace(op, seconds=op.seconds * REFERENCE.iterations) for op in decode))

    def worker(role: Role, ops: Sequence[OpTime]) -> WorkerCoverage:
        return WorkerCoverage(role=role, parallel=step.shape.parallel, sequences=sequences, ops=_shares(ops))

    return {
        "aggregated": _judged(worker("aggregated", life)),
        "disaggregated": _judged(worker("prefill", prefill), worker("decode", decode)),
    }


def _sequences(shape: Shape) -> int:
    """Sequences that the cache of one rank admits, as far as the reference goes."""
    chunk = shape.engine.token_budget(REFERENCE.isl, MOST_SEQUENCES)
    used = memory.activations(shape, np.asarray(float(chunk)))
    budget = memory.cache_budget(shape, memory.footprint(shape), used, chunk)
    return int(np.clip(memory.admitted(shape, budget, REFERENCE), 1, MOST_SEQUENCES))


def _shares(ops: Sequence[OpTime]) -> tuple[OpShare, ...]:
    """Operations of the same name in different layers together, unless their evidence differs; largest first."""
    whole = sum(op.seconds for op in ops)
    shares: dict[tuple[Phase, str, str], float] = {}
    for op in ops:
        key = (op.phase, op.name, op.provenance)
        shares[key] = shares.get(key, 0.0) + op.seconds / whole
    found = [
        OpShare(phase=phase, name=name, share=share, provenance=provenance)
        for (phase, name, provenance), share in shares.items()
    ]
    return tuple(sorted(found, key=lambda one: -one.share))


def _judged(*workers: WorkerCoverage) -> ModeCoverage:
    """A deployment is as well founded as the worst of its workers."""
    doubt = max(worker.doubt for worker in workers)
    verdict: Verdict = "measured" if doubt <= SURE else "partly" if doubt <= FAIR else "estimated"
    return ModeCoverage(verdict=verdict, workers=workers)
