"""One priced configuration taken apart: its iterations, operation by operation, and how far its numbers reach."""

from collections.abc import Iterator, Sequence
from dataclasses import replace

from dgdr_operator.report.accuracy import METRICS
from dgdr_operator.report.breakdown import Ends, Iteration
from estimator import floor
from estimator.backends import registry
from estimator.backends.engine import Host
from estimator.estimates import Estimate, Latency, OpTime, Worker
from estimator.layers.parts import Phase
from estimator.problem import Problem
from estimator.shape import Shape
from estimator.workload import Workload
from perf_db.catalog import Catalog

_CONSTANT = "assumption"


def iterations(problem: Problem, estimate: Estimate, catalog: Catalog) -> list[Iteration]:
    """A step that carries prompts, and one that only decodes (if anything is decoded)."""
    if estimate.mode == "aggregated":
        return _of_one_worker(problem, estimate, catalog)
    workload, shapes = problem.workload, [_shape(problem, worker, catalog) for worker in estimate.workers]
    feeding, decoding = estimate.worker("prefill"), estimate.worker("decode")
    tokens = float(min(feeding.batch_size * workload.new_tokens, feeding.max_num_tokens))
    return [
        _carrying(shapes[0], workload, estimate, tokens, 0.0),
        _decoding(shapes[1], workload, estimate, float(decoding.batch_size)),
    ]


def seen(latency: Latency, osl: int, late: float, held: int) -> Latency:
    """What a client sees whose first answer comes *late* iterations late, *held* of which its other tokens took: the
    time between tokens is what is left over the others."""
    if latency.itl is None or not late or osl <= held + 1:
        return latency
    waited = late * latency.itl
    return replace(
        latency,
        ttft=latency.ttft + waited,
        itl=latency.itl * (osl - 1 - held) / (osl - 1),
        ttft_terms={**latency.ttft_terms, "streaming": waited},
    )


def ends(estimate: Estimate, catalog: Catalog) -> Ends:
    """90 % intervals by metric, as far as runs of the engine were compared."""
    stored = catalog.accuracy
    if stored is None:
        return {}
    values = {
        "ttft": estimate.latency.ttft,
        "itl": estimate.latency.itl,
        "throughput": estimate.load.tokens_per_second,
    }
    found = {}
    for metric in METRICS:
        value, band = values[metric], stored.band(estimate.backend, metric, estimate.evidence)
        if value is not None and band is not None:
            found[metric] = band.around(value)
    return found


def _of_one_worker(problem: Problem, estimate: Estimate, catalog: Catalog) -> list[Iteration]:
    workload, worker = problem.workload, estimate.workers[0]
    shape = _shape(problem, worker, catalog)
    sequences = _in_flight(shape, workload, estimate)
    chunk, beside = shape.engine.prompt_step(workload.new_tokens, worker.max_num_tokens, sequences)
    steps = [_carrying(shape, workload, estimate, chunk, beside)]
    if workload.osl > 1 and sequences > 0:
        steps.append(_decoding(shape, workload, estimate, sequences))
    return steps


def _shape(problem: Problem, worker: Worker, catalog: Catalog) -> Shape:
    engine = registry.engine(problem.backend, catalog.host(problem.backend))
    return replace(floor.served(problem, worker.parallel), engine=engine)


def _carrying(shape: Shape, workload: Workload, estimate: Estimate, tokens: float, beside: float) -> Iteration:
    host = shape.engine.host
    launched = OpTime(
        phase="prefill", name="host", seconds=host.per_prompt_layer * shape.model.layers, provenance=_CONSTANT
    )
    company = f" beside {beside:.1f} decoding sequences" if beside else ""
    return Iteration(
        title=f"A step with {tokens:,.0f} prompt tokens{company} per rank",
        tokens=tokens,
        sequences=beside,
        ops=[*_priced(estimate, "prefill"), launched, *_between(host, "prefill")],
        floor=floor.of_iteration(shape, workload, "prefill", tokens, beside),
    )


def _decoding(shape: Shape, workload: Workload, estimate: Estimate, sequences: float) -> Iteration:
    priced, host = _priced(estimate, "decode"), shape.engine.host
    idle = max(host.per_decode_step - sum(op.seconds for op in priced), 0.0)
    waited = [OpTime(phase="decode", name="host", seconds=idle, provenance=_CONSTANT)] if idle else []
    return Iteration(
        title=f"A step that decodes {sequences:.1f} sequences per rank",
        tokens=0.0,
        sequences=sequences,
        ops=[*priced, *waited, *_between(host, "decode")],
        floor=floor.of_iteration(shape, workload, "decode", 0.0, sequences),
    )


def _priced(estimate: Estimate, phase: Phase) -> Sequence[OpTime]:
    return [op for op in estimate.breakdown if op.phase == phase]


def _between(host: Host, phase: Phase) -> Iterator[OpTime]:
    """What scheduling and sampling leave unhidden between steps."""
    if host.between_steps > 0:
        yield OpTime(phase=phase, name="between steps", seconds=host.between_steps, provenance=_CONSTANT)


def _in_flight(shape: Shape, workload: Workload, estimate: Estimate) -> float:
    """Sequences that decode at a time on one rank: the rate at which they come times how long they stay (Little)."""
    stay = workload.iterations * (estimate.latency.itl or 0.0) * workload.tokens_per_iteration
    return estimate.load.request_rate / estimate.replicas / shape.parallel.dp * stay
